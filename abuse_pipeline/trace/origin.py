"""The origin of a mail: the last address in its Received chain whose writer we have reason to believe.

DESIGN.md, "Trace: who do we believe?". Read from the top in two walks: over the recipient's own side down to the
handover, then on below it for as long as a relay of ours or a well-known provider wrote the hop. A forger writes
everything below the handover and nothing above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from abuse_pipeline.model import Confidence, Hop, Origin, Verdict
from abuse_pipeline.networks.addresses import special_use
from abuse_pipeline.trace.below import follow_relays
from abuse_pipeline.trace.beside import NOTHING_BESIDE, Beside
from abuse_pipeline.trace.domains import plain_host, stamp_domain
from abuse_pipeline.trace.received import (
    ADDRESS_ALONE,
    LOCAL_USER,
    NO_ADDRESS,
    NO_CLIENT,
    TWO_ADDRESSES,
    UNREADABLE,
    read_hop,
)
from abuse_pipeline.trace.side import (
    Household,
    RecipientSide,
    TraceRules,
    is_handed_in,
    is_private,
    is_within_one_system,
    was_fetched,
)
from abuse_pipeline.trace.walk import Stop, Walk

_NO_CHAIN: Final = "the message carries no Received field"
_NEVER_LEFT: Final = "the chain never leaves the recipient's side"


def find_origin(
    received: Sequence[str], side: RecipientSide, rules: TraceRules, evidence: Beside = NOTHING_BESIDE
) -> Origin:
    """Establish where the mail came from.

    received: the values of its Received fields, newest first. evidence: what stands beside them. The answer is
    `witnessed` (the recipient's side recorded the address, or a relay did whose signature verifies), `relayed` (a
    believed relay did), `claimed` (only a line that nobody vouches for names it; never held against a customer), or
    unknown with the reason. The moment is what the believed hop stamped; when that cannot be read the moment is None
    and the reason says why. Never raises.
    """
    walk = Walk(tuple(read_hop(index, raw) for index, raw in enumerate(received)), rules)
    if not walk.hops:
        return _without_chain(evidence, rules)
    ended = _to_the_handover(walk, Household(side, rules, evidence))
    return _with_claims_beside(ended if ended is not None else follow_relays(walk, evidence), evidence)


def _without_chain(evidence: Beside, rules: TraceRules) -> Origin:
    stated = [field for field in evidence.client_fields if field.ip is not None and rules.is_public(field.ip)]
    if len(stated) != 1:
        return Origin.unknown(_NO_CHAIN)
    return Origin(
        ip=stated[0].ip,
        confidence=Confidence.CLAIMED,
        reason=f"{_NO_CHAIN}; only its {stated[0].name} names this address, and nobody vouches for that",
    )


def _with_claims_beside(origin: Origin, evidence: Beside) -> Origin:
    """*origin*, with what X-Originating-IP and its like claim beside it."""
    claims = {
        f"{field.name} claims {field.ip}" for field in evidence.client_fields if field.ip not in (None, origin.ip)
    }
    if not claims:
        return origin
    return replace(origin, reason=f"{origin.reason}; {', '.join(sorted(claims)[:3])}, which counts for nothing here")


def _to_the_handover(walk: Walk, household: Household) -> Origin | None:
    """Pass over the recipient's side. None when the last judged hop is the handover, else what the chain gives."""
    while (hop := walk.next) is not None:
        stop = _stamp_problem(walk, hop, household) or _client_problem(hop, walk.rules)
        if stop is not None:
            walk.judge(stop.verdict, stop.reason)
            return walk.unknown(stop.reason)
        household.admit(hop)
        passed = _why_passed_over(hop, household, walk.rules)
        if passed is None:
            learned = household.learned_client(hop)
            return _behind_learned(walk, hop, learned) if learned is not None else _hand_over(walk, hop, household)
        walk.judge(Verdict.RECIPIENT_SIDE, passed)
    return walk.unknown(_NEVER_LEFT)


def _hand_over(walk: Walk, hop: Hop, household: Household) -> Origin | None:
    below = walk.hops[hop.index + 1] if hop.index + 1 < len(walk.hops) else None
    own_relay = hop.ip is not None and walk.rules.is_own_relay(hop.ip)
    if not own_relay and (doubt := household.doubt(hop, below)):
        walk.judge(Verdict.BROKEN, doubt)
        return walk.unknown(doubt)
    walk.judge(Verdict.HANDOVER, f"{hop.by or 'the receiving host'} recorded {hop.ip} as its client{walk.skew(hop)}")
    return None


def _behind_learned(walk: Walk, hop: Hop, learned: str) -> Origin:
    """What stands below a host that earlier reports taught us to pass over: a claim, for learning believes nobody."""
    walk.judge(Verdict.RECIPIENT_SIDE, learned)
    below = walk.next
    names = {plain_host(name) for name in (hop.rdns, hop.helo)} - {None}
    if below is None or below.ip is None or plain_host(below.by) not in names or not walk.rules.is_public(below.ip):
        return walk.unknown(f"{learned}, and nothing below shows whom it took the mail from")
    at = len(walk.judged)
    return walk.found(
        at, f"only {below.by} names it, which may be believed once trace.relays lists it", Confidence.CLAIMED
    )


def _stamp_problem(walk: Walk, hop: Hop, household: Household) -> Stop | None:
    """Why *hop* cannot be what a host of the recipient stamped."""
    if UNREADABLE in hop.defects:
        return Stop(Verdict.UNREADABLE, f"hop {hop.index} cannot be read: {'; '.join(hop.defects)}")
    if not household.stamped(hop, walk.last):
        named, above = f"BY {hop.by}" if hop.by else "no BY", walk.last
        if above is not None and above.ip is not None and is_private(above.ip) and stamp_domain(hop.by) is not None:
            doubt = f"nothing shows that {above.ip} above it is that host and no NAT or proxy"
            return Stop(Verdict.BROKEN, f"hop {hop.index} has {named}, which does not fit the hop above: {doubt}")
        return Stop(Verdict.BROKEN, f"hop {hop.index} has {named}, which does not fit the hop above")
    backwards = walk.time_problem(hop)
    return Stop(Verdict.BROKEN, backwards) if backwards else None


def _client_problem(hop: Hop, rules: TraceRules) -> Stop | None:
    """Why nothing can be known about who handed *hop* over."""
    if LOCAL_USER in hop.defects:
        return Stop(Verdict.RECIPIENT_SIDE, f"hop {hop.index} was {LOCAL_USER}, who may have written all below it")
    if NO_CLIENT in hop.defects or (hop.ip is None and (is_within_one_system(hop) or was_fetched(hop))):
        if hop.authenticated:
            return Stop(Verdict.RECIPIENT_SIDE, f"{hop.by} took it from a logged-in user and records no address")
        return None
    if hop.ip is None:
        missing = NO_ADDRESS in hop.defects
        verdict = Verdict.RECIPIENT_SIDE if missing else Verdict.UNREADABLE
        return Stop(verdict, f"hop {hop.index}: {'; '.join(hop.defects)}")
    doubts = [defect for defect in hop.defects if defect in (ADDRESS_ALONE, TWO_ADDRESSES)]
    if doubts:
        return Stop(Verdict.UNREADABLE, f"hop {hop.index}: {doubts[0]}")
    provider = rules.provider_of(stamp_domain(hop.by))
    inside = not rules.is_public(hop.ip) or (provider is not None and provider.is_inside(hop.ip))
    if not inside and not is_handed_in(hop, provider):
        return None
    if not rules.is_public(hop.ip) and not is_private(hop.ip):
        return Stop(Verdict.BROKEN, f"{hop.ip} is {special_use(hop.ip)}: no client can have it")
    if hop.authenticated or is_handed_in(hop, provider):
        return Stop(Verdict.RECIPIENT_SIDE, f"{hop.by} took it from a logged-in user at {hop.ip}, inside its network")
    return None


def _why_passed_over(hop: Hop, household: Household, rules: TraceRules) -> str | None:
    """Why the client of *hop* is the recipient's own; None when it is the other side."""
    if NO_CLIENT in hop.defects:
        return "handled within the recipient's host"
    if was_fetched(hop):
        return f"fetched from the recipient's mailbox at {hop.helo or hop.ip}"
    if hop.ip is None:
        return f"handed over within the recipient's system ({hop.protocol})"
    if not rules.is_public(hop.ip):
        return f"client {hop.ip} is {special_use(hop.ip)}: the recipient's own network"
    if rules.is_own_relay(hop.ip):
        return None
    return household.knows_client(hop)
