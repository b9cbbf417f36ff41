"""Who held one prefix, over time and ports: the rows of assignments.csv for exactly that prefix, ready to be asked.

A question has a span of time: what is known to the second could be any instant of that second, what is known to the
minute any instant of that minute. The answer is a customer only when it is the same for the whole span.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from abuse_pipeline.model import Missing, Moment
from abuse_pipeline.networks.csv_files import Assignment

_EVER: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_SHARED: Final = "which several customers share: the source port is needed (RFC 6302)"
_SPANS: Final = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1)}


@dataclass(frozen=True, slots=True)
class Answer:
    """customer: who held it, or None with the reason. reason: a sentence for staff that goes on from the prefix."""

    customer: str | None
    reason: str
    missing: tuple[Missing, ...] = ()


class Timeline:
    """All rows of one prefix. Leases are sorted by their beginning; `_reach` lets a search stop early.

    zone: in which reasons show times.
    """

    __slots__ = ("_begins", "_leases", "_reach", "_rows", "_shared", "_static", "_zone")

    def __init__(self, rows: Iterable[Assignment], zone: tzinfo = UTC) -> None:
        self._rows = tuple(rows)
        self._zone = zone
        self._static = tuple(row for row in self._rows if not row.timed)
        self._leases = sorted((row for row in self._rows if row.timed), key=lambda row: row.since or _EVER)
        self._begins = [row.since or _EVER for row in self._leases]
        self._reach = _running_latest(row.until or _NEVER for row in self._leases)
        self._shared = any(row.ports is not None for row in self._rows)

    def held_at(self, moment: Moment | None, port: int | None) -> Answer:
        """Who held the prefix at *moment* (None: the time is not known) on *port* (None: not known)."""
        if moment is None:
            return self._held_always(port)
        begin, end = _span(moment)
        leases: Sequence[Assignment] = self._touching(begin, end)
        if port is None and self._shared and any(row.ports is not None for row in (*leases, *self._static)):
            return Answer(None, _SHARED, (Missing.PORT,))
        leases = _on_port(leases, port)
        static = _on_port(self._static, port)
        whole = [row for row in leases if _contains(row, begin, end)]
        return self._decide(leases, whole, static, moment)

    def _held_always(self, port: int | None) -> Answer:
        """The answer that holds at every time; where the time matters, it says that a time is needed."""
        timed = bool(_on_port(self._leases, port))
        if port is None and self._shared:
            missing = (Missing.TIME, Missing.PORT) if timed else (Missing.PORT,)
            return Answer(None, _SHARED, missing)
        if timed:
            return Answer(None, "which is held by lease: without a usable time nobody can be named", (Missing.TIME,))
        return self._static_answer(_on_port(self._static, port))

    def _touching(self, begin: datetime, end: datetime) -> list[Assignment]:
        """Leases that hold at some instant from *begin* up to, not including, *end*."""
        found = []
        for position in range(bisect_left(self._begins, end) - 1, -1, -1):
            if self._reach[position] <= begin:
                break
            lease = self._leases[position]
            if (lease.until or _NEVER) > begin:
                found.append(lease)
        return found

    def _decide(
        self,
        leases: Sequence[Assignment],
        whole: Sequence[Assignment],
        static: Sequence[Assignment],
        moment: Moment,
    ) -> Answer:
        """leases: those that touch the span. whole: those among them that hold through all of it."""
        if not leases:
            return self._static_answer(static)
        if not whole:
            # In some instants of the span a static assignment counts, if there is one, and in others the lease.
            whole, leases = static, (*leases, *static)
        customers = _customers(leases)
        at = self._show(moment.at)
        if not whole:
            why = f"the {moment.precision} {at} does not fall wholly inside one lease ({_names(customers)})"
            return Answer(None, f"ambiguous: {why}")
        if len(customers) > 1:
            return Answer(None, f"ambiguous: {_names(customers)} all have a claim at {at}")
        return Answer(customers[0], self._because(whole[0]))

    def _static_answer(self, static: Sequence[Assignment]) -> Answer:
        customers = _customers(static)
        if not customers:
            return Answer(None, "unassigned: no row of assignments.csv holds at that time and port")
        if len(customers) > 1:
            return Answer(None, f"ambiguous: {_names(customers)} all have a static assignment")
        return Answer(customers[0], self._because(static[0]))

    def _because(self, row: Assignment) -> str:
        ports = f" on ports {row.ports[0]}-{row.ports[1]}" if row.ports is not None else ""
        if not row.timed:
            return f"statically assigned to {row.customer}{ports}"
        since = f" since {self._show(row.since)}" if row.since is not None else ""
        until = f" until {self._show(row.until)}" if row.until is not None else ""
        return f"held by {row.customer}{ports}{since}{until}"

    def _show(self, time: datetime) -> str:
        """``2026-11-20 14:03:12 JST``. At the ends of the calendar a zone may have no date for it; then in UTC."""
        try:
            return time.astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S %Z")
        except OverflowError:
            return time.strftime("%Y-%m-%d %H:%M:%S %Z")


def _on_port(rows: Sequence[Assignment], port: int | None) -> Sequence[Assignment]:
    """Rows that speak about *port*; without a port, all of them."""
    if port is None:
        return rows
    return [row for row in rows if row.ports is None or row.ports[0] <= port <= row.ports[1]]


def _span(moment: Moment) -> tuple[datetime, datetime]:
    """The instants that *moment* may mean: from the first up to, not including, the second."""
    at = moment.at.astimezone(UTC).replace(microsecond=0)
    begin = at.replace(second=0) if moment.precision == "minute" else at
    try:
        return begin, begin + _SPANS[moment.precision]
    except OverflowError:
        return begin, _NEVER


def _contains(row: Assignment, begin: datetime, end: datetime) -> bool:
    return (row.since or _EVER) <= begin and end <= (row.until or _NEVER)


def _running_latest(times: Iterable[datetime]) -> list[datetime]:
    latest: list[datetime] = []
    for time in times:
        latest.append(max(time, latest[-1]) if latest else time)
    return latest


def _customers(rows: Iterable[Assignment]) -> list[str]:
    return sorted({row.customer for row in rows})


def _names(customers: Sequence[str]) -> str:
    return ", ".join(customers[:5]) + (" and others" if len(customers) > 5 else "")
