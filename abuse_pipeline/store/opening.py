"""Opening a store: the first use makes its folder, tables and keys; every later one checks that they are there.

Several processes may come first at once: a lock on the database's folder (SQLite) or an advisory lock (PostgreSQL)
lets one of them work and the others find everything done.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

from sqlalchemy import inspect, select, text

from abuse_pipeline.clock import Clock, system_clock
from abuse_pipeline.errors import ConfigurationError, StoreUnavailable
from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import schema
from abuse_pipeline.store.database import Database, Transaction, connect_database, sqlite_path
from abuse_pipeline.store.keys import fingerprint_of, make_key, read_key
from abuse_pipeline.store.store import Store

_FINGERPRINT = "pseudonym_key_fingerprint"
_ADVISORY_LOCK = 0x41425553  # "ABUS"


def open_store(
    settings: StoreSettings,
    clock: Clock,
    *,
    lease_clock: Clock = system_clock,
    busy_timeout: timedelta = timedelta(seconds=10),
) -> Store:
    """The store of *settings*, made on first use.

    clock: what is written as the time of things. lease_clock: what leases are measured with; it runs on when
    ``ABUSE_NOW`` stops the other one, else no claim of a killed worker would ever come back.
    busy_timeout: how long a transaction waits for another process before StoreUnavailable.

    Raises ConfigurationError when the keys are gone or of another store, when the place cannot be written, or when a
    newer version of this program made the tables; StoreUnavailable when the database does not answer.
    """
    database = connect_database(settings.url, busy_timeout)
    place = sqlite_path(settings.url) if database.name == "sqlite" else None
    try:
        if place is not None:
            _make_file(place)
        if not _is_ready(database, place):
            _prepare(database, place, settings.keys)
        with database.reading() as transaction:
            fingerprint = _fingerprint(transaction)
        key = read_key(settings.keys, fingerprint or "")
    except BaseException:
        database.close()
        raise
    return Store(database, key, clock, lease_clock)


def _make_file(path: Path) -> None:
    """The database's folder and empty file, for its owner's eyes only; SQLite gives its WAL the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigurationError(
            f"the database cannot be written: {error.strerror}", where=str(path), todo="see store.url"
        ) from None
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConfigurationError("the database's folder is not writable", where=str(path.parent))
    with path.open("rb") as file:
        if file.read(16) not in (b"", b"SQLite format 3\0"):
            raise ConfigurationError("is not an SQLite database", where=str(path), todo="see store.url")


def _is_ready(database: Database, place: Path | None) -> bool:
    with database.reading() as transaction:
        if place is not None and transaction.value(text("PRAGMA journal_mode")) != "wal":
            return False
        return _revision(transaction) == schema.HEAD and _fingerprint(transaction) is not None


def _revision(transaction: Transaction) -> str | None:
    if not inspect(transaction.connection).has_table("alembic_version"):
        return None
    found = transaction.value(text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def _fingerprint(transaction: Transaction) -> str | None:
    found = transaction.value(select(schema.meta.c.value).where(schema.meta.c.key == _FINGERPRINT))
    return None if found is None else str(found)


def _prepare(database: Database, place: Path | None, keys: Path) -> None:
    """Tables and key in one transaction, while everybody else waits. The key is durable before the tables are."""
    with _alone(place) if place is not None else nullcontext():
        if place is not None:
            _set_wal(place)
        with database.writing() as transaction:
            if place is None:
                transaction.run(select(text(f"pg_advisory_xact_lock({_ADVISORY_LOCK})")))
            if _revision(transaction) != schema.HEAD:
                _migrate(transaction)
            if _fingerprint(transaction) is None:
                fingerprint = fingerprint_of(make_key(keys))
                transaction.run(schema.meta.insert(), {"key": _FINGERPRINT, "value": fingerprint})


def _migrate(transaction: Transaction) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = transaction.connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigurationError(
            "a newer version of this program made this store", where="store.url", todo="install that version"
        ) from error


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    descriptor = os.open(place.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _set_wal(place: Path) -> None:
    """Once in the life of a database: processes that set it at the same time lock each other out."""
    try:
        connection = sqlite3.connect(place, timeout=10, isolation_level=None)
        try:
            mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database cannot be set up: {error}", where=str(place)) from None
    if mode != "wal":
        raise ConfigurationError("this file system cannot hold the database (no WAL)", where=str(place))
