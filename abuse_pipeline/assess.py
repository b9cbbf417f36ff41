"""The first half of the path, without the store: read, parse, trace, attribute, decide.

`assess` gives the same answer for the same bytes, configuration and time; `abuse explain` shows it, `pipeline.process`
keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from abuse_pipeline.api import Bid, ParseContext
from abuse_pipeline.desk import Desk
from abuse_pipeline.errors import PluginError, ReportError
from abuse_pipeline.mail import Mail, read_mail
from abuse_pipeline.model import (
    Confidence,
    Disposition,
    Envelope,
    Finding,
    Holder,
    HolderKind,
    Identity,
    Incident,
    IPAddress,
    JudgedIncident,
    Origin,
    Report,
)
from abuse_pipeline.networks.addresses import parse_address
from abuse_pipeline.privacy.names import mailboxes
from abuse_pipeline.signatures import verified
from abuse_pipeline.trace import Passage, RecipientSide, TraceRules, passage_of, registered_domain
from abuse_pipeline.triage import Circumstances, decide, detect_language, establish_origin


@dataclass(frozen=True, slots=True)
class Memory:
    """What the desk remembers and may use on a report. Nothing here asks anybody outside.

    findings: what is known about an address. learned: hosts that stand in front of the mailboxes of a registered
    domain, as its earlier reports taught. key_of: the key record at a DNS name, where it was looked up before.
    """

    findings: Callable[[IPAddress], tuple[Finding, ...]]
    learned: Callable[[str], frozenset[IPAddress]]
    key_of: Callable[[str], str | None]


NO_MEMORY = Memory(lambda _: (), lambda _: frozenset(), lambda _: None)


@dataclass(frozen=True, slots=True)
class Teaching:
    """Which host handed over the mail of incident *position* to the reporter's side. domain: the reporter's."""

    domain: str
    position: int
    passage: Passage


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the desk makes of one submission.

    mail: None when no reader makes a message of the bytes. format: None when no parser took it. bids: what each parser
    said, best first. problems: plugins that failed on this message. teaching: what it shows of the reporter's side.
    """

    mail: Mail | None
    format: str | None
    language: str | None
    reporter: Identity | None
    disposition: Disposition
    reasons: tuple[str, ...]
    incidents: tuple[JudgedIncident, ...] = ()
    report: Report | None = None
    bids: tuple[tuple[str, Bid], ...] = ()
    problems: tuple[str, ...] = ()
    teaching: Teaching | None = None

    @property
    def needs_staff(self) -> bool:
        """Some part of it waits for a person."""
        if self.disposition is Disposition.STAFF:
            return True
        return any(judged.decision.disposition is Disposition.STAFF for judged in self.incidents)


def assess(raw: bytes, envelope: Envelope, desk: Desk, now: datetime, memory: Memory = NO_MEMORY) -> Assessment:
    """Take one submission from bytes to decisions. Whatever the bytes are, trouble becomes a reason for staff."""
    mail = None
    try:
        mail = read_mail(raw, desk.settings.mail)
        return assess_mail(mail, envelope, desk, now, memory)
    except ReportError as error:
        return _for_staff(mail, f"the message cannot be read: {error}", None, None)


def assess_mail(mail: Mail, envelope: Envelope, desk: Desk, now: datetime, memory: Memory = NO_MEMORY) -> Assessment:
    reporter = reporter_of(mail, envelope)
    language = detect_language(f"{mail.header('Subject') or ''}\n{_own_words(mail)}")
    context = replace(desk.parse_context, null_sender=envelope.mail_from == "")
    bids, problems = _collect_bids(mail, desk, context)
    unread = replace(_for_staff(mail, "no parser understood it", language, reporter), problems=problems)
    if not bids:
        return unread
    name = bids[0][0]
    try:
        report = _parse(name, mail, desk, context)
    except (ReportError, PluginError) as error:
        return replace(unread, format=name, reasons=(str(error),), bids=bids)
    author = reporter if has_one_author(mail) else None
    chains = _Chains(_recipient_side(reporter, envelope), teaching_domain(author, desk.rules), desk, memory)
    circumstances = _circumstances(desk, now, author, envelope)
    traced = tuple(chains.trace(incident) for incident in report.incidents)
    incidents = tuple(
        _judge(incident, found.origin, circumstances, desk, memory)
        for incident, found in zip(report.incidents, traced, strict=True)
    )
    disposition, reasons = _overall(report, incidents)
    return Assessment(
        mail,
        name,
        language,
        reporter,
        disposition,
        reasons,
        incidents,
        report,
        bids,
        problems,
        chains.teaching([found.passage for found in traced]),
    )


def _for_staff(mail: Mail | None, reason: str, language: str | None, reporter: Identity | None) -> Assessment:
    return Assessment(mail, None, language, reporter, Disposition.STAFF, (reason,))


def reporter_of(mail: Mail, envelope: Envelope) -> Identity | None:
    """Who sent the report: the From field (RFC 5322 section 3.6.2), else the envelope sender, else nobody known."""
    for box in mailboxes(mail.headers("From")):
        return Identity(address=box.address, name=box.name or None)
    if envelope.mail_from:
        return Identity(address=envelope.mail_from)
    return None


def has_one_author(mail: Mail) -> bool:
    """One From field with one address. With several (RFC 5322 section 3.6) it cannot be told who speaks, so nobody
    is vouched for: mail systems that check the author may have checked another one than we read."""
    return len(mail.raw_headers("From")) == 1 and len(mailboxes(mail.headers("From"))) == 1


def _own_words(mail: Mail) -> str:
    """What the reporter wrote; where that is nothing, what was reported still shows the language."""
    text = mail.text()
    if text.strip():
        return text
    embedded = next((part.message for part in mail.walk() if part.message is not None), None)
    return embedded.text() if embedded is not None else ""


def _collect_bids(mail: Mail, desk: Desk, context: ParseContext) -> tuple[tuple[tuple[str, Bid], ...], tuple[str, ...]]:
    """Every parser's bid above 0, strongest first, ties by name; and the parsers that failed."""
    bids: list[tuple[str, Bid]] = []
    problems: list[str] = []
    for name, parser in desk.plugins.parsers.items():
        try:
            bid = parser.recognise(mail, context)
            if bid.strength > 0:
                bids.append((name, bid))
        except (Exception, SystemExit) as error:  # noqa: BLE001  a plugin is isolated: its failure is named, the others go on
            problems.append(f"parser {name} failed to look at it ({type(error).__name__})")
    bids.sort(key=lambda item: (-item[1].strength, item[0]))
    return tuple(bids), tuple(problems)


def _parse(name: str, mail: Mail, desk: Desk, context: ParseContext) -> Report:
    """Let the winning parser read the message.

    Raises ReportError as the parser does, PluginError when it breaks: the text of a foreign exception may quote the
    message, so only its class is named.
    """
    try:
        report = desk.plugins.parsers[name].parse(mail, context)
    except ReportError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"the parser broke on this message ({type(error).__name__})", where=f"plugin {name}"
        ) from error
    if not isinstance(report, Report):
        raise PluginError(f"returned {type(report).__name__} instead of a Report", where=f"plugin {name}")
    return report


def _recipient_side(reporter: Identity | None, envelope: Envelope) -> RecipientSide:
    """The reporter's own domains. The reported message's To field is the spammer's word and is left out."""
    addresses = [reporter.address if reporter else None, envelope.mail_from]
    domains = {registered_domain(address.rpartition("@")[2]) for address in addresses if address and "@" in address}
    return RecipientSide(frozenset(domain for domain in domains if domain))


def _circumstances(desk: Desk, now: datetime, author: Identity | None, envelope: Envelope) -> Circumstances:
    """author: who alone wrote the report, None when that is not plain."""
    peer = parse_address(envelope.peer) if envelope.peer else None
    address = author.address if author else None
    return Circumstances(
        now=now,
        max_age=desk.settings.triage.max_age,
        max_skew=desk.settings.trace.max_skew,
        reporter_vouched=any(feed.matches(address, peer) for feed in desk.feeds),
    )


def teaching_domain(reporter: Identity | None, rules: TraceRules) -> str | None:
    """The reporter's registered domain, when its reports can teach something of its own mail servers.

    A provider of mailboxes has many users with a forwarder each: what they have in common is only the provider.
    """
    address = reporter.address if reporter else None
    domain = registered_domain(address.rpartition("@")[2]) if address and "@" in address else None
    return domain if domain is not None and rules.provider_of(domain) is None else None


def trace_incident(incident: Incident, side: RecipientSide, desk: Desk, memory: Memory) -> Origin:
    """The origin of *incident*, with the signatures that verify where they can strengthen it."""
    origin = establish_origin(incident, side, desk.rules)
    message, moment = incident.message, origin.moment
    if origin.confidence is not Confidence.RELAYED or message is None or moment is None:
        return origin
    if not desk.settings.trace.verify_signatures:
        return origin
    signatures = verified(message.raw, desk.rules.signers, memory.key_of, moment.at)
    return establish_origin(incident, side, desk.rules, signatures) if signatures else origin


@dataclass(frozen=True, slots=True)
class _Traced:
    """passage: what the chain by itself shows of the reporter's side."""

    origin: Origin
    passage: Passage | None


@dataclass(frozen=True, slots=True)
class _Chains:
    """Traces the chains of one report's incidents."""

    side: RecipientSide
    domain: str | None
    desk: Desk
    memory: Memory

    def trace(self, incident: Incident) -> _Traced:
        """The origin by the mail itself, then with what is remembered: only where that can change the answer."""
        rules = self.desk.rules
        origin = trace_incident(incident, self.side, self.desk, self.memory)
        passage = passage_of(origin, rules)
        if passage is not None and passage.client is not None and self.domain is not None:
            learned = self.memory.learned(self.domain)
            if passage.relay in learned:
                origin = establish_origin(incident, replace(self.side, learned=learned), rules)
        return _Traced(origin, passage)

    def teaching(self, passages: Sequence[Passage | None]) -> Teaching | None:
        """The first passage of the report, which speaks once."""
        if self.domain is None:
            return None
        found = ((position, passage) for position, passage in enumerate(passages) if passage is not None)
        return next((Teaching(self.domain, position, passage) for position, passage in found), None)


def _judge(
    incident: Incident, origin: Origin, circumstances: Circumstances, desk: Desk, memory: Memory
) -> JudgedIncident:
    holder = _holder(origin, desk)
    decision = decide(incident, origin, holder, circumstances)
    findings = memory.findings(origin.ip) if origin.ip is not None else ()
    return JudgedIncident(incident, origin, holder, decision, findings)


def _holder(origin: Origin, desk: Desk) -> Holder:
    if origin.ip is None:
        return Holder(HolderKind.UNKNOWN, "without an address there is nobody to look up")
    if origin.confidence is Confidence.CLAIMED:
        return Holder(HolderKind.UNKNOWN, "an address that is only claimed is held against nobody")
    return desk.table.holder_at(origin.ip, origin.moment, origin.port)


def _overall(report: Report, incidents: tuple[JudgedIncident, ...]) -> tuple[Disposition, tuple[str, ...]]:
    """The weightiest of the incidents' dispositions, or what the parser said of a report without incidents."""
    if incidents:
        order = list(Disposition)
        heaviest = min(incidents, key=lambda judged: order.index(judged.decision.disposition))
        return heaviest.decision.disposition, heaviest.decision.reasons[:1]
    if report.disposition is not None:
        return report.disposition, report.reasons
    return Disposition.STAFF, report.reasons or ("the report names no incident",)
