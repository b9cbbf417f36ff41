"""What a host's name or private address tells of the host: a mail server, a customer's line, a gateway.

Names are the writing host's record of its own DNS, never what a client said of itself.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, ip_network
from typing import Final

from abuse_pipeline.model import IPAddress

_NAT_NETWORKS: Final = tuple(
    ip_network(text) for text in ("10.0.2.0/24", "192.168.65.0/24", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
)
"""Emulators, container hosts on a desktop, carriers' NAT, clouds' own services."""
_MAIL_LABEL: Final = re.compile(
    r"(?:[a-z]{1,2}\d{0,3}-)?(?:mx|e?mail|webmail|imap|pop3?|smtp|mta|mbox|mailbox|mailhost|mailgw|relay|mgw|mmail|post|postfix|"
    r"exim|exchange|exch|inbound|outbound|filter|spam|antispam|virus|store|mss?|mda|lmtp|mdir|hub|edge|omx|rmx|vmx|"
    r"gw|gateway|border|front|frontend|back|backend|backup|inner|internal|int|ext|dmz|core|archive|list|lists)"
    r"(?:[-_]?[a-z]{0,3})?[-_\d]{0,8}[a-z]{0,2}\d{0,3}(?:-[a-z]{0,4}\d{0,4})?$",
    re.ASCII,
)
_SITE: Final = re.compile(r"[a-z]{1,2}|[a-z]{1,4}\d{1,2}", re.ASCII)
_SITE_OF_MAIL: Final = re.compile(r"[a-z]{1,3}|[a-z]{1,4}\d{1,2}", re.ASCII)
_GATEWAYS: Final = frozenset(
    {"gateway", "gw", "router", "rt", "nat", "lb", "slb", "elb", "nlb", "alb", "proxy", "haproxy", "fw", "firewall"}
    | {"vip", "ingress", "traefik", "envoy", "edge", "kube", "node", "docker", "host", "bigip", "vpn", "dmz", "bridge"}
)
_SPELT_ADDRESS: Final = re.compile(r"^ip[-_]|\d+[-_]\d+[-_]\d+|--")
_SUBSCRIBER_LINE: Final = re.compile(
    r"(?:^|[.\-_\d])(?:dyn|dynamic|pool|pppo?e?|[av]?dsl|cable|dhcp|dial|dialup|ipv6|ftth|client|cust|static|vps)"
    r"(?:[.\-_\d]|$)|\d{4}"
)


def looks_like_a_line(name: str, ip: IPAddress) -> bool:
    """Whether *name* is one of the mass names of access lines and rented hosts, which share their provider's domain."""
    if _SUBSCRIBER_LINE.search(name):
        return True
    if isinstance(ip, IPv4Address):
        octets = str(ip).split(".")
        numbers = re.findall(r"\d+", name)
        return all(octet in [number.lstrip("0") or "0" for number in numbers] for octet in octets[2:])
    return False


def is_mail_host(name: str, domain: str) -> bool:
    """Whether *name* is plainly that of a mail server of *domain*: its first label says so, and the others do or are
    sites (`mta1.mail.tky.example.jp`). Customers' machines have names in their provider's domain as well."""
    first, *others = name.removesuffix(domain).strip(".").split(".")
    if not first:
        return True
    sites = _SITE if not others or _MAIL_LABEL.match(others[0]) is None else _SITE_OF_MAIL
    plain = all(sites.fullmatch(label) is not None or _MAIL_LABEL.match(label) is not None for label in others)
    return plain and _MAIL_LABEL.match(first) is not None


def looks_like_a_gateway(ip: IPAddress) -> bool:
    """Whether private *ip* is one that routers, container hosts and emulated networks commonly have."""
    if isinstance(ip, IPv4Address):
        return ip.packed[-1] in (0, 1, 2, 254) or any(ip in network for network in _NAT_NETWORKS)
    return ip.is_link_local or int(ip) & (2**64 - 1) in (1, 2)


def is_gateway_name(name: str) -> bool:
    """Whether *name* is that of a router, balancer, proxy or container host, or spells an address as clouds do."""
    label = first_label(name)
    if label == "localhost" or "f5" in label or _SPELT_ADDRESS.search(label):
        return True
    return any(word in _GATEWAYS for word in re.split(r"[-_\d]+", label))


def first_label(name: str) -> str:
    return name.partition(".")[0]
