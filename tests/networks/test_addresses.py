"""Addresses: what is one, what is inside one, and which no customer can hold."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_pipeline.networks.addresses import is_documentation, parse_address, special_use, unwrap
from abuse_pipeline.networks.ranges import ContainerIndex, PrefixIndex


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("  [192.0.2.7]\t", "192.0.2.7"),
        ("[ 192.0.2.7 ]", "192.0.2.7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("[IPv6:2001:db8::7]", "2001:db8::7"),
        ("ipv6:2001:db8::7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[IPv6:::ffff:c000:207]", "192.0.2.7"),
        ("fe80::1%6", "fe80::1"),
        ("[fe80::1%eth0]", "fe80::1"),
        ("::1%1", "::1"),
    ],
)
def test_one_address(text: str, expected: str) -> None:
    assert parse_address(text) == ip_address(expected)
    assert getattr(parse_address(text), "scope_id", None) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "[192.0.2.7", "192.0.2.7]", "192.0.2", "192.0.2.256", "192.0.2.007", "192.0.2.7/32", "192.0.2.7:25",
        "::ffff:192.0.2.07", "2001:db8::7%6", "192.0.2.7%1", "IPv6:192.0.2.7", "fe80::1%", "１92.0.2.7", "0x7f000001",
        "3221225991", "192.0.2.7 192.0.2.8", "2001:db8::1::2", "[[192.0.2.7]]", "unknown", "[" * 10_000,
        "fe80::1%" + "a" * 200,
    ],
)  # fmt: skip
def test_not_one_address(text: str) -> None:
    assert parse_address(text) is None


@given(st.text(max_size=60) | st.from_regex(r"\[?(IPv6:)?[0-9a-f:.%]{0,40}\]?", fullmatch=True))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_an_address_or_none(text: str) -> None:
    found = parse_address(text)
    assert found is None or parse_address(str(found)) == found


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("64:ff9b::192.0.2.7", "192.0.2.7"),
        ("2002:c000:207::1", "192.0.2.7"),
        ("2001:0:c633:6401:0:fbff:3fff:fdf8", "192.0.2.7"),  # RFC 4380 section 4: the client's address inverted
        ("64:ff9b:1::192.0.2.7", "64:ff9b:1::192.0.2.7"),  # local use: only its network knows the layout
        ("2001:db8::7", "2001:db8::7"),
        ("192.0.2.7", "192.0.2.7"),
    ],
)
def test_the_address_inside(outer: str, inner: str) -> None:
    assert unwrap(ip_address(outer)) == ip_address(inner)


@pytest.mark.parametrize(
    ("first_last", "name"),
    [
        ("10.0.0.0 10.255.255.255", "private (RFC 1918)"),
        ("172.16.0.0 172.31.255.255", "private (RFC 1918)"),
        ("100.64.0.0 100.127.255.255", "shared by carrier-grade NAT (RFC 6598)"),
        ("127.0.0.1 127.255.255.255", "loopback (RFC 1122)"),
        ("192.0.2.0 192.0.2.255", "documentation (RFC 5737)"),
        ("192.0.0.170 192.0.0.171", "NAT64 and DNS64 discovery (RFC 8880)"),
        ("192.0.0.9 192.0.0.9", "port control protocol anycast (RFC 7723)"),
        ("224.0.0.0 239.255.255.255", "multicast (RFC 5771)"),
        ("240.0.0.0 255.255.255.254", "reserved (RFC 1112)"),
        ("255.255.255.255 255.255.255.255", "limited broadcast (RFC 8190)"),
        ("2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation (RFC 3849)"),
        ("3fff:: 3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation (RFC 9637)"),
        ("5f00:: 5f00:ffff::", "segment routing identifiers (RFC 9602)"),
        ("64:ff9b:1:: 64:ff9b:1:ffff::", "local IPv4 translation (RFC 8215)"),
        ("100:0:0:1:: 100:0:0:1:ffff::", "dummy prefix (RFC 9780)"),
        ("fc00:: fdff::", "unique local (RFC 4193)"),
        ("::1 ::1", "loopback (RFC 4291)"),
        ("4000:: 5eff::", "reserved (RFC 4291)"),
    ],
)
def test_special_blocks_to_their_edges(first_last: str, name: str) -> None:
    for text in first_last.split():
        assert special_use(ip_address(text)) == name


@pytest.mark.parametrize(
    "text",
    ["9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.32.0.0", "192.0.3.0", "223.255.255.255",
     "2000::", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2003::", "3fff:1000::", "3ffe:ffff::"],
)  # fmt: skip
def test_ordinary_addresses_beside_the_blocks(text: str) -> None:
    assert special_use(ip_address(text)) is None


def test_documentation() -> None:
    assert all(is_documentation(ip_address(ip)) for ip in ("198.51.100.9", "203.0.113.9", "2001:db8::9", "3fff::9"))
    assert not any(is_documentation(ip_address(ip)) for ip in ("198.51.101.9", "10.0.0.1", "2001:db9::9"))


_PREFIXES = st.lists(
    st.builds(
        lambda number, length: ip_network((number & 0xFF, 24 + length), strict=False),
        st.integers(0, 255),
        st.integers(0, 8),
    )
    | st.builds(
        lambda number, length: ip_network((0x20010DB8 << 96 | number, length), strict=False),
        st.integers(0, 2**96 - 1),
        st.integers(32, 128),
    ),
    max_size=12,
)


@given(_PREFIXES, st.integers(0, 300), st.integers(0, 2**96 - 1))
@settings(max_examples=150, deadline=None)
def test_indexes_agree_with_a_plain_search(prefixes, low, high) -> None:  # type: ignore[no-untyped-def]
    index, containers = PrefixIndex(prefixes), ContainerIndex(prefixes)
    edges = [edge for prefix in prefixes for edge in (prefix.network_address, prefix.broadcast_address)]
    for ip in (ip_address(low), ip_address(0x20010DB8 << 96 | high), *edges):
        covering = [prefix for prefix in prefixes if ip in prefix]
        expected = max(covering, key=lambda prefix: prefix.prefixlen, default=None)
        found, contained = index.find(ip), containers.find(ip_network(ip))
        assert (None if found is None else prefixes[found]) == expected
        assert found == contained
