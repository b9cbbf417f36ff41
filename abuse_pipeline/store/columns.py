"""Column types that behave the same on SQLite and PostgreSQL, whatever bytes the internet sends.

SQLite drops time zones, PostgreSQL refuses NUL in text, and neither driver takes lone surrogates.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Micros(TypeDecorator[datetime]):
    """An aware datetime as integer microseconds since 1970 in UTC. A naive one is refused with ValueError."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else from_micros(int(value))


class SafeText(TypeDecorator[str]):
    """Text fit for both engines: NUL and lone surrogates become U+FFFD. Gives back a plain ``str``."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else _UNSTORABLE.sub("\ufffd", str(value))


class VaultText(TypeDecorator[str]):
    """Text of the vault, kept as bytes so that it comes back exactly as it was, lone surrogates and NUL included."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else value.encode("utf-8", "surrogatepass")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else bytes(value).decode("utf-8", "surrogatepass")


def to_micros(at: datetime) -> int:
    """Raises ValueError for a naive datetime: without a zone it is no instant."""
    if at.tzinfo is None or at.utcoffset() is None:
        raise ValueError("a time without a zone cannot be stored")
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
