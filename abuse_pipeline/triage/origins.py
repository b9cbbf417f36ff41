"""From what a parser found to one origin: the chain of the reported message first, the report's own fields second."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from abuse_pipeline.model import Confidence, Incident, Origin, Signature, Verdict
from abuse_pipeline.trace import Beside, RecipientSide, TraceRules, beside, find_origin

_UTC = "%Y-%m-%d %H:%M UTC"


def establish_origin(
    incident: Incident, side: RecipientSide, rules: TraceRules, signatures: tuple[Signature, ...] = ()
) -> Origin:
    """The origin of *incident*: part 3 before part 2 (RFC 5965 section 2g).

    signatures: those of well-known relays that verify over the reported message. A report without a chain rests on the
    reporter's own records (`reported`). A chain that is there but cannot be decided is not overruled by a field
    that the reporter merely wrote.
    """
    message = incident.message
    received = message.raw_headers("Received") if message else ()
    evidence = beside(message.all_headers(), signatures) if message else Beside()
    if received:
        return _with_reported_port(find_origin(received, side, rules, evidence), incident)
    if incident.source_ip is not None:
        return Origin(
            ip=incident.source_ip,
            confidence=Confidence.REPORTED,
            reason="the report states this address and carries no Received chain to check it against",
            port=incident.source_port,
            moment=incident.source_time,
        )
    if message is not None:
        return find_origin((), side, rules, evidence)
    return Origin.unknown("the report carries neither a message with its headers nor an address")


def _with_reported_port(origin: Origin, incident: Incident) -> Origin:
    """Add the report's Source-Port where the chain has none and both speak of the same address (RFC 6692 section 3)."""
    if origin.port is None and incident.source_port is not None and origin.ip == incident.source_ip:
        return replace(origin, port=incident.source_port)
    return origin


def contradiction(incident: Incident, origin: Origin) -> str | None:
    """Why the report's own Source-IP does not fit the chain it carries, or None when it fits.

    The field may name any hop that we believe: a feedback provider records its own peer, which may be a relay of ours.
    """
    if incident.source_ip is None or origin.ip is None or incident.source_ip == origin.ip:
        return None
    believed = {j.hop.ip for j in origin.hops if j.verdict in (Verdict.HANDOVER, Verdict.BELIEVED)}
    if incident.source_ip in believed:
        return None
    return f"the report names {incident.source_ip} as the source, its own message shows {origin.ip}"


def time_contradiction(incident: Incident, origin: Origin, max_skew: timedelta) -> str | None:
    """Why the report's own Arrival-Date does not fit the chain it carries, or None when it fits.

    It may be the stamp of any hop that we believe: the mail can have waited for hours between two of them. max_skew:
    how far two honest clocks may disagree.
    """
    if incident.source_time is None or origin.moment is None:
        return None
    believed = (Verdict.RECIPIENT_SIDE, Verdict.HANDOVER, Verdict.BELIEVED)
    stamps = [j.hop.stamped_at.at for j in origin.hops if j.verdict in believed and j.hop.stamped_at is not None]
    stated = incident.source_time.at
    if any(abs(stated - stamp) <= max_skew for stamp in (origin.moment.at, *stamps)):
        return None
    return f"the report says that the mail arrived at {stated:{_UTC}}, its own message shows {origin.moment.at:{_UTC}}"
