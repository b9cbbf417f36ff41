"""Reverse DNS against a real server: what is found, what is doubted, and what does not answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import dns.name
import pytest
import pytest_asyncio
from servers import DnsServer, dns_server

from abuse_pipeline.api import Enricher, LookupContext, LookupUnavailable
from enrichers.reverse_dns import ReverseDns

NOW = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)
IP = ip_address("192.0.2.7")
PTR = "7.2.0.192.in-addr.arpa"
IP6 = ip_address("2001:db8::7")
PTR6 = IP6.reverse_pointer


@pytest_asyncio.fixture
async def dns_at() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        yield server


def context(server: DnsServer, seconds: float = 5) -> LookupContext:
    return LookupContext(now=NOW, timeout=timedelta(seconds=seconds), nameservers=(server.address,))


async def values(server: DnsServer, ip=IP) -> list[str | None]:  # type: ignore[no-untyped-def]
    findings = await ReverseDns().lookup(ip, context(server))
    assert all((found.source, found.name, found.subject) == ("reverse_dns", "ptr", str(ip)) for found in findings)
    assert all(found.as_of == NOW and found.problem is None for found in findings)
    return [found.value for found in findings]


def test_it_is_an_enricher() -> None:
    assert isinstance(ReverseDns(), Enricher)


async def test_a_name_that_leads_back(dns_at: DnsServer) -> None:
    dns_at.records[PTR, "PTR"] = ["mail.example.jp."]
    dns_at.records["mail.example.jp", "A"] = ["192.0.2.9", "192.0.2.7"]
    assert await values(dns_at) == ["mail.example.jp (confirmed)"]
    assert dns_at.asked == [(PTR, "PTR"), ("mail.example.jp", "A")]


async def test_ipv6(dns_at: DnsServer) -> None:
    dns_at.records[PTR6, "PTR"] = ["mail.example.jp."]
    dns_at.records["mail.example.jp", "AAAA"] = ["2001:db8::7"]
    dns_at.records["mail.example.jp", "A"] = ["192.0.2.9"]
    assert await values(dns_at, IP6) == ["mail.example.jp (confirmed)"]


@pytest.mark.parametrize(
    ("addresses", "value"),
    [
        ([], "liar.example (not confirmed: it has no address)"),
        (["192.0.2.9"], "liar.example (not confirmed: it leads to 192.0.2.9)"),
        (["192.0.2.9", "10.0.0.1"], "liar.example (not confirmed: it leads to the private address 10.0.0.1)"),
        (["127.0.0.1"], "liar.example (not confirmed: it leads to the private address 127.0.0.1)"),
    ],
)
async def test_a_name_that_does_not(dns_at: DnsServer, addresses: list[str], value: str) -> None:
    dns_at.records[PTR, "PTR"] = ["liar.example."]
    dns_at.records["liar.example", "A"] = addresses
    assert await values(dns_at) == [value]


async def test_a_forward_server_that_fails_leaves_the_name(dns_at: DnsServer) -> None:
    dns_at.records[PTR, "PTR"] = ["mail.example.jp."]
    dns_at.rcodes["mail.example.jp"] = "SERVFAIL"
    assert await values(dns_at) == ["mail.example.jp (not confirmed: its name servers do not answer)"]


async def test_no_name(dns_at: DnsServer) -> None:
    assert await values(dns_at) == []
    dns_at.records[PTR, "TXT"] = ['"nothing else"']
    assert await values(dns_at) == []


async def test_an_alias_into_the_customers_zone(dns_at: DnsServer) -> None:
    """RFC 2317: the provider delegates a part of a /24."""
    dns_at.records[PTR, "CNAME"] = ["7.0-15.2.0.192.in-addr.arpa."]
    dns_at.records["7.0-15.2.0.192.in-addr.arpa", "PTR"] = ["mail.example.jp."]
    dns_at.records["mail.example.jp", "A"] = ["192.0.2.7"]
    assert await values(dns_at) == ["mail.example.jp (confirmed)"]


async def test_an_answer_too_large_for_udp(dns_at: DnsServer) -> None:
    dns_at.records[PTR, "PTR"] = ["mail.example.jp."]
    dns_at.records["mail.example.jp", "A"] = ["192.0.2.7"]
    dns_at.truncated.add(PTR)
    assert await values(dns_at) == ["mail.example.jp (confirmed)"]
    assert dns_at.asked.count((PTR, "PTR")) == 2


async def test_many_names_are_bounded(dns_at: DnsServer) -> None:
    dns_at.records[PTR, "PTR"] = [f"host{number:04}.{'x' * 50}.example." for number in range(500)]
    assert len(await values(dns_at)) == 3
    assert len(dns_at.asked) <= 5


@pytest.mark.parametrize(
    "labels",
    [
        (b"<script>alert(1)</script>", b"example"),
        (b"evil\r\nBcc: someone", b"example"),
        (b"\x1b[31mred", b"example"),
        ("悪い".encode(), b"example"),
        (b"a b", b"example"),
        (b"dot.inside", b"example"),
        (b"-rf", b"example"),
        (b"\xff" * 63, b"\xff" * 63, b"\xff" * 63),
        (),
    ],
)
async def test_hostile_names_are_shown_harmless_and_not_asked_about(
    dns_at: DnsServer, labels: tuple[bytes, ...]
) -> None:
    dns_at.wires[PTR] = [dns.name.Name((*labels, b""))]
    [value] = await values(dns_at)
    assert value is not None
    assert value.endswith("(not a host name)")
    assert len(value) < 130
    assert value.replace("…", "").isascii()
    assert value.isprintable()
    assert not set("<>&\"'@:") & set(value)
    assert dns_at.asked == [(PTR, "PTR")]


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED"])
async def test_a_server_that_fails(dns_at: DnsServer, code: str) -> None:
    dns_at.rcodes[PTR] = code
    with pytest.raises(LookupUnavailable, match="failed"):
        await ReverseDns().lookup(IP, context(dns_at))


@pytest.mark.parametrize("kind", ["silent", "garbage"])
async def test_a_server_that_does_not_answer_is_given_up_in_time(dns_at: DnsServer, kind: str) -> None:
    getattr(dns_at, kind).add(PTR)
    start = time.monotonic()
    with pytest.raises(LookupUnavailable):
        await ReverseDns().lookup(IP, context(dns_at, 0.4))
    assert time.monotonic() - start < 3


async def test_the_timeout_is_for_all_questions_together(dns_at: DnsServer) -> None:
    dns_at.records[PTR, "PTR"] = ["a.example.", "b.example.", "c.example."]
    dns_at.delays = {"a.example": 0.3, "b.example": 0.3, "c.example": 0.3}
    with pytest.raises(LookupUnavailable, match="no answer in time"):
        await ReverseDns().lookup(IP, context(dns_at, 0.5))


@pytest.mark.parametrize("text", ["ns.example", "192.0.2.53:0", "192.0.2.53:99999", "", "[192.0.2.53"])
async def test_a_name_server_that_is_no_address(text: str) -> None:
    wrong = LookupContext(now=NOW, timeout=timedelta(seconds=1), nameservers=(text,))
    with pytest.raises(LookupUnavailable, match=r"is no address; set enrich.nameservers"):
        await ReverseDns().lookup(IP, wrong)
