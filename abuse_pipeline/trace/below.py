"""Below the handover: relays of ours and of well-known providers, followed for as long as they wrote the hop.

What may be believed there besides Received fields: the field in which webmail states its user's address, where the
provider vouches for it. A signature of the relay makes nobody believed; it only strengthens what is.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from abuse_pipeline.model import Confidence, Hop, Origin, Verdict
from abuse_pipeline.networks.addresses import special_use
from abuse_pipeline.trace.beside import Beside, ClientField
from abuse_pipeline.trace.domains import plain_host, registered_domain, stamp_domain
from abuse_pipeline.trace.received import ADDRESS_ALONE, LOCAL_USER, NO_CLIENT, TWO_ADDRESSES, UNREADABLE
from abuse_pipeline.trace.relays import KnownRelay
from abuse_pipeline.trace.side import (
    TraceRules,
    address_in_name,
    is_handed_in,
    is_internal_name,
    is_private,
    is_within_one_system,
    was_fetched,
)
from abuse_pipeline.trace.walk import Stop, Walk

_PLAIN_SMTP: Final = re.compile(r"(?:UTF8)?E?SMTPS?\b|local\b", re.IGNORECASE)
"""Without a login. By other protocols (POP3, IMAP, HTTP, an API) a provider takes what its user made or fetched."""


def follow_relays(walk: Walk, evidence: Beside) -> Origin:
    """The origin, from the handover (the last judged hop) on down."""
    at = len(walk.judged) - 1
    writer: KnownRelay | None = None
    confidence, reason = Confidence.WITNESSED, f"{walk.hops[at].by or 'the receiving host'} recorded it at the handover"
    while True:
        hop = walk.hops[at]
        own = hop.ip is not None and walk.rules.is_own_relay(hop.ip)
        provider = None if own else walk.rules.relay_of(hop)
        if not own and provider is None:
            return _strengthened(walk.found(at, reason, confidence), writer, evidence)
        stop = _through_relay(walk, hop, provider) if own or (provider and provider.shows_clients) else None
        if stop is None and len(walk.judged) - 1 > at:
            at, confidence, writer = len(walk.judged) - 1, Confidence.RELAYED, provider
            whose = f"a relay of {provider.name}" if provider is not None else "our relay"
            reason = f"{walk.hops[at].by} recorded it, {whose} at {hop.ip} as the hop above shows"
            continue
        if provider is None:
            return _behind_our_relay(walk, hop, stop)
        stated = _stated_client(provider, hop, evidence, walk.rules)
        _judge_where_it_stops(walk, stop)
        if stated is not None:
            return _strengthened(_from_field(walk, at, provider, stated), provider, evidence)
        return _strengthened(walk.found(at, _at_the_relay(reason, provider, stop), confidence), writer, evidence)


def _judge_where_it_stops(walk: Walk, stop: Stop | None) -> None:
    """A hop that is no more than a claim is judged with the rest of them."""
    if stop is not None and walk.next is not None and stop.verdict is not Verdict.CLAIMED:
        walk.judge(stop.verdict, stop.reason)


def _behind_our_relay(walk: Walk, hop: Hop, stop: Stop | None) -> Origin:
    _judge_where_it_stops(walk, stop)
    why = stop.reason if stop is not None else "no hop of the relay shows its client"
    return walk.unknown(f"{hop.ip} is our relay, and whose mail it relayed cannot be told: {why}")


def _at_the_relay(reason: str, provider: KnownRelay, stop: Stop | None) -> str:
    if stop is None:
        return f"{reason} (a relay of {provider.name}, which does not show its clients)"
    return f"{reason}: a relay of {provider.name}; nothing below it can be believed ({stop.reason})"


def _stated_client(provider: KnownRelay, entry: Hop, evidence: Beside, rules: TraceRules) -> ClientField | None:
    """The one field of *provider* that states its user's public address.

    It must stand below the hop that recorded the provider's relay: above it, somebody else wrote it. Two of them, or
    one that names no public address, state nothing.
    """
    stated = [field for field in evidence.client_fields if field.name in provider.vouches]
    if len(stated) != 1 or stated[0].above <= entry.index:
        return None
    ip = stated[0].ip
    return stated[0] if ip is not None and rules.is_public(ip) and not provider.is_inside(ip) else None


def _from_field(walk: Walk, at: int, provider: KnownRelay, stated: ClientField) -> Origin:
    """The address that the field states, at the moment that the oldest believed hop stamped."""
    believed = [j.hop.index for j in walk.judged[at:] if j.verdict in (Verdict.HANDOVER, Verdict.BELIEVED)]
    stamped = next((index for index in reversed(believed) if walk.hops[index].stamped_at is not None), at)
    reason = f"{stated.name} states it, for which {provider.name} vouches; its relay is the client in hop {at}"
    origin = walk.found(stamped, reason, Confidence.RELAYED)
    return replace(origin, ip=stated.ip, port=None)


def _strengthened(origin: Origin, writer: KnownRelay | None, evidence: Beside) -> Origin:
    """What *writer* recorded, with its signature named where one verifies over the message.

    The signature proves that the message passed through that provider as we have it, apart from the hop above that
    recorded the provider's address. So `relayed` becomes `witnessed`; no other address is ever believed for it, since a
    signed message can be sent again by anybody.
    """
    if writer is None or origin.confidence is not Confidence.RELAYED:
        return origin
    signed = [signature for signature in evidence.signatures if registered_domain(signature.domain) in writer.signs]
    named = {signature.remote_ip for signature in signed} - {None}
    if named and origin.ip not in named:
        return replace(origin, reason=f"{origin.reason}; its signed record names another client")
    if not signed:
        return origin
    which = " and ".join(f"the {s.kind.upper()} signature of {s.domain}" for s in signed[:2])
    same = ", which names the same client" if named else ""
    reason = f"{origin.reason}; {which} verifies over the message{same}"
    return replace(origin, confidence=Confidence.WITNESSED, reason=reason)


def _through_relay(walk: Walk, entry: Hop, provider: KnownRelay | None) -> Stop | None:
    """Judge the hops that the relay behind *entry*'s client wrote, down to the one that records a public address."""
    above = entry
    while (hop := walk.next) is not None:
        stop = _relay_stamp_problem(walk, hop, above, entry, provider)
        if stop is None and NO_CLIENT not in hop.defects and hop.ip is None and not is_within_one_system(hop):
            stop = Stop(Verdict.UNREADABLE, f"hop {hop.index}: {'; '.join(hop.defects)}")
        if stop is not None:
            return stop
        whose = provider.name if provider is not None else "our relay"
        if was_fetched(hop):
            return Stop(Verdict.CLAIMED, f"{hop.by} fetched it from a mailbox, whose lines anybody may have written")
        if hop.ip is not None and walk.rules.is_public(hop.ip) and not (provider and provider.is_inside(hop.ip)):
            walk.judge(Verdict.BELIEVED, f"written by {whose}, which recorded {hop.ip}{walk.skew(hop)}")
            return None
        if not _stays_inside(hop, provider):
            held = f"{hop.ip}, {special_use(hop.ip)}" if hop.ip is not None else "no address"
            verdict = Verdict.BROKEN if hop.ip is not None and not hop.authenticated else Verdict.BELIEVED
            return Stop(verdict, f"{hop.by} recorded {held}, where its client's public address must stand")
        walk.judge(Verdict.BELIEVED, f"handled within {whose}")
        above = hop
    return Stop(Verdict.CLAIMED, "no hop of the relay shows its client")


def _stays_inside(hop: Hop, provider: KnownRelay | None) -> bool:
    """Whether a relay's hop without a public address is a step inside the relay, not a client that it hides."""
    if hop.authenticated or LOCAL_USER in hop.defects or is_handed_in(hop, provider) or was_fetched(hop):
        return False
    if NO_CLIENT in hop.defects and hop.protocol is not None and not _PLAIN_SMTP.match(hop.protocol):
        return is_within_one_system(hop)
    if hop.ip is None:
        return True
    if provider is None:
        return hop.ip.is_loopback
    return is_private(hop.ip) or provider.is_inside(hop.ip)


def _relay_stamp_problem(walk: Walk, hop: Hop, above: Hop, entry: Hop, provider: KnownRelay | None) -> Stop | None:
    """Why *hop* cannot be what the relay behind *entry*'s client wrote."""
    if UNREADABLE in hop.defects:
        return Stop(Verdict.UNREADABLE, f"hop {hop.index} cannot be read: {'; '.join(hop.defects)}")
    doubts = [defect for defect in hop.defects if defect in (ADDRESS_ALONE, TWO_ADDRESSES)]
    if doubts:
        return Stop(Verdict.UNREADABLE, f"hop {hop.index}: {doubts[0]}")
    fits = _fits_own(hop, above, entry) if provider is None else _fits_provider(hop, provider)
    if not fits:
        return Stop(Verdict.BROKEN, f"hop {hop.index} has BY {hop.by}, which does not fit the hop above")
    backwards = walk.time_problem(hop)
    return Stop(Verdict.BROKEN, backwards) if backwards else None


def _fits_own(hop: Hop, above: Hop, entry: Hop) -> bool:
    """Whether BY is a name that our relay gave to the host above, which recorded our relay's address, or its inside."""
    if hop.by is None:
        return NO_CLIENT in hop.defects and hop.protocol == "local"
    host, domain = plain_host(hop.by), stamp_domain(hop.by)
    names = [name for name in (entry.helo, entry.rdns) if name]
    if any(host == plain_host(name) or (domain and domain == registered_domain(name)) for name in names):
        return True
    return above is not entry and is_internal_name(hop.by)


def _fits_provider(hop: Hop, provider: KnownRelay) -> bool:
    if stamp_domain(hop.by) in provider.stamps:
        return True
    ip = address_in_name(hop.by)
    return ip is not None and is_private(ip) and NO_CLIENT in hop.defects
