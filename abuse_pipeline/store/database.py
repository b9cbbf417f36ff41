"""One database, two engines: connections, transactions, and what a driver's error means to us.

SQLite: one writing connection per process that begins with BEGIN IMMEDIATE, several reading ones; WAL (set once, in
`opening`), synchronous=FULL. PostgreSQL: one pool, READ COMMITTED, synchronous_commit never off.
A `Database` belongs to the process that made it: open another one after a fork.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Executable, Row, create_engine, event, make_url
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from abuse_pipeline.errors import ConfigurationError, StoreRefused, StoreUnavailable

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]

CHUNK = 500
"""How many values one IN (…) gets: far below every engine's limit."""


class Transaction:
    """One transaction. Every call may raise StoreUnavailable; nothing of the driver comes out."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def run(self, statement: Executable, parameters: Parameters | None = None) -> int:
        """Execute; of an UPDATE or DELETE, gives the number of rows changed."""
        with translated():
            result = self.connection.execute(statement, parameters)
            count: int = getattr(result, "rowcount", -1)
            return count

    def rows(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        with translated():
            return self.connection.execute(statement, parameters).all()

    def row(self, statement: Executable, parameters: Parameters | None = None) -> Row[Any] | None:
        with translated():
            return self.connection.execute(statement, parameters).first()

    def value(self, statement: Executable, parameters: Parameters | None = None) -> Any:
        """The first column of the first row, None without one."""
        with translated():
            return self.connection.execute(statement, parameters).scalar()


class Database:
    """Where transactions come from. Thread-safe."""

    def __init__(self, writer: Engine, reader: Engine) -> None:
        self._writer = writer
        self._reader = reader
        self.name = writer.dialect.name

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction that is durable when the block ends, and rolled back when it raises.

        Raises StoreUnavailable when the engine or its disk does not take it.
        """
        with translated(), self._writer.begin() as connection:
            yield Transaction(connection)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one state and changes nothing."""
        with translated(), self._reader.connect() as connection:
            yield Transaction(connection)

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()


def connect_database(url: str, busy_timeout: timedelta) -> Database:
    """Engines for *url*; nothing is opened yet. busy_timeout: how long to wait for another writer's lock."""
    if url.startswith("sqlite:"):
        return _sqlite(sqlite_path(url), busy_timeout)
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise ConfigurationError("cannot be read as a database URL", where="store.url") from None
    return _postgresql(parsed, busy_timeout)


def sqlite_path(url: str) -> Path:
    """The file behind ``sqlite:///…``, taken as it stands: a path may hold ``?`` and ``%``."""
    return Path(url.removeprefix("sqlite:///"))


def _sqlite(path: Path, busy_timeout: timedelta) -> Database:
    url = URL.create("sqlite", database=str(path))
    arguments = {"timeout": busy_timeout.total_seconds(), "check_same_thread": False, "isolation_level": None}
    wait = busy_timeout.total_seconds()
    writer = create_engine(
        url, connect_args=arguments, pool_size=1, max_overflow=0, pool_timeout=wait, hide_parameters=True
    )
    reader = create_engine(url, connect_args=arguments, pool_timeout=wait, hide_parameters=True)
    event.listen(writer, "connect", _durable)
    event.listen(reader, "connect", _read_only)
    event.listen(writer, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    event.listen(reader, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return Database(writer, reader)


def _durable(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_size_limit=67108864")


def _read_only(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA query_only=ON")


def _postgresql(url: URL, busy_timeout: timedelta) -> Database:
    arguments = {} if "connect_timeout" in url.query else {"connect_timeout": 10}
    engine = create_engine(url, connect_args=arguments, pool_size=5, pool_pre_ping=True, hide_parameters=True)
    milliseconds = int(busy_timeout.total_seconds() * 1000)

    def durable(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
            cursor.execute(f"SET lock_timeout = {milliseconds}")
        connection.commit()

    event.listen(engine, "connect", durable)
    return Database(engine, engine)


@contextmanager
def translated() -> Iterator[None]:
    """Make StoreUnavailable of every error of the driver.

    The original is cut off (``from None``): its text and its parameters may hold a reporter's address.
    """
    try:
        yield
    except PoolTimeout:
        raise StoreUnavailable("the database is busy: no free connection", todo="try again") from None
    except DBAPIError as error:
        kind = StoreRefused if _is_refusal(error) else StoreUnavailable
        raise kind(_in_one_line(error), todo="look at the database and its disk") from None
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the database layer failed with {type(error).__name__}") from None


def _is_refusal(error: DBAPIError) -> bool:
    """Whether the statement or its values are at fault. SQLSTATE class 54: a limit of the program is exceeded."""
    if isinstance(error, DataError | IntegrityError | NotSupportedError | ProgrammingError):
        return True
    code = _code(error)
    return code == "SQLITE_ERROR" or code.startswith("54")


def _code(error: DBAPIError) -> str:
    cause = error.orig
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None) or type(cause).__name__
    return str(code)


def _in_one_line(error: DBAPIError) -> str:
    """What the driver said, where that cannot hold a value of ours; else only its kind."""
    cause = error.orig
    code = _code(error)
    if not isinstance(error, OperationalError) or cause is None:
        return f"the database refused it ({code})"
    line = re.sub(r"\s+", " ", str(cause).strip().partition("\n")[0])
    return f"the database is not available: {line} ({code})"
