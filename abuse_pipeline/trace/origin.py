"""The origin of a mail: the last address in its Received chain whose writer we have reason to believe.

DESIGN.md, "Trace: who do we believe?". Read from the top in two walks: over the recipient's own side down to the
handover, then on below it for as long as a relay of ours or a well-known provider wrote the hop. A forger writes
everything below the handover and nothing above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from abuse_pipeline.model import Confidence, Hop, JudgedHop, Origin, Verdict
from abuse_pipeline.networks.addresses import special_use
from abuse_pipeline.trace.domains import plain_host, registered_domain, stamp_domain
from abuse_pipeline.trace.received import (
    ADDRESS_ALONE,
    LOCAL_USER,
    NO_ADDRESS,
    NO_CLIENT,
    TWO_ADDRESSES,
    UNREADABLE,
    read_hop,
)
from abuse_pipeline.trace.relays import KnownRelay
from abuse_pipeline.trace.side import (
    Household,
    RecipientSide,
    TraceRules,
    address_in_name,
    is_handed_in,
    is_internal_name,
    is_private,
    is_within_one_system,
    was_fetched,
)

_NO_CHAIN: Final = "the message carries no Received field"
_NEVER_LEFT: Final = "the chain never leaves the recipient's side"


@dataclass(frozen=True, slots=True)
class _Stop:
    """Why a walk ends here without an address, and what that makes of the hop."""

    verdict: Verdict
    reason: str


@dataclass(slots=True)
class _Walk:
    """What is known of the chain so far."""

    hops: tuple[Hop, ...]
    rules: TraceRules
    judged: list[JudgedHop] = field(default_factory=list)

    @property
    def next(self) -> Hop | None:
        return self.hops[len(self.judged)] if len(self.judged) < len(self.hops) else None

    @property
    def last(self) -> Hop | None:
        return self.judged[-1].hop if self.judged else None

    def judge(self, verdict: Verdict, reason: str) -> None:
        self.judged.append(JudgedHop(self.hops[len(self.judged)], verdict, reason))

    def unknown(self, reason: str) -> Origin:
        return Origin.unknown(reason, self._with_claims())

    def found(self, at: int, reason: str, confidence: Confidence) -> Origin:
        hop = self.hops[at]
        if hop.stamped_at is None:
            reason += f"; {_why_no_time(hop)}"
        return Origin(
            ip=hop.ip,
            confidence=confidence,
            reason=reason,
            port=hop.port,
            moment=hop.stamped_at,
            witness=hop.by,
            hops=self._with_claims(),
        )

    def _with_claims(self) -> tuple[JudgedHop, ...]:
        """All hops; those that no walk reached are claims of whoever handed the mail over."""
        done = len(self.judged)
        rest = [
            _judge_claim(hop, self.hops[hop.index - 1] if hop.index else None, self.rules) for hop in self.hops[done:]
        ]
        return (*self.judged, *rest)


def find_origin(received: Sequence[str], side: RecipientSide, rules: TraceRules) -> Origin:
    """Establish where the mail came from.

    received: the values of its Received fields, newest first. The answer is `witnessed` (the recipient's side recorded
    the address), `relayed` (a believed relay did), or unknown with the reason. The moment is what the believed hop
    stamped; when that cannot be read the moment is None and the reason says why. Never raises.
    """
    walk = _Walk(tuple(read_hop(index, raw) for index, raw in enumerate(received)), rules)
    if not walk.hops:
        return Origin.unknown(_NO_CHAIN)
    failure = _to_the_handover(walk, Household(side, rules))
    return walk.unknown(failure) if failure is not None else _below_the_handover(walk)


def _to_the_handover(walk: _Walk, household: Household) -> str | None:
    """Pass over the recipient's side; the last judged hop is then the handover. Else the reason why there is none."""
    while (hop := walk.next) is not None:
        stop = _stamp_problem(hop, walk.last, household, walk.rules) or _client_problem(hop, walk.rules)
        if stop is not None:
            walk.judge(stop.verdict, stop.reason)
            return stop.reason
        household.admit(hop)
        passed = _why_passed_over(hop, household, walk.rules)
        if passed is None:
            return _hand_over(walk, hop, household)
        walk.judge(Verdict.RECIPIENT_SIDE, passed)
    return _NEVER_LEFT


def _hand_over(walk: _Walk, hop: Hop, household: Household) -> str | None:
    below = walk.hops[hop.index + 1] if hop.index + 1 < len(walk.hops) else None
    own_relay = hop.ip is not None and walk.rules.is_own_relay(hop.ip)
    if not own_relay and (doubt := household.doubt(hop, below)):
        walk.judge(Verdict.BROKEN, doubt)
        return doubt
    walk.judge(Verdict.HANDOVER, f"{hop.by or 'the receiving host'} recorded {hop.ip} as its client{_skew(walk, hop)}")
    return None


def _stamp_problem(hop: Hop, above: Hop | None, household: Household, rules: TraceRules) -> _Stop | None:
    """Why *hop* cannot be what a host of the recipient stamped."""
    if UNREADABLE in hop.defects:
        return _Stop(Verdict.UNREADABLE, f"hop {hop.index} cannot be read: {'; '.join(hop.defects)}")
    if not household.stamped(hop, above):
        named = f"BY {hop.by}" if hop.by else "no BY"
        return _Stop(Verdict.BROKEN, f"hop {hop.index} has {named}, which does not fit the hop above")
    if above is not None and (backwards := _time_problem(hop, above, rules)):
        return _Stop(Verdict.BROKEN, backwards)
    return None


def _client_problem(hop: Hop, rules: TraceRules) -> _Stop | None:
    """Why nothing can be known about who handed *hop* over."""
    if LOCAL_USER in hop.defects:
        return _Stop(Verdict.RECIPIENT_SIDE, f"hop {hop.index} was {LOCAL_USER}, who may have written all below it")
    if NO_CLIENT in hop.defects or (hop.ip is None and (is_within_one_system(hop) or was_fetched(hop))):
        if hop.authenticated:
            return _Stop(Verdict.RECIPIENT_SIDE, f"{hop.by} took it from a logged-in user and records no address")
        return None
    if hop.ip is None:
        missing = NO_ADDRESS in hop.defects
        verdict = Verdict.RECIPIENT_SIDE if missing else Verdict.UNREADABLE
        return _Stop(verdict, f"hop {hop.index}: {'; '.join(hop.defects)}")
    doubts = [defect for defect in hop.defects if defect in (ADDRESS_ALONE, TWO_ADDRESSES)]
    if doubts:
        return _Stop(Verdict.UNREADABLE, f"hop {hop.index}: {doubts[0]}")
    if rules.is_public(hop.ip):
        return None
    if not is_private(hop.ip):
        return _Stop(Verdict.BROKEN, f"{hop.ip} is {special_use(hop.ip)}: no client can have it")
    if hop.authenticated or is_handed_in(hop, rules.provider_of(stamp_domain(hop.by))):
        return _Stop(Verdict.RECIPIENT_SIDE, f"{hop.by} took it from a logged-in user at {hop.ip}, inside its network")
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


def _below_the_handover(walk: _Walk) -> Origin:
    """Follow believed relays below the handover, which is the last judged hop."""
    at = len(walk.judged) - 1
    confidence, reason = Confidence.WITNESSED, f"{walk.hops[at].by or 'the receiving host'} recorded it at the handover"
    while True:
        hop = walk.hops[at]
        own = hop.ip is not None and walk.rules.is_own_relay(hop.ip)
        provider = None if own else walk.rules.relay_of(hop)
        if not own and (provider is None or "received" not in provider.vouches):
            note = f" (a relay of {provider.name}, which does not show its clients)" if provider is not None else ""
            return walk.found(at, reason + note, confidence)
        stop = _through_relay(walk, hop, provider)
        if stop is None:
            at, confidence = len(walk.judged) - 1, Confidence.RELAYED
            whose = f"a relay of {provider.name}" if provider is not None else "our relay"
            reason = f"{walk.hops[at].by} recorded it, {whose} at {hop.ip} as the hop above shows"
            continue
        if walk.next is not None and stop.verdict is not Verdict.CLAIMED:
            walk.judge(stop.verdict, stop.reason)
        if own:
            return walk.unknown(f"{hop.ip} is our relay, and whose mail it relayed cannot be told: {stop.reason}")
        name = provider.name if provider is not None else ""
        return walk.found(
            at, f"{reason}: a relay of {name}; nothing below it can be believed ({stop.reason})", confidence
        )


def _through_relay(walk: _Walk, entry: Hop, provider: KnownRelay | None) -> _Stop | None:
    """Judge the hops that the relay behind *entry*'s client wrote, down to the one that records a public address."""
    above = entry
    while (hop := walk.next) is not None:
        stop = _relay_stamp_problem(hop, above, entry, provider, walk.rules)
        if stop is None and NO_CLIENT not in hop.defects and hop.ip is None and not is_within_one_system(hop):
            stop = _Stop(Verdict.UNREADABLE, f"hop {hop.index}: {'; '.join(hop.defects)}")
        if stop is not None:
            return stop
        whose = provider.name if provider is not None else "our relay"
        if hop.ip is not None and walk.rules.is_public(hop.ip) and not (provider and provider.is_inside(hop.ip)):
            walk.judge(Verdict.BELIEVED, f"written by {whose}, which recorded {hop.ip}{_skew(walk, hop)}")
            return None
        if not _stays_inside(hop, provider):
            held = f"{hop.ip}, {special_use(hop.ip)}" if hop.ip is not None else "no address"
            verdict = Verdict.BROKEN if hop.ip is not None and not hop.authenticated else Verdict.BELIEVED
            return _Stop(verdict, f"{hop.by} recorded {held}, where its client's public address must stand")
        walk.judge(Verdict.BELIEVED, f"handled within {whose}")
        above = hop
    return _Stop(Verdict.CLAIMED, "no hop of the relay shows its client")


def _stays_inside(hop: Hop, provider: KnownRelay | None) -> bool:
    """Whether a relay's hop without a public address is a step inside the relay, not a client that it hides."""
    if hop.authenticated or LOCAL_USER in hop.defects or is_handed_in(hop, provider):
        return False
    if hop.ip is None:
        return True
    if provider is None:
        return hop.ip.is_loopback
    return is_private(hop.ip) or provider.is_inside(hop.ip)


def _relay_stamp_problem(
    hop: Hop, above: Hop, entry: Hop, provider: KnownRelay | None, rules: TraceRules
) -> _Stop | None:
    """Why *hop* cannot be what the relay behind *entry*'s client wrote."""
    if UNREADABLE in hop.defects:
        return _Stop(Verdict.UNREADABLE, f"hop {hop.index} cannot be read: {'; '.join(hop.defects)}")
    doubts = [defect for defect in hop.defects if defect in (ADDRESS_ALONE, TWO_ADDRESSES)]
    if doubts:
        return _Stop(Verdict.UNREADABLE, f"hop {hop.index}: {doubts[0]}")
    fits = _fits_own(hop, above, entry) if provider is None else _fits_provider(hop, provider)
    if not fits:
        return _Stop(Verdict.BROKEN, f"hop {hop.index} has BY {hop.by}, which does not fit the hop above")
    backwards = _time_problem(hop, above, rules)
    return _Stop(Verdict.BROKEN, backwards) if backwards else None


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


def _judge_claim(hop: Hop, above: Hop | None, rules: TraceRules) -> JudgedHop:
    """A hop below the trust boundary: a claim, or one that contradicts even itself."""
    if UNREADABLE in hop.defects:
        return JudgedHop(hop, Verdict.UNREADABLE, "; ".join(hop.defects))
    if above is not None:
        backwards = _time_problem(hop, above, rules)
        if backwards:
            return JudgedHop(hop, Verdict.BROKEN, backwards)
        if _names_contradict(hop, above):
            return JudgedHop(hop, Verdict.BROKEN, f"BY {hop.by} is not whom the hop above received it from")
    return JudgedHop(hop, Verdict.CLAIMED, "written below the last host that we believe: a claim")


def _names_contradict(hop: Hop, above: Hop) -> bool:
    """BY and the client's names above are all public names of different organisations.

    Honest hosts have several names, so this marks a claim as broken; belief never rests on its absence.
    """
    domain = stamp_domain(hop.by)
    names = {registered_domain(name) for name in (above.helo, above.rdns)} - {None}
    return domain is not None and bool(names) and domain not in names


def _time_problem(hop: Hop, above: Hop, rules: TraceRules) -> str | None:
    """Time runs backwards: the older hop was stamped later than the newer one, by more than clocks may disagree."""
    if hop.stamped_at is None or above.stamped_at is None:
        return None
    ahead = hop.stamped_at.at - above.stamped_at.at
    if ahead <= rules.max_skew:
        return None
    return f"hop {hop.index} is stamped {_span(ahead)} after the hop above it: time runs backwards"


def _skew(walk: _Walk, hop: Hop) -> str:
    """How the clock of *hop* stands against the nearest hop above that has one."""
    above = next((j.hop.stamped_at for j in reversed(walk.judged) if j.hop.stamped_at is not None), None)
    if hop.stamped_at is None or above is None:
        return ""
    gap = above.at - hop.stamped_at.at
    return f", {_span(abs(gap))} {'before' if gap >= timedelta() else 'after'} the hop above"


def _span(gap: timedelta) -> str:
    seconds = int(gap.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _why_no_time(hop: Hop) -> str:
    reason = next((defect for defect in hop.defects if "time" in defect or "date" in defect), "no date")
    return f"when cannot be told ({reason})"
