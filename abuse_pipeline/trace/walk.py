"""The walk down a Received chain: what was judged so far, why it stops, and what becomes of the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from abuse_pipeline.model import Confidence, Hop, JudgedHop, Moment, Origin, Verdict
from abuse_pipeline.trace.domains import registered_domain, stamp_domain
from abuse_pipeline.trace.received import UNREADABLE
from abuse_pipeline.trace.side import TraceRules


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a walk ends here without an address, and what that makes of the hop."""

    verdict: Verdict
    reason: str


@dataclass(slots=True)
class Walk:
    """What is known of the chain so far: its upper hops are judged, the next one is looked at."""

    hops: tuple[Hop, ...]
    rules: TraceRules
    judged: list[JudgedHop] = field(default_factory=list)
    _stamped_above: list[Moment | None] = field(init=False)

    def __post_init__(self) -> None:
        """What the nearest hop above each hop stamped that has a time at all."""
        self._stamped_above = []
        nearest: Moment | None = None
        for hop in self.hops:
            self._stamped_above.append(nearest)
            nearest = hop.stamped_at or nearest

    @property
    def next(self) -> Hop | None:
        return self.hops[len(self.judged)] if len(self.judged) < len(self.hops) else None

    @property
    def last(self) -> Hop | None:
        return self.judged[-1].hop if self.judged else None

    def judge(self, verdict: Verdict, reason: str) -> None:
        """Judge the next hop."""
        self.judged.append(JudgedHop(self.hops[len(self.judged)], verdict, reason))

    def unknown(self, reason: str) -> Origin:
        return Origin.unknown(reason, self.with_claims())

    def found(self, at: int, reason: str, confidence: Confidence) -> Origin:
        """The client that hop *at* recorded, with the moment that it stamped."""
        hop = self.hops[at]
        if hop.stamped_at is None:
            reason += f"; {why_no_time(hop)}"
        return Origin(
            ip=hop.ip,
            confidence=confidence,
            reason=reason,
            port=hop.port,
            moment=hop.stamped_at,
            witness=hop.by,
            hops=self.with_claims(),
        )

    def with_claims(self) -> tuple[JudgedHop, ...]:
        """All hops; those that no walk reached are claims of whoever handed the mail over."""
        done = len(self.judged)
        return (*self.judged, *(self._judge_claim(hop) for hop in self.hops[done:]))

    def _judge_claim(self, hop: Hop) -> JudgedHop:
        """A hop below the trust boundary: a claim, or one that contradicts even itself."""
        if UNREADABLE in hop.defects:
            return JudgedHop(hop, Verdict.UNREADABLE, "; ".join(hop.defects))
        backwards = self.time_problem(hop)
        if backwards:
            return JudgedHop(hop, Verdict.BROKEN, backwards)
        if hop.index and _names_contradict(hop, self.hops[hop.index - 1]):
            return JudgedHop(hop, Verdict.BROKEN, f"BY {hop.by} is not whom the hop above received it from")
        return JudgedHop(hop, Verdict.CLAIMED, "written below the last host that we believe: a claim")

    def time_problem(self, hop: Hop) -> str | None:
        """Time runs backwards: *hop* was stamped later than a newer one, by more than clocks may disagree."""
        above = self._stamped_above[hop.index]
        if hop.stamped_at is None or above is None:
            return None
        ahead = hop.stamped_at.at - above.at
        if ahead <= self.rules.max_skew:
            return None
        return f"hop {hop.index} is stamped {_span(ahead)} after the hop above it: time runs backwards"

    def skew(self, hop: Hop) -> str:
        """How the clock of *hop* stands against the nearest hop above that has one."""
        above = self._stamped_above[hop.index]
        if hop.stamped_at is None or above is None:
            return ""
        gap = above.at - hop.stamped_at.at
        return f", {_span(abs(gap))} {'before' if gap >= timedelta() else 'after'} the hop above"


def _names_contradict(hop: Hop, above: Hop) -> bool:
    """BY and the client's names above are all public names of different organisations.

    Honest hosts have several names, so this marks a claim as broken; belief never rests on its absence.
    """
    domain = stamp_domain(hop.by)
    names = {registered_domain(name) for name in (above.helo, above.rdns)} - {None}
    return domain is not None and bool(names) and domain not in names


def _span(gap: timedelta) -> str:
    seconds = int(gap.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def why_no_time(hop: Hop) -> str:
    reason = next((defect for defect in hop.defects if "time" in defect or "date" in defect), "no date")
    return f"when cannot be told ({reason})"
