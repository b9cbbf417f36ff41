"""Whose address at that moment: the edges of prefixes, leases and port ranges."""

from __future__ import annotations

import pickle
from datetime import datetime
from ipaddress import ip_address

import pytest

from abuse_pipeline.model import HolderKind, Missing, Moment
from abuse_pipeline.networks import NetworkTable, NetworkTexts, build_table

NETWORKS = """\
# what we know
prefix,holder,note
192.0.2.0/24,ours,Tokyo
192.0.2.192/26,sister,lent
192.0.2.240/28,ours,lent back
203.0.113.0/24,sister,
10.20.0.0/16,ours,management
2001:db8:100::/40,ours,
2001:db8:200::/40,sister,
"""
COMPANIES = "key,name,abuse_contact\nsister,シスターネット株式会社,abuse@sister.example\n"
CUSTOMERS = "customer,name,notice_address,language\n" + "".join(
    f"C-{number},Customer {number},abuse@c{number}.example,ja\n" for number in range(1, 8)
)
ASSIGNMENTS = """\
prefix,customer,since,until,port_first,port_last
192.0.2.0/28,C-1,,,,
192.0.2.7/32,C-2,2026-11-01T00:00:00+09:00,2026-11-20T14:03:12+09:00,,
192.0.2.7/32,C-3,2026-11-20T14:03:12+09:00,2026-11-21T00:00:00+09:00,,
192.0.2.7/32,C-2,2026-11-22T00:00:00+09:00,,,
192.0.2.16/29,C-1,,,,
192.0.2.16/29,C-4,2026-11-20T00:00:00+09:00,2026-11-20T12:00:30+09:00,,
192.0.2.24/32,C-1,,,,
192.0.2.24/32,C-2,,,,
192.0.2.25/32,C-1,2026-11-01T00:00:00+09:00,2026-11-20T14:03:12+09:00,,
192.0.2.25/32,C-1,2026-11-20T14:03:12+09:00,,,
192.0.2.26/32,C-1,2026-11-01T00:00:00+09:00,2026-11-20T14:00:00+09:00,,
192.0.2.26/32,C-2,2026-11-20T13:00:00+09:00,,,
192.0.2.64/32,C-5,,,1024,2047
192.0.2.64/32,C-6,,,2048,4095
192.0.2.64/32,C-5,,,8192,8192
192.0.2.65/32,C-5,2026-11-01T00:00:00+09:00,2026-11-20T14:03:12+09:00,1024,2047
192.0.2.65/32,C-6,2026-11-20T14:03:12+09:00,,1024,2047
192.0.2.66/32,C-7,,,,
192.0.2.66/32,C-5,2026-11-20T00:00:00+09:00,2026-11-21T00:00:00+09:00,1024,2047
192.0.2.27/32,C-1,,,,
192.0.2.27/32,C-1,2026-11-20T14:03:12+09:00,,,
192.0.2.28/32,C-1,2026-11-01T00:00:00+09:00,,,
192.0.2.28/32,C-2,2026-11-20T12:00:00+09:00,2026-11-20T13:00:00+09:00,,
192.0.2.240/29,C-1,,,,
2001:db8:100::/48,C-1,,,,
2001:db8:100:42::/64,C-2,,,,
10.20.0.5,C-4,,,,
"""


@pytest.fixture(scope="module")
def table() -> NetworkTable:
    return build_table(
        NetworkTexts(
            networks=(NETWORKS, "networks.csv"),
            group_companies=(COMPANIES, "group_companies.csv"),
            customers=(CUSTOMERS, "customers.csv"),
            assignments=(ASSIGNMENTS, "assignments.csv"),
        )
    )


def moment(text: str) -> Moment:
    """``14:03`` is a minute, ``14:03:12`` a second, of 20 November 2026 in Japan; a date may stand before."""
    day, _, clock = text.rpartition("T")
    precision = "minute" if clock.count(":") == 1 else "second"
    return Moment(datetime.fromisoformat(f"{day or '2026-11-20'}T{clock}+09:00"), precision)


@pytest.mark.parametrize(
    ("ip", "at", "port", "customer"),
    [
        # the longest prefix decides alone
        ("192.0.2.6", "12:00:00", None, "C-1"),
        ("192.0.2.8", "12:00:00", None, "C-1"),
        ("192.0.2.7", "12:00:00", None, "C-2"),
        ("192.0.2.7", "2026-10-31T23:59:59", None, "unassigned"),
        ("192.0.2.7", "2026-11-21T12:00:00", None, "unassigned"),
        # a lease to the second, and to the minute
        ("192.0.2.7", "2026-11-01T00:00:00", None, "C-2"),
        ("192.0.2.7", "14:03:11", None, "C-2"),
        ("192.0.2.7", "14:03:12", None, "C-3"),
        ("192.0.2.7", "14:02", None, "C-2"),
        ("192.0.2.7", "14:03", None, "ambiguous"),
        ("192.0.2.7", "14:04", None, "C-3"),
        ("192.0.2.7", "23:59", None, "C-3"),
        ("192.0.2.7", "23:59:59", None, "C-3"),
        ("192.0.2.7", "2026-11-21T00:00:00", None, "unassigned"),
        ("192.0.2.7", "2026-11-21T00:00", None, "unassigned"),
        ("192.0.2.7", "2099-01-01T00:00:00", None, "C-2"),
        # two leases of one customer that meet inside the minute: not wholly inside one
        ("192.0.2.25", "14:03", None, "ambiguous"),
        ("192.0.2.25", "14:03:12", None, "C-1"),
        # leases that overlap
        ("192.0.2.26", "12:59:59", None, "C-1"),
        ("192.0.2.26", "13:00:00", None, "ambiguous"),
        ("192.0.2.26", "14:00:00", None, "C-2"),
        # a short lease inside a long one
        ("192.0.2.28", "11:59:59", None, "C-1"),
        ("192.0.2.28", "12:59:59", None, "ambiguous"),
        ("192.0.2.28", "13:00:00", None, "C-1"),
        ("192.0.2.28", "18:00:00", None, "C-1"),
        # a lease beats a static assignment of the same prefix, for as long as it holds
        ("192.0.2.16", "2026-11-19T23:59:59", None, "C-1"),
        ("192.0.2.16", "00:00:00", None, "C-4"),
        ("192.0.2.16", "12:00:29", None, "C-4"),
        ("192.0.2.16", "12:00:30", None, "C-1"),
        ("192.0.2.16", "12:00", None, "ambiguous"),
        ("192.0.2.24", "12:00:00", None, "ambiguous"),
        ("192.0.2.27", "14:03", None, "C-1"),
        # shared by ports
        ("192.0.2.64", "12:00:00", None, "port"),
        ("192.0.2.64", "12:00:00", 1023, "unassigned"),
        ("192.0.2.64", "12:00:00", 1024, "C-5"),
        ("192.0.2.64", "12:00:00", 2047, "C-5"),
        ("192.0.2.64", "12:00:00", 2048, "C-6"),
        ("192.0.2.64", "12:00:00", 4096, "unassigned"),
        ("192.0.2.64", "12:00:00", 8192, "C-5"),
        ("192.0.2.64", "12:00:00", 0, "unassigned"),
        ("192.0.2.65", "14:03:11", 1500, "C-5"),
        ("192.0.2.65", "14:03:12", 1500, "C-6"),
        ("192.0.2.65", "14:03", 1500, "ambiguous"),
        ("192.0.2.65", "14:03:12", None, "port"),
        ("192.0.2.65", "2026-10-01T00:00:00", None, "unassigned"),
        ("192.0.2.66", "12:00:00", None, "port"),
        ("192.0.2.66", "12:00:00", 1500, "C-5"),
        ("192.0.2.66", "12:00:00", 5000, "C-7"),
        ("192.0.2.66", "2026-11-25T12:00:00", None, "C-7"),
        # without a time
        ("192.0.2.6", None, None, "C-1"),
        ("192.0.2.7", None, None, "time"),
        ("192.0.2.16", None, None, "time"),
        ("192.0.2.24", None, None, "ambiguous"),
        ("192.0.2.64", None, None, "port"),
        ("192.0.2.64", None, 1024, "C-5"),
        ("192.0.2.65", None, None, "time port"),
        ("192.0.2.65", None, 1500, "time"),
        ("192.0.2.65", None, 5000, "unassigned"),
        ("192.0.2.66", None, 5000, "C-7"),
        # no row at all; ours again inside the group's; IPv6; ours though private
        ("192.0.2.100", "12:00:00", None, "unassigned"),
        ("192.0.2.241", "12:00:00", None, "C-1"),
        ("192.0.2.250", "12:00:00", None, "unassigned"),
        ("2001:db8:100::1", "12:00:00", None, "C-1"),
        ("2001:db8:100:41:ffff:ffff:ffff:ffff", "12:00:00", None, "C-1"),
        ("2001:db8:100:42::", "12:00:00", None, "C-2"),
        ("2001:db8:100:43::", "12:00:00", None, "C-1"),
        ("2001:db8:101::1", "12:00:00", None, "unassigned"),
        ("10.20.0.5", "12:00:00", None, "C-4"),
        # translated and tunnelled
        ("::ffff:192.0.2.7", "14:03:12", None, "C-3"),
        ("64:ff9b::192.0.2.64", "12:00:00", 1024, "C-5"),
        ("2002:c000:207::1", "14:03:12", None, "C-3"),
    ],
)  # fmt: skip
def test_ours(table: NetworkTable, ip: str, at: str | None, port: int | None, customer: str) -> None:
    holder = table.holder_at(ip_address(ip), None if at is None else moment(at), port)
    assert holder.kind is HolderKind.OURS
    assert holder.network is not None
    assert table.is_managed(ip_address(ip))
    if customer.startswith("C-"):
        assert (holder.customer, holder.missing) == (customer, ())
        assert customer in holder.reason
        return
    assert holder.customer is None
    if customer in ("unassigned", "ambiguous"):
        assert customer in holder.reason
        assert holder.missing == ()
    else:
        assert holder.missing == tuple(Missing(word) for word in customer.split())
        assert "needed" in holder.reason or "without a usable time" in holder.reason


@pytest.mark.parametrize(
    ("ip", "kind", "network", "group"),
    [
        ("192.0.2.191", "ours", "192.0.2.0/24", None),
        ("192.0.2.192", "group", "192.0.2.192/26", "sister"),
        ("192.0.2.239", "group", "192.0.2.192/26", "sister"),
        ("192.0.2.240", "ours", "192.0.2.240/28", None),
        ("192.0.3.0", "elsewhere", None, None),
        ("203.0.113.255", "group", "203.0.113.0/24", "sister"),
        ("2001:db8:200::1", "group", "2001:db8:200::/40", "sister"),
        ("2001:db8:300::1", "special", None, None),
        ("2001:200::1", "elsewhere", None, None),
        ("198.51.100.1", "special", None, None),
        ("10.21.0.1", "special", None, None),
        ("2002:cb00:7105::1", "group", "203.0.113.0/24", "sister"),
        ("2002:a15:1::1", "special", None, None),
        ("2002:c000:301::1", "elsewhere", None, None),
    ],
)
def test_whose_network(table: NetworkTable, ip: str, kind: str, network: str | None, group: str | None) -> None:
    holder = table.holder_at(ip_address(ip), moment("12:00:00"), None)
    shown = None if holder.network is None else str(holder.network)
    assert (holder.kind.value, shown, holder.group) == (kind, network, group)
    assert ip in holder.reason
    assert table.is_managed(ip_address(ip)) is (kind in ("ours", "group"))


def test_a_tunnel_never_asks_for_a_port(table: NetworkTable) -> None:
    """The port in a log is the tunnelled connection's, so that neither it nor a better one says which customer."""
    for port in (None, 1024):
        holder = table.holder_at(ip_address("2002:c000:240::1"), moment("12:00:00"), port)
        assert (holder.customer, holder.missing) == (None, ())
        assert "6to4" in holder.reason


def test_a_lease_that_ends_inside_a_second_is_ambiguous_for_that_second() -> None:
    rows = "192.0.2.7/32,C-1,,2026-11-20T14:03:12.5+09:00,,\n192.0.2.7/32,C-2,2026-11-20T14:03:12.5+09:00,,,\n"
    table = build_table(
        NetworkTexts(
            networks=(NETWORKS, "n"),
            group_companies=(COMPANIES, "g"),
            customers=(CUSTOMERS, "c"),
            assignments=("prefix,customer,since,until,port_first,port_last\n" + rows, "a"),
        )
    )
    found = [table.holder_at(ip_address("192.0.2.7"), moment(f"14:03:{second}")).customer for second in (11, 12, 13)]
    assert found == ["C-1", None, "C-2"]


def test_the_last_representable_minute_is_answered(table: NetworkTable) -> None:
    end = Moment(datetime.fromisoformat("9999-12-31T23:59:59+00:00"), "minute")
    assert table.holder_at(ip_address("192.0.2.7"), end).customer == "C-2"


def test_the_table_travels_to_a_worker_process(table: NetworkTable) -> None:
    copy = pickle.loads(pickle.dumps(table))
    assert copy.holder_at(ip_address("192.0.2.7"), moment("14:03:12")).customer == "C-3"
    assert copy.customers["C-3"].notice_address == "abuse@c3.example"
    assert copy.group_companies["sister"].abuse_contact == "abuse@sister.example"


def test_without_any_list_nothing_is_ours() -> None:
    table = build_table(NetworkTexts())
    assert table.holder_at(ip_address("192.0.3.1")).kind is HolderKind.ELSEWHERE
    assert table.holder_at(ip_address("192.0.2.1")).kind is HolderKind.SPECIAL
