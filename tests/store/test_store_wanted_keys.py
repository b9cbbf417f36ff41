"""Names of keys to look up: each once, the oldest first, never more than a thousand."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from store_world import NOON, HandClock

from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store, open_store, schema
from abuse_pipeline.store import wanted_keys as room

SECOND = timedelta(seconds=1)


def names(count: int, selector: str = "s") -> list[str]:
    return [f"{selector}{n:05}._domainkey.example.com" for n in range(count)]


def count(store: Store) -> int:
    with store._database.reading() as transaction:
        return int(transaction.value(select(func.count()).select_from(schema.wanted_keys)))


def test_names_wait_in_order_and_once(store: Store) -> None:
    assert store.want_keys(["b.example", "a.example"], NOON) == 2
    assert store.want_keys(["a.example", "c.example", "c.example"], NOON + SECOND) == 1
    assert store.wanted_keys(10) == ("a.example", "b.example", "c.example")
    assert store.wanted_keys(2) == ("a.example", "b.example")
    assert store.wanted_keys(0) == ()
    store.drop_wanted_keys(["a.example", "nobody.example"])
    assert store.wanted_keys(10) == ("b.example", "c.example")
    assert store.want_keys(["a.example"], NOON + 2 * SECOND) == 1, "what was dropped can be wanted again"
    assert store.wanted_keys(10) == ("b.example", "c.example", "a.example")


def test_nothing_is_wanted_and_nothing_happens(store: Store) -> None:
    assert store.want_keys([], NOON) == 0
    store.drop_wanted_keys([])
    assert store.wanted_keys(10) == ()


def test_what_cannot_be_a_name_is_left_out(store: Store) -> None:
    assert store.want_keys(["", "x" * 254, "x" * 100_000], NOON) == 0
    assert store.want_keys(["x" * 253, "nul\x00.example", "\ud800.example"], NOON) == 3
    store.drop_wanted_keys(store.wanted_keys(10))
    assert store.wanted_keys(10) == ()


def test_never_more_than_a_thousand(store: Store) -> None:
    assert store.want_keys(names(600), NOON) == 600
    assert store.want_keys(names(700), NOON) == 100, "known names take no place"
    assert store.want_keys(names(900, "t"), NOON) == 300
    assert store.want_keys(names(5, "u"), NOON) == 0
    assert count(store) == 1000 == len(store.wanted_keys(2000))
    store.drop_wanted_keys(store.wanted_keys(999))
    assert store.want_keys(names(1000, "v"), NOON) == 999


def test_workers_who_want_together_keep_the_limit(
    settings: StoreSettings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_WANTED", 10)
    together = threading.Barrier(4)

    def want(number: int) -> int:
        mine = open_store(settings, HandClock(), busy_timeout=timedelta(seconds=30))
        try:
            together.wait(30)
            return sum(mine.want_keys([name], NOON) for name in names(5, f"w{number}-"))
        finally:
            mine.close()

    with ThreadPoolExecutor(4) as pool:
        added = sum(pool.map(want, range(4)))
    assert (added, count(store)) == (10, 10)
