"""RDAP against a real server: where each registry keeps the abuse contact, and every way of not getting one.

ipwhois refuses the older documentation prefixes, so the addresses here are of RFC 9637.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPMessage
from io import BytesIO
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

import pytest
import pytest_asyncio
from servers import RdapReply, RdapServer, card, email, entity, network, rdap_server, shapes

from abuse_pipeline.api import Enricher, LookupContext, LookupUnavailable
from enrichers.rdap import RdapAbuseContact
from enrichers.rdap_http import Redirects

NOW = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)
IP = ip_address("3fff:100::7")
PATH = f"ip/{IP}"


@pytest_asyncio.fixture
async def registry(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RdapServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with rdap_server() as server:
        yield server


def context(server: RdapServer, seconds: float = 10) -> LookupContext:
    return LookupContext(now=NOW, timeout=timedelta(seconds=seconds), rdap_url=server.url)


async def ask(server: RdapServer, *answer: Any) -> dict[str, str | None]:
    if answer:
        server.replies[PATH] = RdapReply.of(answer[0])
    findings = await RdapAbuseContact().lookup(IP, context(server))
    assert all((found.source, found.subject, found.as_of) == ("rdap", str(IP), NOW) for found in findings)
    return {found.name: found.value for found in findings}


def test_it_is_an_enricher() -> None:
    assert isinstance(RdapAbuseContact(), Enricher)


@pytest.mark.parametrize("name", sorted(shapes("")))
async def test_every_registrys_shape(registry: RdapServer, name: str) -> None:
    facts = await ask(registry, shapes("abuse@isp.example")[name])
    assert facts["abuse_contact"] == "abuse@isp.example"
    assert facts["network_name"] == ("日本語 NET" if name == "jpnic" else "EXAMPLE-NET")
    assert facts["network"] == "3fff:100::/24"
    assert registry.asked == [(PATH, "application/rdap+json")]


async def test_a_contact_that_is_only_named_is_asked_for(registry: RdapServer) -> None:
    registry.replies["entity/AB1-EX"] = RdapReply.of(entity("AB1-EX", ["abuse"], email("abuse@isp.example")))
    facts = await ask(registry, network(entity("AB1-EX", ["abuse"])))
    assert facts["abuse_contact"] == "abuse@isp.example"


async def test_only_few_named_contacts_are_asked_for(registry: RdapServer) -> None:
    facts = await ask(registry, network(*(entity(f"AB{number}", ["abuse"]) for number in range(50))))
    assert "abuse_contact" not in facts
    assert len(registry.asked) == 3


@pytest.mark.parametrize("handle", ["../../admin", "a/b", "a?b", "", 7, None])
async def test_a_handle_never_leaves_its_place_in_the_url(registry: RdapServer, handle: object) -> None:
    await ask(registry, network({"roles": ["abuse"], "handle": handle}))
    assert registry.asked == [(PATH, "application/rdap+json")]


@pytest.mark.parametrize(
    "entities",
    [
        [],
        [entity("T", ["technical"], email("noc@isp.example"))],
        [entity("A", ["abuse"], ["tel", {}, "uri", "tel:+81-3-0000-0000"])],
        [entity("A", ["abuse"], email("abuse@isp.example"), status=["private"])],
        [entity("A", ["abuse"], email("abuse@isp.example"), status=["active", "Removed"])],
        [entity("O", ["noc"], status=["private"], entities=[entity("A", ["abuse"], email("abuse@isp.example"))])],
        [entity("A", ["abuse"], email("abuse@isp.example\r\nBcc: x@y.example"))],
        [entity("A", ["abuse"], email("Abuse <abuse@isp.example>"))],
        [entity("A", ["abuse"], email("abuse@isp.example, x@isp.example"))],
        [entity("A", ["abuse"], email("abuse"))],
        [entity("A", ["abuse"], email("不正@isp.example"))],
        [entity("A", ["abuse"], email("a" * 65 + "@isp.example"))],
        [entity("A", ["abuse"], email("a@" + "b." * 150 + "example"))],
        [entity("A", ["abuse"], email(["abuse@isp.example"]))],
        [entity("A", ["abuse"], ["email"])],
        ["abuse", 7, None, ["abuse"]],
        {"roles": ["abuse"]},
        [{"roles": "abuse", "vcardArray": card(email("abuse@isp.example"))}],
        [{"roles": ["abuse"], "vcardArray": "vcard"}],
        [{"roles": ["abuse"], "vcardArray": ["vcard"]}],
    ],
)  # fmt: skip
async def test_no_contact_to_be_had(registry: RdapServer, entities: object) -> None:
    facts = await ask(registry, {**network(), "entities": entities})
    assert facts == {"network_name": "EXAMPLE-NET", "network": "3fff:100::/24"}


async def test_the_preferred_and_the_first_valid(registry: RdapServer) -> None:
    lines = [
        email("no address"),
        email("third@isp.example"),
        email("best@isp.example", ["1"]),
        email("b@isp.example", 50),
    ]
    assert (await ask(registry, network(entity("A", ["abuse"], *lines))))["abuse_contact"] == "best@isp.example"
    lines = [email("no address", 1), email("mailto:first@isp.example"), email("second@isp.example")]
    assert (await ask(registry, network(entity("A", ["ABUSE"], *lines))))["abuse_contact"] == "first@isp.example"


async def test_nesting_without_end_is_bounded(registry: RdapServer) -> None:
    inner = entity("A", ["abuse"], email("abuse@isp.example"))
    for number in range(60):
        inner = entity(f"O{number}", ["registrant"], entities=[inner])
    wide = [entity(f"W{number}", ["technical"]) for number in range(5000)]
    assert "abuse_contact" not in await ask(registry, network(*wide, inner))


async def test_hostile_text_becomes_one_short_line(registry: RdapServer) -> None:
    facts = await ask(registry, network(name="evil\r\n\x1b[31m\u202e" + "x" * 5000))
    name = facts["network_name"]
    assert name is not None
    assert name.startswith("evil [31m x")
    assert name.isprintable()
    assert len(name) <= 201


@pytest.mark.parametrize(
    "more",
    [{"handle": 7}, {"handle": None}, {"startAddress": "x"}, {"startAddress": None}, {"name": ["a"]}, {"status": 7},
     {"events": [7]}, {"remarks": {"a": 1}}, {"notices": [{}]}, {"links": [None]}, {"parentHandle": {}},
     {"country": {}}],
)  # fmt: skip
async def test_a_network_with_wrong_types_still_gives_its_contact(registry: RdapServer, more: dict[str, Any]) -> None:
    answer = network(entity("A", ["abuse"], email("abuse@isp.example")), **more)
    assert (await ask(registry, answer))["abuse_contact"] == "abuse@isp.example"


async def test_nothing_known(registry: RdapServer) -> None:
    assert await ask(registry) == {}


@pytest.mark.parametrize("ip", ["192.0.2.7", "10.0.0.1", "127.0.0.1", "2001:db8::7"])
async def test_no_registry_is_asked_about_addresses_that_none_hands_out(registry: RdapServer, ip: str) -> None:
    assert await RdapAbuseContact().lookup(ip_address(ip), context(registry)) == ()
    assert registry.asked == []


async def test_a_sister_registry_is_followed_to(registry: RdapServer) -> None:
    registry.replies[PATH] = RdapReply(status=302, headers={"Location": f"{registry.url}/other/{PATH}"})
    registry.replies[f"other/{PATH}"] = RdapReply.of(shapes("abuse@isp.example")["apnic"])
    assert (await ask(registry))["abuse_contact"] == "abuse@isp.example"


def test_never_from_https_to_less() -> None:
    secure = Request("https://rdap.example/ip/3fff:100::7")
    with pytest.raises(HTTPError, match="redirect away from https"):
        Redirects().redirect_request(secure, BytesIO(), 302, "Found", HTTPMessage(), "http://rdap.example/")
    followed = Redirects().redirect_request(secure, BytesIO(), 302, "Found", HTTPMessage(), "https://other.example/")
    assert followed is not None
    assert followed.full_url == "https://other.example/"


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        (RdapReply(status=429, headers={"Retry-After": "3600"}), "asks us to wait; retry after 3600 s"),
        (RdapReply(status=429, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}), "asks us to wait$"),
        (RdapReply.of({"notices": [{"title": "Rate Limit Notice"}]}), "asks us to wait"),
        (RdapReply(status=500), "HTTP status 500"),
        (RdapReply(status=403), "HTTP status 403"),
        (RdapReply(b"<html>busy</html>"), "no JSON"),
        (RdapReply(b"\xff\xfe\x00"), "no JSON"),
        (RdapReply(b""), "no JSON"),
        (RdapReply(b"[" * 100_000), "no JSON"),
        (RdapReply(b'["rdap"]'), "no RDAP object|no JSON"),
        (RdapReply(b'"rdap"'), "no RDAP object|no JSON"),
        (RdapReply(b"null"), "no RDAP object|no JSON"),
        (RdapReply(b'{"a": "', headers={"Content-Length": "1000"}), "no JSON|broke off"),
        (RdapReply(b" " * 1_100_000), "larger than 1000000 bytes"),
        (RdapReply(endless=True), "larger than 1000000 bytes"),
        (RdapReply(status=302, headers={"Location": "/rdap/" + PATH}), "HTTP status 302"),
        (RdapReply(status=302, headers={"Location": "file:///etc/hostname"}), "HTTP status 302"),
        (RdapReply(status=302, headers={"Location": "ftp://127.0.0.1/"}), "HTTP status 302|cannot be reached"),
    ],
)  # fmt: skip
async def test_trouble_is_said_at_once(registry: RdapServer, reply: RdapReply, match: str) -> None:
    registry.replies[PATH] = reply
    start = time.monotonic()
    with pytest.raises(LookupUnavailable, match=match):
        await RdapAbuseContact().lookup(IP, context(registry))
    assert time.monotonic() - start < 8


@pytest.mark.parametrize("reply", [RdapReply(delay=30), RdapReply(b"{" + b" " * 600 + b"}", drip=0.05)])
async def test_a_slow_registry_is_given_up_in_time(registry: RdapServer, reply: RdapReply) -> None:
    import ipwhois.rdap  # noqa: F401 - the first import is no part of what is timed

    registry.replies[PATH] = reply
    start = time.monotonic()
    with pytest.raises(LookupUnavailable, match=r"no answer in time|broke off|cannot be reached"):
        await RdapAbuseContact().lookup(IP, context(registry, 0.5))
    assert time.monotonic() - start < 3


async def test_nobody_listens() -> None:
    async with rdap_server() as server:
        gone = context(server)
    with pytest.raises(LookupUnavailable, match="cannot be reached"):
        await RdapAbuseContact().lookup(IP, gone)


async def test_many_at_once(registry: RdapServer) -> None:
    import asyncio

    import ipwhois.rdap  # noqa: F401 - as above

    registry.replies[PATH] = RdapReply.of(shapes("abuse@isp.example")["ripe"], delay=0.3)
    enricher = RdapAbuseContact()
    start = time.monotonic()
    found = await asyncio.gather(*(enricher.lookup(IP, context(registry)) for _ in range(20)))
    assert all(len(findings) == 3 for findings in found)
    assert time.monotonic() - start < 4, "look-ups wait for each other"
