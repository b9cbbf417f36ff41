# ruff: noqa: E501  (Received lines are shown as they are written)
"""A relay's signature along the whole path: the first report asks for its key, a later one is strengthened by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from abuse_command import abuse_process
from servers import DnsServer, dns_server
from signing import dkim_signed, key, sealed

from abuse_pipeline.desk import Desk, build_desk
from abuse_pipeline.late_keys import fetch_wanted_keys
from abuse_pipeline.model import Channel, Confidence, Envelope, JudgedIncident
from abuse_pipeline.pipeline import process
from abuse_pipeline.settings import load_settings
from abuse_pipeline.shipped import write_configuration
from abuse_pipeline.store import Store, open_store
from abuse_pipeline.store.records import Arrival

RELAY = """
[[relay]]
name = "Big Mail"
names = ["out-*.relay.example"]
stamps = ["relay.example"]
signs = ["relay.example"]
vouches = ["received"]
"""
SELECTOR, SEAL = "sel2026._domainkey.relay.example", "arc-2026._domainkey.relay.example"
SPAM = (
    b"Received: from pc.example (pc.example [%s]) by smtp.relay.example (Postfix) with ESMTPSA id 7; Fri, 20 Nov 2026 14:03:10 +0900\r\n"
    b"From: winner@relay.example\r\nTo: hanako@kaisha.example\r\nSubject: win\r\nDate: Fri, 20 Nov 2026 14:03:09 +0900\r\n"
    b"Message-ID: <1@relay.example>\r\n\r\nYou have won.\r\n"
)
HANDED_OVER = (
    b"Received: from out-1.relay.example (out-1.relay.example [203.0.113.20]) by mx.kaisha.example (Postfix) with ESMTP id 9"
    b" for <hanako@kaisha.example>; Fri, 20 Nov 2026 14:03:12 +0900\r\n"
)


def signed(client: bytes = b"192.0.2.7") -> bytes:
    return dkim_signed(SPAM % client, key())


@dataclass
class World:
    desk: Desk
    store: Store
    now: datetime = datetime(2026, 11, 22, 3, tzinfo=UTC)

    def clock(self) -> datetime:
        return self.now

    def report(self, spam: bytes) -> JudgedIncident:
        self.now += timedelta(minutes=1)
        raw = (
            b"From: hanako@kaisha.example\r\nTo: abuse@hosting.example.jp\r\nSubject: spam\r\nMIME-Version: 1.0\r\n"
            b"Message-ID: <%d@kaisha.example>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
            b"--x\r\nContent-Type: text/plain\r\n\r\nPlease stop this.\r\n"
            b"--x\r\nContent-Type: message/rfc822\r\n\r\n%s\r\n--x--\r\n"
        ) % (self.now.timestamp(), HANDED_OVER + spam)
        self.store.accept([Arrival(Channel.CLI, Envelope(), raw, self.now)])
        (claim,) = self.store.claim("test", 1, timedelta(minutes=1))
        (judged,) = process(claim, self.store, self.desk, self.clock).assessment.incidents
        return judged


@pytest_asyncio.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as running:
        running.records[SELECTOR, "TXT"] = [f'"{key().record}"']
        running.records[SEAL, "TXT"] = [f'"{key().record}"']
        yield running


@pytest.fixture
def world(tmp_path: Path, server: DnsServer) -> Iterator[World]:
    write_configuration(tmp_path)
    config = tmp_path / "abuse.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("#nameservers = []", f'nameservers = ["{server.address}"]'), encoding="utf-8")
    (tmp_path / "relays.toml").write_text(RELAY, encoding="utf-8")
    settings = load_settings(config)
    made = World(build_desk(settings), None)  # type: ignore[arg-type]  # the store needs the clock of the world
    made.store = open_store(settings.store, made.clock)
    yield made
    made.store.close()


async def test_the_second_report_is_strengthened_by_the_key_that_the_first_asked_for(
    world: World, server: DnsServer
) -> None:
    first = world.report(signed())
    assert (str(first.origin.ip), first.origin.confidence) == ("192.0.2.7", Confidence.RELAYED)
    assert server.asked == []
    assert await fetch_wanted_keys(world.desk, world.store, world.clock) == 1
    second = world.report(signed())
    assert (second.origin.ip, second.origin.moment) == (first.origin.ip, first.origin.moment)
    assert second.origin.confidence is Confidence.WITNESSED
    assert "the DKIM signature of relay.example verifies over the message" in second.origin.reason
    assert world.store.wanted_keys(10) == ()


async def test_an_altered_mail_is_not_strengthened(world: World) -> None:
    world.report(signed())
    await fetch_wanted_keys(world.desk, world.store, world.clock)
    altered = world.report(signed().replace(b"You have won.", b"You have lost."))
    assert (str(altered.origin.ip), altered.origin.confidence) == ("192.0.2.7", Confidence.RELAYED)


async def test_a_sealed_record_is_weighed_against_the_line(world: World) -> None:
    agreeing = sealed(SPAM % b"192.0.2.7", key(), "smtp.relay.example; iprev=pass smtp.remote-ip=192.0.2.7")
    contrary = sealed(SPAM % b"192.0.2.17", key(), "smtp.relay.example; iprev=pass smtp.remote-ip=192.0.2.7")
    world.report(agreeing)
    await fetch_wanted_keys(world.desk, world.store, world.clock)
    again = world.report(agreeing)
    assert again.origin.confidence is Confidence.WITNESSED
    assert "which names the same client" in again.origin.reason
    replayed = world.report(contrary)
    assert (str(replayed.origin.ip), replayed.origin.confidence) == ("192.0.2.17", Confidence.RELAYED)
    assert "names another client" in replayed.origin.reason


async def test_abuse_trace_asks_for_the_keys_where_a_person_wants_it(
    world: World, server: DnsServer, tmp_path: Path
) -> None:
    spam = tmp_path / "spam.eml"
    spam.write_bytes(HANDED_OVER + signed())
    words = ("trace", "--json", "--recipient", "kaisha.example", spam)
    config = tmp_path / "abuse.toml"

    async def confidence(*more: str) -> str:
        ran = await asyncio.to_thread(abuse_process, *words, *more, config=config)
        return str(ran.document()["origin"]["confidence"])  # type: ignore[index]

    assert await confidence() == "relayed"
    assert server.asked == []
    assert await confidence("--verify") == "witnessed"
    assert server.asked == [(SELECTOR, "TXT")]
    server.silent.add(SELECTOR)
    assert await confidence("--verify") == "relayed"


async def test_no_key_of_a_sender_is_ever_asked_for(world: World, server: DnsServer) -> None:
    world.report(dkim_signed(SPAM % b"192.0.2.7", key(), d="spam.example", s="taro"))
    assert world.store.wanted_keys(10) == ()
    assert await fetch_wanted_keys(world.desk, world.store, world.clock) == 0
    assert server.asked == []
