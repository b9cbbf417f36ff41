"""What reports show of the reporters' own side, by the keyed token of their domain: the memory of `trace.learning`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

from sqlalchemy import Row, delete, insert, or_, select

from abuse_pipeline.store.database import Transaction
from abuse_pipeline.store.room import Room, chunks
from abuse_pipeline.store.schema import vault_recipient_relays
from abuse_pipeline.trace.learning import Passage, Sighting

WINDOW: Final = timedelta(days=90)
"""Older sightings teach nothing: organisations move their mail."""

MOST_SIGHTINGS: Final = 500
"""So many are kept of one domain, the newest."""


class Learning(Room):
    def sightings_of(self, domain_token: str, since: datetime, limit: int = MOST_SIGHTINGS) -> tuple[Sighting, ...]:
        """What the reports of one domain showed from *since* on: the newest *limit*, the oldest of them first."""
        column = vault_recipient_relays.c
        newest = select(vault_recipient_relays).where(column.domain == domain_token, column.seen_at >= since)
        newest = newest.order_by(column.seen_at.desc(), column.submission.desc(), column.position.desc()).limit(limit)
        with self._database.reading() as transaction:
            rows = transaction.rows(newest)
        return tuple(_sighting(row) for row in reversed(rows))

    def learned_domains(self, since: datetime) -> tuple[str, ...]:
        """Tokens of the domains of which a report from *since* on showed a host passing mail on, learned or not."""
        column = vault_recipient_relays.c
        query = select(column.domain).distinct().where(column.seen_at >= since, column.client.is_not(None))
        with self._database.reading() as transaction:
            return tuple(row.domain for row in transaction.rows(query.order_by(column.domain)))

    def forget_sightings(self, domain_token: str | None) -> int:
        """Forget what the reports of one domain showed, or, with None, those of all. Gives how many were forgotten.

        Later reports teach anew.
        """
        statement = delete(vault_recipient_relays)
        if domain_token is not None:
            statement = statement.where(vault_recipient_relays.c.domain == domain_token)
        with self._database.writing() as transaction:
            return transaction.run(statement)


def keep_sighting(transaction: Transaction, row: dict[str, Any], passage: Passage) -> None:
    """Keep one sighting, and of its domain only the newest of the window. row: the other columns."""
    shown = {"relay": str(passage.relay), "client": None if passage.client is None else str(passage.client)}
    transaction.run(insert(vault_recipient_relays), {**row, **shown})
    _forget_surplus(transaction, row["domain"], row["seen_at"] - WINDOW)


def _forget_surplus(transaction: Transaction, domain: str, cutoff: datetime) -> None:
    """Rows that another worker is deleting are left to it: nobody waits here, so no ring of waiting can close."""
    column = vault_recipient_relays.c
    mine = select(column.submission).where(column.domain == domain)
    kept = mine.order_by(column.seen_at.desc(), column.submission.desc()).limit(MOST_SIGHTINGS)
    surplus = mine.where(or_(column.seen_at < cutoff, column.submission.not_in(kept)))
    rows = transaction.rows(surplus.with_for_update(skip_locked=True))
    for some in chunks([row.submission for row in rows]):
        transaction.run(delete(vault_recipient_relays).where(column.domain == domain, column.submission.in_(some)))


def _sighting(row: Row[Any]) -> Sighting:
    return Sighting(
        relay=ip_address(row.relay),
        client=None if row.client is None else ip_address(row.client),
        reporter=row.reporter,
        day=row.seen_at.astimezone(UTC).date(),
        submission=row.submission,
    )
