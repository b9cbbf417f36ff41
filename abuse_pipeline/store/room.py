"""What the parts of the store share: the database, the clock, the key and the ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import func, insert, select

from abuse_pipeline.clock import Clock
from abuse_pipeline.store import schema
from abuse_pipeline.store.database import CHUNK, Database, Transaction
from abuse_pipeline.store.ids import IdMaker

_T = TypeVar("_T")


class Room:
    """Base of the store's parts; each adds the methods of one noun."""

    def __init__(self, database: Database, key: bytes, clock: Clock, lease_clock: Clock) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._lease_clock = lease_clock
        self._ids = IdMaker()


def chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def add_history(transaction: Transaction, subject: str, at: datetime, event: tuple[str, str, str]) -> None:
    """Append (who, action, text) to the history of *subject*, whose own row the caller has locked."""
    who, action, text = event
    history = schema.history
    position = select(func.coalesce(func.max(history.c.position), 0) + 1).where(history.c.subject == subject)
    transaction.run(
        insert(history).values(
            subject=subject, position=position.scalar_subquery(), at=at, who=who, action=action, text=text
        )
    )
