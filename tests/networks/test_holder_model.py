"""The table against a naive model: every row, every instant and every port, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network

from hypothesis import example, given, settings
from hypothesis import strategies as st

from abuse_pipeline.model import HolderKind, Missing, Moment, Precision
from abuse_pipeline.networks.csv_files import Assignment, ManagedNetwork, NetworkLists
from abuse_pipeline.networks.table import NetworkTable

START = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
BASE = int(IPv4Address("192.0.2.0"))
OURS = ManagedNetwork(ip_network("192.0.2.0/24"), "ours")


def at(seconds: int | None) -> datetime | None:
    return None if seconds is None else START + timedelta(seconds=seconds)


def row(
    offset: int, length: int, customer: int, times: tuple[int | None, int | None], ports: tuple[int, int] | None
) -> Assignment:
    prefix = ip_network((BASE + offset, length), strict=False)
    since, until = times
    if since is not None and until is not None and until <= since:
        until = since + 1
    return Assignment(prefix, f"C-{customer}", at(since), at(until), ports)


# A few addresses, four minutes, twelve ports: small enough for rows to meet, overlap and leave gaps.
OFFSETS = st.integers(0, 7)
EDGES = st.none() | st.sampled_from([0, 30, 59, 60, 61, 90, 120, 121, 180, 240])
PORTS = st.none() | st.tuples(st.integers(0, 11), st.integers(0, 11)).map(lambda pair: (min(pair), max(pair)))
ROWS = st.builds(row, OFFSETS, st.integers(29, 32), st.integers(1, 3), st.tuples(EDGES, EDGES), PORTS)


def model_at_instant(rows: Sequence[Assignment], instant: datetime, port: int | None) -> frozenset[Assignment]:
    """The rows that count at one instant: those that hold, leases before static ones."""
    holding = [
        row
        for row in rows
        if (row.since is None or row.since <= instant)
        and (row.until is None or instant < row.until)
        and (port is None or row.ports is None or row.ports[0] <= port <= row.ports[1])
    ]
    return frozenset([row for row in holding if row.timed] or holding)


def model(rows: Sequence[Assignment], ip: IPv4Address, moment: Moment, port: int | None) -> str:
    """A customer, or: unassigned, ambiguous, port."""
    covering = [row for row in rows if ip in row.prefix]
    longest = max((row.prefix.prefixlen for row in covering), default=0)
    rows = [row for row in covering if row.prefix.prefixlen == longest]
    seconds = 60 if moment.precision == "minute" else 1
    begin = moment.at.replace(second=0) if moment.precision == "minute" else moment.at
    instants = [begin + timedelta(seconds=second) for second in range(seconds)]
    if port is None:
        static = [row for row in rows if not row.timed]
        timed = [row for instant in instants for row in model_at_instant([r for r in rows if r.timed], instant, None)]
        if any(row.ports is not None for row in (*static, *timed)):
            return "port"
    counting = [model_at_instant(rows, instant, port) for instant in instants]
    customers = {row.customer for found in counting for row in found}
    if not customers:
        return "unassigned"
    holds_throughout = [
        row
        for row in set().union(*counting)
        if (row.since is None or row.since <= instants[0]) and (row.until is None or instants[-1] < row.until)
    ]
    return customers.pop() if len(customers) == 1 and holds_throughout and all(counting) else "ambiguous"


@given(
    st.lists(ROWS, max_size=8, unique=True),
    OFFSETS,
    st.integers(-1, 260),
    st.sampled_from(["second", "minute"]),
    st.none() | st.integers(0, 11),
)
@settings(max_examples=400, deadline=None)
@example([row(0, 32, 1, (0, 60), None), row(0, 32, 1, (60, None), None)], 0, 30, "minute", None)
@example([row(0, 32, 1, (None, None), None), row(0, 32, 2, (30, 61), (0, 3))], 0, 10, "minute", 2)
def test_same_answer_as_the_model(
    rows: list[Assignment], offset: int, second: int, precision: Precision, port: int | None
) -> None:
    table = NetworkTable.of(NetworkLists(networks=(OURS,), assignments=tuple(rows)))
    ip, moment = IPv4Address(BASE + offset), Moment(START + timedelta(seconds=second), precision)
    holder = table.holder_at(ip, moment, port)
    assert holder.kind is HolderKind.OURS
    assert holder.reason
    expected = model(rows, ip, moment, port)
    if expected.startswith("C-"):
        assert holder.customer == expected, holder.reason
    else:
        assert holder.customer is None, holder.reason
        assert (Missing.PORT in holder.missing) is (expected == "port")
        assert expected in holder.reason


@given(st.lists(ROWS, max_size=6, unique=True), OFFSETS, st.none() | st.integers(0, 11))
@settings(max_examples=200, deadline=None)
def test_without_a_time_only_what_is_true_at_every_time(rows: list[Assignment], offset: int, port: int | None) -> None:
    table = NetworkTable.of(NetworkLists(networks=(OURS,), assignments=tuple(rows)))
    ip = IPv4Address(BASE + offset)
    holder = table.holder_at(ip, None, port)
    if holder.customer is not None:
        times = [Moment(START + timedelta(seconds=second)) for second in range(-5, 300, 5)]
        assert {table.holder_at(ip, moment, port).customer for moment in times} == {holder.customer}
