"""The first half of the path, without the store: read, parse, trace, attribute, decide.

`assess` gives the same answer for the same bytes, configuration and time; `abuse explain` shows it, `pipeline.process`
keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
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
from abuse_pipeline.trace import RecipientSide, registered_domain
from abuse_pipeline.triage import Circumstances, decide, detect_language, establish_origin

KnownFindings = Callable[[IPAddress], tuple[Finding, ...]]
"""What is known already about an address; never asks anybody."""


def nothing_known(ip: IPAddress) -> tuple[Finding, ...]:  # noqa: ARG001  the shape of KnownFindings
    return ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the desk makes of one submission.

    mail: None when no reader makes a message of the bytes. format: None when no parser took it. bids: what each parser
    said, best first. problems: plugins that failed on this message.
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

    @property
    def needs_staff(self) -> bool:
        """Some part of it waits for a person."""
        if self.disposition is Disposition.STAFF:
            return True
        return any(judged.decision.disposition is Disposition.STAFF for judged in self.incidents)


def assess(
    raw: bytes, envelope: Envelope, desk: Desk, now: datetime, known: KnownFindings = nothing_known
) -> Assessment:
    """Take one submission from bytes to decisions. Whatever the bytes are, trouble becomes a reason for staff."""
    mail = None
    try:
        mail = read_mail(raw, desk.settings.mail)
        return assess_mail(mail, envelope, desk, now, known)
    except ReportError as error:
        return _for_staff(mail, f"the message cannot be read: {error}", None, None)


def assess_mail(
    mail: Mail, envelope: Envelope, desk: Desk, now: datetime, known: KnownFindings = nothing_known
) -> Assessment:
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
    side = _recipient_side(reporter, envelope)
    circumstances = _circumstances(desk, now, reporter if has_one_author(mail) else None, envelope)
    incidents = tuple(_judge(incident, side, circumstances, desk, known) for incident in report.incidents)
    disposition, reasons = _overall(report, incidents)
    return Assessment(mail, name, language, reporter, disposition, reasons, incidents, report, bids, problems)


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


def _judge(
    incident: Incident, side: RecipientSide, circumstances: Circumstances, desk: Desk, known: KnownFindings
) -> JudgedIncident:
    origin = establish_origin(incident, side, desk.rules)
    holder = _holder(origin, desk)
    decision = decide(incident, origin, holder, circumstances)
    findings = known(origin.ip) if origin.ip is not None else ()
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
