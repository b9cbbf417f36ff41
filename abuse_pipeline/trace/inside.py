"""Whether a message provably stayed within one organisation, by its own Received fields.

A parser asks before it looks into a message: what a colleague forwards may be taken apart, what came in from outside is
the reported message itself, whatever it carries.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Final

from abuse_pipeline.model import Hop
from abuse_pipeline.trace.domains import plain_host, registered_domain, stamp_domain
from abuse_pipeline.trace.hostnames import is_mail_host, looks_like_a_line
from abuse_pipeline.trace.received import (
    LOCAL_USER,
    NAME_FORGED,
    NO_CLIENT,
    SEVERAL_BY,
    TWO_ADDRESSES,
    UNBALANCED,
    UNREADABLE,
    read_hop,
)
from abuse_pipeline.trace.relays import confirmed_name
from abuse_pipeline.trace.side import is_private, is_within_one_system

_DOUBTFUL: Final = frozenset({UNREADABLE, UNBALANCED, SEVERAL_BY, TWO_ADDRESSES})

_OFFICES: Final = tuple(ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
_PERSONAL: Final = re.compile(
    r"(?:pc|desktop|laptop|note(?:book)?|nb|i?mac|macbook|iphone|ipad|ws|workstation)(?:[-_.\d]|$)"
)


def stayed_inside(received: Sequence[str], host: str) -> bool:
    """Whether the chain *received* (newest first) shows that the message never left the organisation of *host*.

    Every field must be one of that organisation's hosts, with a client that is one too, and one at least must show a
    user or a machine of the organisation handing the message in: logged in, or at a private address that the
    organisation's own DNS names. The client's greeting (HELO) proves nothing, nor does a private address alone: behind
    a NAT or a proxy everybody has one. No field at all is no proof. Never raises.

    Where *host* is a provider of mailboxes, every account of it counts as inside: the fields do not tell them apart.
    """
    domain = registered_domain(host)
    hops = [read_hop(index, raw) for index, raw in enumerate(received)]
    if domain is None or not all(_is_inside(hop, domain) for hop in hops):
        return False
    return any(_handed_in_inside(hop, domain) for hop in hops)


def came_from_a_desk(received: Sequence[str], host: str) -> bool:
    """Whether the chain *received* shows that a person's own machine in the organisation of *host* handed it in.

    More than `stayed_inside`: the organisation's DNS names the client, at a private address, as a personal machine
    (`pc-…`, `desktop-…`). A login alone can be any other customer's where *host* is a provider, and a server can be its
    webmail, into which he writes. It must be the first client from the top that is no mail server: what stands below
    it, he wrote. Never raises.
    """
    domain = registered_domain(host)
    if domain is None or not stayed_inside(received, host):
        return False
    hops = (read_hop(index, raw) for index, raw in enumerate(received))
    handed_in = next((hop for hop in hops if not _is_between_servers(hop, domain)), None)
    return handed_in is not None and stamp_domain(handed_in.by) == domain and _is_a_desk(handed_in)


def _is_between_servers(hop: Hop, domain: str) -> bool:
    """Whether one mail server of *domain* wrote *hop* about itself or another, whom nobody's log-in stands behind."""
    if hop.authenticated or LOCAL_USER in hop.defects:
        return False
    if NO_CLIENT in hop.defects or hop.ip is None:
        return True
    name = plain_host(hop.rdns)
    return name is not None and registered_domain(name) == domain and is_mail_host(name, domain)


def _is_a_desk(hop: Hop) -> bool:
    name = plain_host(hop.rdns)
    if hop.ip is None or name is None or {NAME_FORGED, *_DOUBTFUL} & set(hop.defects):
        return False
    return any(hop.ip in network for network in _OFFICES) and _PERSONAL.match(name) is not None


def _is_inside(hop: Hop, domain: str) -> bool:
    if _DOUBTFUL & set(hop.defects):
        return False
    if NO_CLIENT in hop.defects:
        return hop.by is None or stamp_domain(hop.by) in (domain, None)
    if stamp_domain(hop.by) != domain:
        return False
    if hop.ip is None:
        return is_within_one_system(hop)
    if hop.authenticated or is_private(hop.ip):
        return _handed_in_inside(hop, domain)
    name = confirmed_name(hop)
    return name is not None and registered_domain(name) == domain and not looks_like_a_line(name, hop.ip)


def _handed_in_inside(hop: Hop, domain: str) -> bool:
    """Whether *hop* shows that one of the organisation handed the message to it."""
    if stamp_domain(hop.by) != domain:
        return False
    if NO_CLIENT in hop.defects:
        return LOCAL_USER in hop.defects
    if hop.ip is None or hop.authenticated:
        return hop.authenticated
    named = NAME_FORGED not in hop.defects and registered_domain(hop.rdns) == domain
    return named and is_private(hop.ip)
