"""Killed processes, full disks, lost servers: nothing half-stored, one clear error, and it goes on afterwards."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from store_world import LEASE, NOON, HandClock, a_reply, arrival, child, claim_one, complete, many, record

from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.model import Status
from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store, open_store


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.readline().strip() or process.stderr.read()


def test_killed_in_the_middle_of_a_result(store: Store, settings: StoreSettings, lease_clock: HandClock) -> None:
    (accepted,) = store.accept([arrival()])
    process = child("die_in_unit", settings)
    assert first_line(process) == "ready"
    process.kill()
    process.communicate()
    assert store.cases() == store.outgoing() == ()
    found = store.submission(accepted.submission)
    assert (found.status, found.reporter) == (Status.PENDING, None)
    lease_clock.forward(days=100_000)
    (again,) = store.claim("next", 1, LEASE)
    assert again.attempts == 2
    complete(store, again)
    assert store.submission(accepted.submission).status is Status.DONE


def test_killed_in_the_middle_of_an_accept(store: Store, settings: StoreSettings) -> None:
    process = child("die_in_accept", settings)
    assert first_line(process) == "ready"
    process.kill()
    process.communicate()
    with store._database.reading() as transaction:
        assert transaction.value(text("SELECT count(*) FROM vault_messages")) == 0
    assert len(store.accept([arrival()])) == 1


def test_what_was_answered_before_the_kill_is_there(store: Store, settings: StoreSettings) -> None:
    process = child("accept_forever", settings)
    while int(first_line(process)) < 20:
        pass
    process.kill()
    rest, _ = process.communicate()
    answered = max([20, *(int(line) for line in rest.split("\n")[:-1])])
    raws = {store.raw_message(found.id) for found in store.submissions()}
    assert {f"endless {n}".encode() for n in range(answered + 1)} <= raws


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    settings = StoreSettings(url=f"sqlite:///{tmp_path}/a.db", keys=tmp_path / "keys")
    store = open_store(settings, HandClock(), busy_timeout=timedelta(milliseconds=200))
    yield store
    store.close()


def test_a_full_disk_is_said_and_forgotten(sqlite_store: Store) -> None:
    store = sqlite_store
    waiting = claim_one(store, b"before")
    with store._database.writing() as transaction:
        pages = transaction.value(text("PRAGMA page_count"))
        transaction.value(text(f"PRAGMA max_page_count={pages + 2}"))
    with pytest.raises(StoreUnavailable, match="full"):
        store.accept([*many(3), arrival(b"x" * 100_000)])
    assert len(store.submissions()) == 1, "all or none"
    with pytest.raises(StoreUnavailable, match="full"), store.completing(waiting) as unit:
        unit.put_reply(a_reply(b"x" * 100_000), NOON)
    assert store.outgoing() == ()
    with store._database.writing() as transaction:
        transaction.value(text("PRAGMA max_page_count=1000000"))
    assert len(store.accept([*many(3), arrival(b"x" * 100_000)])) == 4
    complete(store, waiting)


def test_a_lock_held_too_long_is_said_and_forgotten(sqlite_store: Store, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        sqlite_store.accept([arrival()])
    assert sqlite_store.submissions() == (), "reading goes on"
    other.execute("ROLLBACK")
    other.close()
    assert len(sqlite_store.accept([arrival()])) == 1


def test_a_busy_writer_in_this_process_is_waited_for_and_then_said(sqlite_store: Store) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with sqlite_store._database.writing():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    with pytest.raises(StoreUnavailable, match="busy"):
        sqlite_store.accept([arrival()])
    leave.set()
    thread.join()
    assert len(sqlite_store.accept([arrival()])) == 1


def test_a_lost_connection_is_said_and_forgotten(postgres: object, postgres_url: str, tmp_path: Path) -> None:
    store = open_store(StoreSettings(url=postgres_url, keys=tmp_path / "keys"), HandClock())
    claim = claim_one(store, b"x")
    name = postgres_url.partition("@/")[2].partition("?")[0]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"

    def lose_it_in_the_middle() -> None:
        with store.completing(claim) as unit:
            record(unit)
            postgres.psql(cut)  # type: ignore[attr-defined]
            unit.keep_needles("[]")

    with pytest.raises(StoreUnavailable):
        lose_it_in_the_middle()
    assert store.submission(claim.submission.id).status is Status.PENDING
    complete(store, claim)
    assert len(store.accept([arrival()])) == 1
    store.close()


def test_an_error_never_shows_a_value(store: Store) -> None:
    store.accept([arrival()])
    secret = "taro@reporter.example"
    statement = text("INSERT INTO meta (key, value) VALUES (:key, :key)")

    def insert_twice() -> None:
        with store._database.writing() as transaction:
            transaction.run(statement, {"key": secret})
            transaction.run(statement, {"key": secret})

    with pytest.raises(StoreUnavailable) as caught:
        insert_twice()
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_error_never_shows_a_value_of_the_wrong_kind(postgres_url: str, tmp_path: Path) -> None:
    """PostgreSQL quotes the value that it cannot read in its first line."""
    store = open_store(StoreSettings(url=postgres_url, keys=tmp_path / "keys"), HandClock())
    with store._database.reading() as transaction, pytest.raises(StoreUnavailable) as caught:
        transaction.value(text("SELECT CAST(CAST(:value AS TEXT) AS INTEGER)"), {"value": "taro@reporter.example"})
    store.close()
    assert "taro" not in str(caught.value)
    assert "22P02" in str(caught.value), "the engine's own code stays, for who has to mend it"
