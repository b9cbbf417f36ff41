"""Keys that reports asked for are looked up by the running service: real store, real DNS server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from servers import DnsServer, dns_server
from signing import key

from abuse_pipeline import service
from abuse_pipeline.desk import Desk, build_desk
from abuse_pipeline.late_keys import fetch_wanted_keys
from abuse_pipeline.memory import memory_of
from abuse_pipeline.settings import load_settings
from abuse_pipeline.shipped import write_configuration
from abuse_pipeline.store import Store, open_store

NAME = "arc-2026._domainkey.relay.example"
OTHER = "s2._domainkey.relay.example"


@dataclass
class World:
    config: Path
    desk: Desk
    store: Store
    now: datetime = datetime(2026, 11, 22, 3, tzinfo=UTC)

    def clock(self) -> datetime:
        return self.now

    def key_of(self, name: str) -> str | None:
        return memory_of(self.store, self.desk, self.now).key_of(name)

    def change(self, old: str, new: str) -> None:
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")
        self.desk = build_desk(load_settings(self.config))


@pytest_asyncio.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as running:
        running.records[NAME, "TXT"] = [f'"{key().record}"']
        yield running


@pytest.fixture
def world(tmp_path: Path, server: DnsServer) -> Iterator[World]:
    write_configuration(tmp_path)
    config = tmp_path / "abuse.toml"
    settings = load_settings(config)
    made = World(config, build_desk(settings), None)  # type: ignore[arg-type]  # the store needs the clock of the world
    made.store = open_store(settings.store, made.clock)
    made.change("#nameservers = []", f'nameservers = ["{server.address}"]')
    yield made
    made.store.close()


async def test_what_was_wanted_is_known_afterwards(world: World, server: DnsServer) -> None:
    world.store.want_keys([NAME, OTHER], world.now)
    assert world.key_of(NAME) is None
    assert await fetch_wanted_keys(world.desk, world.store, world.clock) == 2
    assert world.key_of(NAME) == key().record
    assert world.key_of(OTHER) is None
    assert world.store.finding_cache.get("dkim_key", OTHER, world.now) == ()
    assert world.store.wanted_keys(10) == ()
    assert await fetch_wanted_keys(world.desk, world.store, world.clock) == 0
    assert len(server.asked) == 2
    world.now += timedelta(days=1)
    assert world.key_of(NAME) is None


async def test_a_failure_is_kept_for_a_shorter_time(world: World, server: DnsServer) -> None:
    server.rcodes[NAME] = "SERVFAIL"
    world.store.want_keys([NAME], world.now)
    await fetch_wanted_keys(world.desk, world.store, world.clock)
    found = world.store.finding_cache.get("dkim_key", NAME, world.now + timedelta(minutes=59))
    assert found is not None
    assert (found[0].problem or "").startswith("failed")
    assert world.store.finding_cache.get("dkim_key", NAME, world.now + timedelta(minutes=60)) is None
    assert world.store.wanted_keys(10) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [("#verify_signatures = true", "verify_signatures = false"), ("#offline = false", "offline = true")],
)
async def test_nobody_is_asked_when_it_is_switched_off(world: World, server: DnsServer, old: str, new: str) -> None:
    world.store.want_keys([NAME], world.now)
    world.change(old, new)
    assert await fetch_wanted_keys(world.desk, world.store, world.clock) == 0
    assert server.asked == []


async def test_the_service_fetches_them_also_when_other_look_ups_break(
    world: World, server: DnsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> int:
        raise ValueError("taro@reporter.example")

    monkeypatch.setattr(service, "add_late_facts", broken)
    monkeypatch.setattr(service, "_LATE_FACTS_SECONDS", 0.01)
    world.store.want_keys([NAME], world.now)
    over = threading.Event()
    gathering = asyncio.ensure_future(
        asyncio.to_thread(service._gather_until, world.desk, world.store, world.clock, over)
    )
    async with asyncio.timeout(10):
        while world.key_of(NAME) is None:
            await asyncio.sleep(0.02)
    over.set()
    await gathering
    assert server.asked == [(NAME, "TXT")]
