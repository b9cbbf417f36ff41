"""The work queue: claims with a lease, so that the submissions of a killed worker come back by themselves."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, select, update

from abuse_pipeline.errors import LeaseLost
from abuse_pipeline.model import Channel, Disposition, Status, Submission
from abuse_pipeline.store import codec
from abuse_pipeline.store.accepting import AT_ONCE
from abuse_pipeline.store.database import Transaction
from abuse_pipeline.store.records import Claim
from abuse_pipeline.store.room import Room, chunks
from abuse_pipeline.store.schema import submissions, vault_envelopes, vault_messages
from abuse_pipeline.store.unit import UnitOfWork

_BATCH_BYTES = 64 * 1024 * 1024
"""A batch of claims brings no more raw bytes into memory than this, unless its first message alone does."""


class Queue(Room):
    def claim(self, worker: str, limit: int, lease: timedelta) -> tuple[Claim, ...]:
        """Take up to *limit* pending submissions, oldest first, for *lease*; nobody else gets them until it runs out.

        `attempts` counts every claim, so that the caller can park what keeps killing its workers. Fewer than *limit*
        may come although more are waiting: one batch holds at most 64 MiB of messages.
        """
        return self._claim(worker, limit, lease, submissions.c.id.is_not(None))

    def claim_submission(self, id: str, worker: str, lease: timedelta) -> Claim | None:
        """Take this one; None when it is not pending or somebody holds it."""
        claims = self._claim(worker, 1, lease, submissions.c.id == id)
        return claims[0] if claims else None

    def _claim(self, worker: str, limit: int, lease: timedelta, which: ColumnElement[bool]) -> tuple[Claim, ...]:
        now = self._lease_clock()
        token = secrets.token_hex(16)
        table = submissions.c
        # A CTE and not a plain subquery: PostgreSQL may run that one twice and lock more rows than the limit.
        picked = (
            select(table.id)
            .where(table.status == Status.PENDING, table.lease_until <= now, which)
            .order_by(table.received_at, table.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("picked")
        )
        take = (
            update(submissions)
            .where(table.id.in_(select(picked.c.id)))
            .values(worker=worker, token=token, lease_until=now + lease, attempts=table.attempts + 1)
            .returning(table.id, table.received_at, table.channel, table.digest, table.size, table.attempts)
        )
        with self._database.writing() as transaction:
            rows = sorted(transaction.rows(take), key=lambda row: (row.received_at, row.id))
            kept = _within_memory(rows)
            _give_back(transaction, [row.id for row in rows[len(kept) :]])
            return _claims(transaction, kept, token)

    def renew(self, claims: Sequence[Claim], lease: timedelta) -> tuple[Claim, ...]:
        """Hold *claims* for *lease* from now; gives those that are still ours. The others were taken over."""
        until = self._lease_clock() + lease
        held: set[str] = set()
        with self._database.writing() as transaction:
            for claim in sorted(claims, key=lambda claim: claim.submission.id):
                if transaction.run(update(submissions).where(_held_by(claim)).values(lease_until=until)):
                    held.add(claim.submission.id)
        return tuple(claim for claim in claims if claim.submission.id in held)

    def release(self, claim: Claim) -> None:
        """Give *claim* back at once; its attempt stays counted. Nothing happens when it is not ours any more."""
        with self._database.writing() as transaction:
            transaction.run(update(submissions).where(_held_by(claim)).values(**_FREE))

    def workers_with_claims(self) -> tuple[str, ...]:
        """Who holds claims now, their leases run out or not."""
        held = and_(submissions.c.status == Status.PENDING, submissions.c.worker.is_not(None))
        with self._database.reading() as transaction:
            rows = transaction.rows(select(submissions.c.worker).distinct().where(held).order_by(submissions.c.worker))
        return tuple(row.worker for row in rows)

    def release_worker(self, worker: str, charge: str | None = None) -> int:
        """Give back all that *worker* holds, once it is known to be dead. Gives how many.

        charge: the submission that it was working on, which keeps its counted attempt; the others were only waiting
        in its batch and must not be parked for what another one did.
        """
        held = and_(
            submissions.c.worker == worker, submissions.c.status == Status.PENDING, submissions.c.token.is_not(None)
        )
        guilty = submissions.c.id == (charge or "")
        with self._database.writing() as transaction:
            charged = transaction.run(update(submissions).where(held, guilty).values(**_FREE))
            returned = {**_FREE, "attempts": submissions.c.attempts - 1}
            return charged + transaction.run(update(submissions).where(held).values(**returned))

    def park(self, claim: Claim, reason: str) -> None:
        """Leave the submission to staff for *reason*; its bytes stay. Raises LeaseLost when it is not ours now."""
        with self._database.writing() as transaction:
            changed = transaction.run(
                update(submissions)
                .where(_held_by(claim))
                .values(
                    status=Status.STAFF,
                    disposition=Disposition.STAFF,
                    reason=reason,
                    finished_at=self._clock(),
                    **_FREE,
                )
            )
            if not changed:
                raise _lost(claim)

    @contextmanager
    def completing(self, claim: Claim) -> Iterator[UnitOfWork]:
        """The one transaction that ends the work on *claim*: everything done on the unit is stored together with
        "done", or, when the block raises, nothing is.

        Raises LeaseLost when another worker took the submission over or it is finished already.
        """
        with self._database.writing() as transaction:
            held = select(submissions.c.id).where(_held_by(claim)).with_for_update()
            if transaction.value(held) is None:
                raise _lost(claim)
            unit = UnitOfWork(transaction, claim.submission, self._clock(), (self._key, self._ids))
            yield unit
            unit.finish()


_FREE: dict[str, Any] = {"worker": None, "token": None, "lease_until": AT_ONCE}


def _held_by(claim: Claim) -> ColumnElement[bool]:
    return and_(
        submissions.c.id == claim.submission.id,
        submissions.c.token == claim.token,
        submissions.c.status == Status.PENDING,
    )


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost("another worker has it, or it is finished", where=claim.submission.id)


def _within_memory(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    kept: list[Row[Any]] = []
    size = 0
    for row in rows:
        size += row.size
        if kept and size > _BATCH_BYTES:
            break
        kept.append(row)
    return kept


def _give_back(transaction: Transaction, ids: Sequence[str]) -> None:
    if ids:
        attempts = submissions.c.attempts - 1
        transaction.run(update(submissions).where(submissions.c.id.in_(ids)).values(attempts=attempts, **_FREE))


def _claims(transaction: Transaction, rows: Sequence[Row[Any]], token: str) -> tuple[Claim, ...]:
    raws: dict[str, bytes] = {}
    envelopes: dict[str, str] = {}
    for some in chunks(rows):
        messages = select(vault_messages).where(vault_messages.c.digest.in_([row.digest for row in some]))
        raws.update((row.digest, bytes(row.raw)) for row in transaction.rows(messages))
        wanted = select(vault_envelopes.c.submission, vault_envelopes.c.envelope)
        wanted = wanted.where(vault_envelopes.c.submission.in_([row.id for row in some]))
        envelopes.update((row.submission, row.envelope) for row in transaction.rows(wanted))
    return tuple(Claim(_submission(row, envelopes[row.id]), raws[row.digest], token, row.attempts) for row in rows)


def _submission(row: Row[Any], envelope_json: str) -> Submission:
    envelope, source = codec.envelope_from_json(envelope_json)
    return Submission(row.id, row.received_at, Channel(row.channel), row.digest, envelope, source)
