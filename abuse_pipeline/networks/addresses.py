"""Addresses as reports write them, and the blocks that no customer can hold.

The special-use table is our own: Python's `is_global` and `is_private` differ between releases and miss the later
registrations (in 3.11 they call 5f00::1 and 3fff::1 global). Sources: RFC 6890 and 8190 with the IANA special-purpose
address registries, each block with the document that reserves it.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from typing import Final

from abuse_pipeline.model import IPAddress
from abuse_pipeline.networks.ranges import PrefixIndex

_ENDPOINT: Final = re.compile(r"(\[[^\]]{1,80}\]|[^:]{1,80}):([0-9]{1,5})", re.ASCII)
_LONGEST_TEXT: Final = 80
"""An IPv6 address has at most 45 characters; the rest is for brackets, the tag and a zone identifier."""

_SPECIAL_USE: Final = {
    "0.0.0.0/8": "this network (RFC 791)",
    "10.0.0.0/8": "private (RFC 1918)",
    "100.64.0.0/10": "shared by carrier-grade NAT (RFC 6598)",
    "127.0.0.0/8": "loopback (RFC 1122)",
    "169.254.0.0/16": "link-local (RFC 3927)",
    "172.16.0.0/12": "private (RFC 1918)",
    "192.0.0.0/24": "IETF protocol assignments (RFC 6890)",
    "192.0.0.0/29": "IPv4 service continuity, DS-Lite (RFC 7335)",
    "192.0.0.8/32": "IPv4 dummy address (RFC 7600)",
    "192.0.0.9/32": "port control protocol anycast (RFC 7723)",
    "192.0.0.10/32": "TURN anycast (RFC 8155)",
    "192.0.0.170/31": "NAT64 and DNS64 discovery (RFC 8880)",
    "192.0.2.0/24": "documentation (RFC 5737)",
    "192.31.196.0/24": "AS112 (RFC 7535)",
    "192.52.193.0/24": "automatic multicast tunnelling (RFC 7450)",
    "192.88.99.0/24": "6to4 relay anycast, deprecated (RFC 7526)",
    "192.168.0.0/16": "private (RFC 1918)",
    "192.175.48.0/24": "AS112 (RFC 7534)",
    "198.18.0.0/15": "benchmarking (RFC 2544)",
    "198.51.100.0/24": "documentation (RFC 5737)",
    "203.0.113.0/24": "documentation (RFC 5737)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved (RFC 1112)",
    "255.255.255.255/32": "limited broadcast (RFC 8190)",
    # Only 2000::/3 is handed out as global unicast (RFC 4291 section 4); the other seven eighths are reserved.
    "::/3": "reserved (RFC 4291)",
    "4000::/2": "reserved (RFC 4291)",
    "8000::/1": "reserved (RFC 4291)",
    "::/96": "IPv4-compatible, deprecated (RFC 4291)",
    "::/128": "unspecified (RFC 4291)",
    "::1/128": "loopback (RFC 4291)",
    "::ffff:0:0/96": "IPv4-mapped (RFC 4291)",
    "64:ff9b::/96": "IPv4 translation, NAT64 (RFC 6052)",
    "64:ff9b:1::/48": "local IPv4 translation (RFC 8215)",
    "100::/64": "discard-only (RFC 6666)",
    "100:0:0:1::/64": "dummy prefix (RFC 9780)",
    "2001::/23": "IETF protocol assignments (RFC 2928)",
    "2001::/32": "Teredo (RFC 4380)",
    "2001:1::1/128": "port control protocol anycast (RFC 7723)",
    "2001:1::2/128": "TURN anycast (RFC 8155)",
    "2001:2::/48": "benchmarking (RFC 5180)",
    "2001:3::/32": "automatic multicast tunnelling (RFC 7450)",
    "2001:4:112::/48": "AS112 (RFC 7535)",
    "2001:10::/28": "ORCHID, deprecated (RFC 4843)",
    "2001:20::/28": "ORCHIDv2 (RFC 7343)",
    "2001:30::/28": "drone remote identification (RFC 9374)",
    "2001:db8::/32": "documentation (RFC 3849)",
    "2002::/16": "6to4 (RFC 3056)",
    "2620:4f:8000::/48": "AS112 (RFC 7534)",
    "3fff::/20": "documentation (RFC 9637)",
    "5f00::/16": "segment routing identifiers (RFC 9602)",
    "fc00::/7": "unique local (RFC 4193)",
    "fe80::/10": "link-local (RFC 4291)",
    "fec0::/10": "site-local, deprecated (RFC 3879)",
    "ff00::/8": "multicast (RFC 4291)",
}
_NAMES: Final = tuple(_SPECIAL_USE.values())
_INDEX: Final = PrefixIndex(ip_network(prefix) for prefix in _SPECIAL_USE)

_TEREDO: Final = 0x20010000
_6TO4: Final = 0x2002
_NAT64: Final = 0x64FF9B << 64
_V4_BITS: Final = 0xFFFFFFFF


def parse_address(text: str) -> IPAddress | None:
    """The address that *text* is, or None when it is not exactly one address.

    Takes IPv4 and IPv6, surrounding white space, brackets, and the ``IPv6:`` tag of RFC 5321 section 4.1.3. An
    IPv4-mapped address (RFC 4291 section 2.5.5.2) gives the IPv4 address that it is another spelling of. Octets with
    leading zeros are refused: readers disagree whether ``010`` is eight or ten (RFC 6943 section 3.1.1).

    A zone identifier (``fe80::1%6``) is taken off addresses whose scope has zones (RFC 4007 section 4: link-local,
    site-local, loopback, multicast). On a global address it says that the text is no plain address: None.

    >>> parse_address("[IPv6:2001:db8::7]")
    IPv6Address('2001:db8::7')
    >>> parse_address("::ffff:192.0.2.7")
    IPv4Address('192.0.2.7')
    >>> parse_address("192.0.2.007") is None
    True
    """
    text = text.strip()
    if len(text) > _LONGEST_TEXT or not text.isascii():
        return None
    if text.startswith("["):
        if not text.endswith("]"):
            return None
        text = text[1:-1].strip()
    if text[:5].lower() == "ipv6:":
        return _parse_v6(text[5:])
    return _parse_v6(text) if ":" in text else _parse_v4(text)


def parse_endpoint(text: str, default_port: int) -> tuple[IPAddress, int] | None:
    """The address and port that *text* names, or None: ``192.0.2.53``, ``192.0.2.53:5353``, ``2001:db8::53`` or
    ``[2001:db8::53]:5353``.
    """
    found = _ENDPOINT.fullmatch(text.strip())
    host, port = (found[1], int(found[2])) if found else (text, default_port)
    address = parse_address(host)
    return (address, port) if address is not None and 0 < port <= 65535 else None


def unwrap(ip: IPAddress) -> IPAddress:
    """The IPv4 address that is inside *ip*, or *ip* itself when there is none.

    - ``::ffff:a.b.c.d`` (RFC 4291 section 2.5.5.2): a dual-stack socket's spelling of that IPv4 peer. Always the same
      host; `parse_address` has done it already.
    - ``64:ff9b::a.b.c.d`` (RFC 6052): a translator stands between the writer of the log and that IPv4 host.
    - ``2002:aabb:ccdd::/48`` (RFC 3056, 6to4): the IPv4 address is the router of the site; whoever held it then
      answers for everything behind it.
    - ``2001:0::/32`` (RFC 4380 section 4, Teredo): the IPv4 address is the outside of the client's NAT, inverted;
      the source port of that NAT is in the address too, and the port of the inner connection says nothing about it.

    The last three are the answer to "who is responsible", not another spelling: show the address as reported beside it.

    >>> unwrap(IPv6Address("2002:c000:207::1"))
    IPv4Address('192.0.2.7')
    """
    if isinstance(ip, IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    number = int(ip)
    if number >> 32 == _NAT64:
        return IPv4Address(number & _V4_BITS)
    if number >> 112 == _6TO4:
        return IPv4Address(number >> 80 & _V4_BITS)
    if number >> 96 == _TEREDO:
        return IPv4Address(~number & _V4_BITS)
    return ip


def special_use(ip: IPAddress) -> str | None:
    """Name of the special-use block that *ip* is in, like ``private (RFC 1918)``; None for ordinary public addresses.

    Documentation prefixes have a name too; see `is_documentation` for the tracer's exception.
    """
    position = _INDEX.find(ip)
    return None if position is None else _NAMES[position]


def is_documentation(ip: IPAddress) -> bool:
    """Whether *ip* is reserved for documentation (RFC 5737, 3849, 9637): what samples are written with."""
    name = special_use(ip)
    return name is not None and name.startswith("documentation")


def _parse_v4(text: str) -> IPAddress | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None


def _parse_v6(text: str) -> IPAddress | None:
    try:
        ip = IPv6Address(text)
    except AddressValueError:
        return None
    if ip.scope_id is not None:
        ip = IPv6Address(int(ip))
        if not (ip.is_link_local or ip.is_site_local or ip.is_loopback or ip.is_multicast):
            return None
    return ip.ipv4_mapped or ip
