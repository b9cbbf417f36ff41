"""The rules from incident, origin and holder to a disposition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from abuse_pipeline.model import (
    Confidence,
    Decision,
    Disposition,
    Holder,
    HolderKind,
    Incident,
    IPAddress,
    IPNetwork,
    Missing,
    Origin,
    Verdict,
)
from abuse_pipeline.networks.addresses import is_documentation
from abuse_pipeline.triage.origins import contradiction, time_contradiction
from abuse_pipeline.triage.severity import severity_of


@dataclass(frozen=True, slots=True)
class Feed:
    """A reporter whose own records we take as they stand: a feedback loop, a trusted sensor.

    sender: a mail address, or a domain. networks: where it must deliver from, when it comes by SMTP; empty = anywhere.
    """

    sender: str
    networks: tuple[IPNetwork, ...] = ()

    def matches(self, address: str | None, peer: IPAddress | None) -> bool:
        """Whether a report from *address*, delivered by *peer* (None for files), comes from this feed."""
        if not address:
            return False
        wanted, given = self.sender.casefold(), address.casefold()
        if given != wanted and given.rpartition("@")[2] != wanted:
            return False
        return peer is None or not self.networks or any(peer in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a decision depends on besides the incident.

    now: aware. max_age: older incidents go to staff. max_skew: how far ahead of us an honest clock may be.
    reporter_vouched: the reporter is authenticated or a configured feed.
    """

    now: datetime
    max_age: timedelta
    max_skew: timedelta
    reporter_vouched: bool


@dataclass(frozen=True, slots=True)
class _Matter:
    incident: Incident
    origin: Origin
    holder: Holder
    circumstances: Circumstances


_Ruling = tuple[Disposition, str, tuple[Missing, ...]]


def decide(incident: Incident, origin: Origin, holder: Holder, circumstances: Circumstances) -> Decision:
    """What is to happen with *incident*. The first rule that applies decides; its reason comes first.

    The tracer's reasons are not repeated here: they name hosts of the reporter's side, and a decision's reasons stand
    outside the vault.
    """
    matter = _Matter(incident, origin, holder, circumstances)
    severity = severity_of(incident.category, incident.type)
    for rule in _RULES:
        ruling = rule(matter)
        if ruling is not None:
            disposition, reason, missing = ruling
            return Decision(disposition, tuple(dict.fromkeys((reason, holder.reason))), severity, missing)
    reason = f"{origin.ip} is believed and was held by {holder.customer} at that moment"
    return Decision(Disposition.NOTIFY_CUSTOMER, (reason, holder.reason), severity)


def _staff(reason: str) -> _Ruling:
    return Disposition.STAFF, reason, ()


def _ask(reason: str, *missing: Missing) -> _Ruling:
    return Disposition.ASK_REPORTER, reason, missing


def _parser_says_staff(matter: _Matter) -> _Ruling | None:
    return _staff(matter.incident.staff_reason) if matter.incident.staff_reason else None


def _fields_contradict(matter: _Matter) -> _Ruling | None:
    reason = contradiction(matter.incident, matter.origin)
    return _staff(reason) if reason else None


def _no_origin(matter: _Matter) -> _Ruling | None:
    """Nothing to go by is a question for the reporter; a chain that is there but undecidable is one for staff."""
    origin = matter.origin
    if origin.ip is not None:
        return None
    if matter.incident.missing:
        return _ask("the report lacks what we need to find the origin", *matter.incident.missing)
    if not origin.hops:
        lacks = Missing.HEADERS if matter.incident.category in ("messaging", "content") else Missing.ADDRESS
        return _ask("the report carries no Received chain and no address", lacks)
    undecidable = (Verdict.BROKEN, Verdict.UNREADABLE, Verdict.CLAIMED)
    if any(judged.verdict in undecidable for judged in origin.hops):
        return _staff("the chain of the reported message cannot be decided")
    return _ask("the chain of the reported message never shows where it came from", Missing.ADDRESS)


def _only_claimed(matter: _Matter) -> _Ruling | None:
    """Without a chain the reporter can still send one; where a claim is all that it gives, a person weighs it."""
    if matter.origin.confidence not in (Confidence.CLAIMED, Confidence.UNKNOWN):
        return None
    if not matter.origin.hops:
        return _ask("the report carries no Received chain, only a field that anybody can write", Missing.HEADERS)
    return _staff("nothing but an unverified line names this address")


def _not_an_internet_address(matter: _Matter) -> _Ruling | None:
    ip, holder = matter.origin.ip, matter.holder
    if holder.kind is HolderKind.SPECIAL and ip is not None and not is_documentation(ip):
        return _ask(f"{ip} is not an address of the public Internet: {holder.reason}", Missing.ADDRESS)
    return None


def _somebody_elses(matter: _Matter) -> _Ruling | None:
    """Documentation prefixes stand for other networks in samples: nobody of ours holds them (DESIGN.md, Trace)."""
    kind = matter.holder.kind
    if kind is HolderKind.GROUP:
        return Disposition.REFER_GROUP, "the address is in a group company's network; we may not relay", ()
    if kind in (HolderKind.ELSEWHERE, HolderKind.SPECIAL):
        return Disposition.REFER_ELSEWHERE, "the address is in somebody else's network", ()
    if kind is HolderKind.UNKNOWN:
        return _staff("who holds the address cannot be told")
    return None


def _no_time(matter: _Matter) -> _Ruling | None:
    if matter.origin.moment is not None:
        return None
    problem = matter.incident.source_time_problem
    if matter.origin.confidence is Confidence.REPORTED and problem:
        lacks = Missing.ZONE if Missing.ZONE in matter.incident.missing else Missing.TIME
        return _ask(f"the stated time cannot be used: {problem}", lacks)
    return _ask("the time cannot be read, so the holder at that moment cannot be told", Missing.TIME)


def _wrong_age(matter: _Matter) -> _Ruling | None:
    moment, circumstances = matter.origin.moment, matter.circumstances
    if moment is None:
        return None
    if moment.at > circumstances.now + circumstances.max_skew:
        return _staff("the stamped time lies in the future")
    if moment.at < circumstances.now - circumstances.max_age:
        return _staff(f"the incident is older than {circumstances.max_age.days} days")
    return None


def _times_contradict(matter: _Matter) -> _Ruling | None:
    reason = time_contradiction(matter.incident, matter.origin, matter.circumstances.max_skew)
    return _staff(reason) if reason else None


def _no_single_holder(matter: _Matter) -> _Ruling | None:
    holder = matter.holder
    if holder.customer is not None:
        return None
    if holder.missing:
        return _ask(holder.reason, *holder.missing)
    return _staff(holder.reason)


def _reporter_not_vouched(matter: _Matter) -> _Ruling | None:
    if matter.origin.confidence is Confidence.REPORTED and not matter.circumstances.reporter_vouched:
        return _staff(
            "it rests on the reporter's word alone, and the reporter is neither authenticated nor a known feed"
        )
    return None


_RULES: tuple[Callable[[_Matter], _Ruling | None], ...] = (
    _parser_says_staff,
    _fields_contradict,
    _no_origin,
    _only_claimed,
    _not_an_internet_address,
    _somebody_elses,
    _no_time,
    _times_contradict,
    _wrong_age,
    _no_single_holder,
    _reporter_not_vouched,
)
