"""First use, later uses, and everything that can be wrong with the place."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from store_world import HandClock, answer_of, arrival, child

from abuse_pipeline.errors import ConfigurationError, StoreUnavailable
from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store, open_store, opening, schema

MIGRATIONS = Path(opening.__file__).parent / "migrations"


def reopen(settings: StoreSettings) -> None:
    open_store(settings, HandClock(), busy_timeout=timedelta(seconds=1)).close()


def test_the_first_use_makes_everything_for_its_owner_only(settings: StoreSettings) -> None:
    reopen(settings)
    key = settings.keys / "pseudonym.key"
    assert len(bytes.fromhex(key.read_text("ascii").strip())) == 32
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.keys.stat().st_mode) == 0o700
    assert [file.name for file in settings.keys.iterdir()] == ["pseudonym.key"]
    if settings.url.startswith("sqlite"):
        database = Path(settings.url.removeprefix("sqlite:///"))
        assert stat.S_IMODE(database.stat().st_mode) == 0o600
        assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700


def test_a_later_use_finds_what_was_there(settings: StoreSettings) -> None:
    first = open_store(settings, HandClock())
    (accepted,) = first.accept([arrival()])
    name, key = first.pseudonym("taro@reporter.example"), first.pseudonym_key
    first.close()
    first.close()
    second = open_store(settings, HandClock())
    assert second.raw_message(accepted.submission) == arrival().raw
    assert (second.pseudonym("taro@reporter.example"), second.pseudonym_key) == (name, key)
    second.close()


def test_a_later_use_needs_no_migration_tool(settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    reopen(settings)
    monkeypatch.setattr(opening, "_prepare", lambda *_: pytest.fail("there is nothing to prepare"))
    reopen(settings)


def test_processes_that_come_first_together_agree(settings: StoreSettings) -> None:
    children = [child("key", settings) for _ in range(2)]
    keys = {answer_of(process) for process in children}
    assert keys == {(settings.keys / "pseudonym.key").read_text("ascii").strip()}


def test_threads_that_come_first_together_agree(settings: StoreSettings) -> None:
    together = threading.Barrier(8)

    def first_use(_: int) -> bytes:
        together.wait(30)
        store = open_store(settings, HandClock())
        try:
            return store.pseudonym_key
        finally:
            store.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(first_use, range(8)))) == 1


def test_on_sqlite_only_one_at_a_time_prepares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting WAL is no transaction: only the folder's lock keeps first users apart there."""
    inside: list[int] = []
    most: list[int] = []
    set_wal = opening._set_wal

    def slow(place: Path) -> None:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        set_wal(place)

    monkeypatch.setattr(opening, "_set_wal", slow)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: reopen(sqlite_at(tmp_path / "a.db")), range(4)))
    assert max(most) == 1


@pytest.mark.parametrize("lost", ["file", "folder"])
def test_a_store_whose_key_is_gone_never_gets_a_new_one(settings: StoreSettings, lost: str) -> None:
    reopen(settings)
    shutil.rmtree(settings.keys) if lost == "folder" else (settings.keys / "pseudonym.key").unlink()
    with pytest.raises(ConfigurationError, match=r"pseudonym\.key: the key of this store is gone; restore"):
        reopen(settings)
    assert not (settings.keys / "pseudonym.key").exists()


@pytest.mark.parametrize(
    ("content", "problem"), [("ab" * 32, "another store"), ("ab", "not a key"), ("鍵", "not a key")]
)
def test_a_key_that_does_not_fit_is_an_error(settings: StoreSettings, content: str, problem: str) -> None:
    reopen(settings)
    (settings.keys / "pseudonym.key").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=problem):
        reopen(settings)


def test_a_key_without_a_finished_database_is_taken(settings: StoreSettings) -> None:
    """A first use that was killed after the key and before the commit."""
    settings.keys.mkdir(parents=True)
    (settings.keys / "pseudonym.key").write_text("ab" * 32)
    store = open_store(settings, HandClock())
    assert store.pseudonym_key == b"\xab" * 32
    store.close()


def test_a_first_use_that_fails_leaves_no_half_store(settings: StoreSettings) -> None:
    settings.keys.parent.mkdir(exist_ok=True)
    settings.keys.write_text("a file where the folder must be")
    with pytest.raises(ConfigurationError, match="key cannot be"):
        reopen(settings)
    settings.keys.unlink()
    reopen(settings)


def test_migrations_make_the_tables_of_the_schema(store: Store) -> None:
    with store._database.writing() as transaction:
        context = MigrationContext.configure(transaction.connection)
        assert compare_metadata(context, schema.metadata) == []
        found = inspect(transaction.connection).get_indexes("submissions")
        assert {index["name"] for index in found if index["unique"]} == {"ix_submissions_first"}


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_a_store_of_a_newer_version_is_left_alone(settings: StoreSettings) -> None:
    store = open_store(settings, HandClock())
    with store._database.writing() as transaction:
        transaction.run(text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        reopen(settings)


def test_every_connection_of_sqlite_is_durable_and_checks_references(tmp_path: Path) -> None:
    store = open_store(StoreSettings(url=f"sqlite:///{tmp_path}/a.db", keys=tmp_path / "keys"), HandClock())
    with store._database.writing() as transaction:
        asked = [transaction.value(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert asked == ["wal", 2, 1]
    with store._database.reading() as reading, pytest.raises(StoreUnavailable, match="readonly"):
        reading.run(text("DELETE FROM meta"))
    store.close()


def test_postgresql_never_says_done_too_early(postgres: object, postgres_url: str, tmp_path: Path) -> None:
    name = postgres_url.partition("@/")[2].partition("?")[0]
    postgres.psql(f'ALTER DATABASE "{name}" SET synchronous_commit = off')  # type: ignore[attr-defined]
    store = open_store(StoreSettings(url=postgres_url, keys=tmp_path / "keys"), HandClock())
    with store._database.writing() as transaction:
        assert transaction.value(text("SHOW synchronous_commit")) == "on"
    store.close()


def test_odd_characters_in_the_path(tmp_path: Path) -> None:
    folder = tmp_path / "100% 苦情?mode=ro#x"
    store = open_store(StoreSettings(url=f"sqlite:///{folder}/a.db", keys=folder / "keys"), HandClock())
    store.accept([arrival()])
    store.close()
    assert (folder / "a.db").stat().st_size > 0


def sqlite_at(path: Path) -> StoreSettings:
    return StoreSettings(url=f"sqlite:///{path}", keys=path.parent / "keys")


def test_places_that_cannot_hold_a_store(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "text.db").write_text("this is not a database, it is a text of more than sixteen bytes")
    for path, problem in (
        (tmp_path / "folder.db", "directory"),
        (tmp_path / "file" / "a.db", r"a\.db: the database cannot be written"),
        (tmp_path / "text.db", "not an SQLite database"),
    ):
        with pytest.raises(ConfigurationError, match=problem) as caught:
            reopen(sqlite_at(path))
        assert "\n" not in str(caught.value)
    assert (tmp_path / "text.db").read_text().startswith("this is not")


def test_a_database_of_something_else_is_no_store(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE cases (theirs)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreUnavailable, match="table cases already exists"):
        reopen(sqlite_at(tmp_path / "other.db"))


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://nobody:geheim@/abuse?host={tmp_path}"
    with pytest.raises(StoreUnavailable, match="not available") as caught:
        reopen(StoreSettings(url=url, keys=tmp_path / "keys"))
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert not (tmp_path / "keys").exists()


def test_a_url_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"store\.url"):
        reopen(StoreSettings(url="postgresql+psycopg://h:port/x", keys=tmp_path))
