"""The name that the holder of an address gave it, and whether that name leads back to the address.

A PTR record says whatever the holder of the address likes (RFC 1035 section 3.5); only the holder of the name can make
its forward record agree (forward-confirmed reverse DNS, RFC 8601 section 2.7.3 "iprev"). Everything in the answers is
somebody else's text: it is bounded, and what is no host name is shown without the characters that could do harm.
"""

from __future__ import annotations

import asyncio
import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from abuse_pipeline.api import Finding, IPAddress, LookupContext, LookupUnavailable, parse_address, parse_endpoint

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

_SOURCE: Final = "reverse_dns"
_MOST_NAMES: Final = 3
_MOST_ADDRESSES: Final = 20
_LONGEST_SHOWN: Final = 100
_LABEL: Final = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")

# What no public name should lead to: an answer here is a mistake, or an attempt to point us at our own machines.
_INSIDE: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/127",
        "fc00::/7",
        "fe80::/10",
    )
)


class ReverseDns:
    """PTR, then A or AAAA of each name it gives. One finding ``ptr`` a name, at most three."""

    asks = "the configured name servers: the PTR record of the address, and the address records of the names it gives"

    async def lookup(self, ip: IPAddress, context: LookupContext) -> tuple[Finding, ...]:
        """Findings ``ptr``; empty when the address has no name.

        Raises LookupUnavailable when the name servers fail, refuse, or take longer than ``context.timeout`` in all.
        """
        try:
            async with asyncio.timeout(context.timeout.total_seconds()):
                return await _findings(ip, context)
        except TimeoutError:
            raise LookupUnavailable("no answer in time", where=f"reverse DNS of {ip}") from None


async def _findings(ip: IPAddress, context: LookupContext) -> tuple[Finding, ...]:
    resolver = _resolver(context)
    names = await _ask(resolver, ip.reverse_pointer + ".", "PTR")
    shown = sorted(set(names))[:_MOST_NAMES]
    values = [await _describe(resolver, ip, name) for name in shown]
    return tuple(Finding(_SOURCE, "ptr", str(ip), value, context.now) for value in values)


async def _describe(resolver: Resolver, ip: IPAddress, name: str) -> str:
    if not _HOST_NAME.fullmatch(name):
        return f"{_harmless(name)} (not a host name)"
    try:
        answers = await _ask(resolver, name + ".", "A" if ip.version == 4 else "AAAA")
    except LookupUnavailable:
        return f"{name} (not confirmed: its name servers do not answer)"
    addresses = [found for found in map(parse_address, answers[:_MOST_ADDRESSES]) if found is not None]
    if ip in addresses:
        return f"{name} (confirmed)"
    if not addresses:
        return f"{name} (not confirmed: it has no address)"
    inside = next((found for found in addresses if _is_inside(found)), None)
    if inside is not None and not _is_inside(ip):
        return f"{name} (not confirmed: it leads to the private address {inside})"
    return f"{name} (not confirmed: it leads to {addresses[0]})"


async def _ask(resolver: Resolver, name: str, kind: str) -> list[str]:
    """Texts of the answers, without final dots; empty when there are none. dnspython follows RFC 2317 aliases."""
    import dns.exception
    import dns.resolver

    try:
        answer = await resolver.resolve(name, kind, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise LookupUnavailable(f"failed: {type(error).__name__}", where=f"reverse DNS, {kind} of {name}") from None
    except (OSError, EOFError) as error:
        raise LookupUnavailable(f"failed: {type(error).__name__}", where="reverse DNS") from None
    return [_text(record.to_text()) for record in answer]


def _resolver(context: LookupContext) -> Resolver:
    """A resolver that knows only what the context says; reading resolv.conf is left to dnspython."""
    import dns.asyncresolver
    import dns.nameserver
    import dns.resolver

    seconds = context.timeout.total_seconds()
    try:
        resolver = dns.asyncresolver.Resolver(configure=not context.nameservers)
    except dns.resolver.NoResolverConfiguration:
        raise LookupUnavailable("this machine has no name server configured", where="reverse DNS") from None
    if context.nameservers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*_name_server(text)) for text in context.nameservers]
    resolver.lifetime = seconds
    resolver.timeout = max(seconds / 3, 0.1)
    return resolver


def _name_server(text: str) -> tuple[str, int]:
    endpoint = parse_endpoint(text, default_port=53)
    if endpoint is None:
        raise LookupUnavailable(
            f"the name server {text!r} is no address", where="reverse DNS", todo="set enrich.nameservers"
        )
    return str(endpoint[0]), endpoint[1]


def _is_inside(ip: IPAddress) -> bool:
    return any(ip in network for network in _INSIDE)


def _text(text: str) -> str:
    return text[:-1] if text.endswith(".") and not text.endswith("\\.") else text


def _harmless(name: str) -> str:
    """dnspython has escaped control and 8-bit characters as ``\\DDD``; markup and quotes become ``?`` on top."""
    shown = re.sub(r"[^A-Za-z0-9._\\-]", "?", name)
    return shown if len(shown) <= _LONGEST_SHOWN else shown[:_LONGEST_SHOWN] + "…"
