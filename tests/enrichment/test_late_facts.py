"""A fact that comes after the case is added, and a reply that still waits takes it up: real store, real RDAP server."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from ipaddress import ip_address
from pathlib import Path

import pytest
import pytest_asyncio
from servers import RdapReply, RdapServer, rdap_server, shapes

from abuse_pipeline import service
from abuse_pipeline.desk import Desk, build_desk
from abuse_pipeline.late_facts import add_late_facts
from abuse_pipeline.model import Channel, Envelope
from abuse_pipeline.pipeline import process
from abuse_pipeline.settings import load_settings
from abuse_pipeline.shipped import write_configuration
from abuse_pipeline.store import Store, open_store
from abuse_pipeline.store.records import Arrival, OutgoingRecord

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 22, 3, tzinfo=UTC)
# ipwhois refuses the older documentation prefixes; RFC 9637 has this one.
IP = ip_address("3fff:100::7")
CONTACT = "abuse@isp.example"


@dataclass
class World:
    """A desk at work on one report about somebody else's network, with a clock to turn."""

    desk: Desk
    store: Store
    now: datetime = START

    def clock(self) -> datetime:
        return self.now

    def take_in(self) -> OutgoingRecord:
        """Process the report; gives its reply as it waits in the outbox."""
        sample = ROOT / "samples" / "forwarded_attachment" / "elsewhere.eml"
        raw = sample.read_bytes().replace(b"[203.0.113.90]", b"[IPv6:3fff:100::7]")
        self.store.accept([Arrival(Channel.CLI, Envelope(), raw, self.now)])
        (claim,) = self.store.claim("test", 1, timedelta(minutes=1))
        processed = process(claim, self.store, self.desk, self.clock)
        assert processed.assessment.incidents[0].origin.ip == IP
        (reply,) = self.store.outgoing(kind="reply")
        return reply

    def text_of(self, reply: OutgoingRecord) -> str:
        body = message_from_bytes(self.store.outgoing_message(reply.id), policy=policy.default).get_body(("plain",))
        assert body is not None
        return str(body.get_content())


@pytest_asyncio.fixture
async def registry(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RdapServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with rdap_server() as server:
        server.replies[f"ip/{IP}"] = RdapReply.of(shapes(CONTACT)["apnic"])
        yield server


@pytest.fixture
def world(tmp_path: Path, registry: RdapServer) -> Iterator[World]:
    write_configuration(tmp_path)
    config = tmp_path / "abuse.toml"
    text = config.read_text(encoding="utf-8").replace('#rdap_url = ""', f'rdap_url = "{registry.url}"')
    config.write_text(text.replace("#nameservers = []", 'nameservers = ["127.0.0.1:9"]'), encoding="utf-8")
    settings = load_settings(config)
    made = World(build_desk(settings), None)  # type: ignore[arg-type]  # the store needs the clock of the world
    made.store = open_store(settings.store, made.clock)
    yield made
    made.store.close()


async def test_a_waiting_reply_takes_the_contact_up(world: World, registry: RdapServer) -> None:
    reply = world.take_in()
    assert CONTACT not in world.text_of(reply)
    assert await add_late_facts(world.desk, world.store, world.clock) == 1
    assert CONTACT in world.text_of(reply)
    assert world.store.outgoing(kind="reply")[0].state == reply.state
    assert [path for path, _ in registry.asked] == [f"ip/{IP}"]
    # Nothing is wanted twice.
    assert await add_late_facts(world.desk, world.store, world.clock) == 0


async def test_a_reply_that_is_due_stays_as_it_is(world: World) -> None:
    reply = world.take_in()
    before = world.store.outgoing_message(reply.id)
    world.now = reply.due_at
    await add_late_facts(world.desk, world.store, world.clock)
    assert world.store.outgoing_message(reply.id) == before


async def test_what_the_cache_knows_stands_in_the_reply_at_once(world: World, registry: RdapServer) -> None:
    world.take_in()
    await add_late_facts(world.desk, world.store, world.clock)
    asked = len(registry.asked)
    found = world.store.findings_of(IP, world.now)
    assert {finding.name: finding.value for finding in found}["abuse_contact"] == CONTACT
    await add_late_facts(world.desk, world.store, world.clock)
    assert len(registry.asked) == asked


async def test_a_source_that_is_down_only_means_a_missing_fact(world: World, registry: RdapServer) -> None:
    registry.replies.clear()
    reply = world.take_in()
    assert await add_late_facts(world.desk, world.store, world.clock) == 1
    text = world.text_of(reply)
    assert CONTACT not in text
    assert "WHOIS" in text


@pytest.mark.parametrize(
    ("sample", "asked"),
    [("elsewhere.eml", 1), ("exim.eml", 1), ("two-holders.eml", 0), ("group-company.eml", 0), ("headers-only.eml", 1)],
)
async def test_nobody_is_asked_while_a_person_has_to_decide(world: World, sample: str, asked: int) -> None:
    """Where the chain is in doubt, the address may be the reporter's own server."""
    raw = (ROOT / "samples" / "forwarded_attachment" / sample).read_bytes()
    world.store.accept([Arrival(Channel.CLI, Envelope(), raw, world.now)])
    (claim,) = world.store.claim("test", 1, timedelta(minutes=1))
    process(claim, world.store, world.desk, world.clock)
    assert len(world.store.wanted_lookups(10)) == asked


def test_a_defect_in_the_look_ups_is_logged_without_its_text_and_they_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    over, calls = threading.Event(), 0

    async def broken(*_: object) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            over.set()
        raise ValueError("taro@reporter.example")

    monkeypatch.setattr(service, "add_late_facts", broken)
    monkeypatch.setattr(service, "_LATE_FACTS_SECONDS", 0.01)
    service._gather_until(world.desk, world.store, world.clock, over)
    assert calls == 2
    assert "ValueError" in caplog.text
    assert "taro" not in caplog.text
