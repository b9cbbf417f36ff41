"""The outbox: finished messages and who let them go.

::

    held ──approve──▶ queued ──mark_sent──▶ sent
      ◀───hold──────    │ mark_failed
                        ▼
                      failed ──retry──▶ queued
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, update

from abuse_pipeline.errors import UnknownRecord, WrongState
from abuse_pipeline.model import IPAddress, OutgoingState
from abuse_pipeline.store.cases import events_of
from abuse_pipeline.store.database import Transaction
from abuse_pipeline.store.records import CaseEvent, OutgoingKind, OutgoingRecord
from abuse_pipeline.store.room import Room, add_history, chunks
from abuse_pipeline.store.schema import incidents, outgoing, outgoing_submissions, vault_outgoing
from abuse_pipeline.store.unit import DESK


class Outbox(Room):
    def outgoing(
        self,
        kind: OutgoingKind | None = None,
        state: OutgoingState | None = None,
        due_before: datetime | None = None,
        submission: str | None = None,
    ) -> tuple[OutgoingRecord, ...]:
        """Messages that fit every filter given, the one due first first.

        due_before: due at this time or earlier. submission: messages that it has a part in.
        """
        query = select(outgoing).order_by(outgoing.c.due_at, outgoing.c.id)
        if kind is not None:
            query = query.where(outgoing.c.kind == kind)
        if state is not None:
            query = query.where(outgoing.c.state == state)
        if due_before is not None:
            query = query.where(outgoing.c.due_at <= due_before)
        if submission is not None:
            mine = select(outgoing_submissions.c.outgoing).where(outgoing_submissions.c.submission == submission)
            query = query.where(outgoing.c.id.in_(mine))
        with self._database.reading() as transaction:
            rows = transaction.rows(query)
            submissions = _submissions(transaction, [row.id for row in rows])
        return tuple(_record(row, submissions.get(row.id, ())) for row in rows)

    def outgoing_record(self, id: str) -> OutgoingRecord:
        """Raises UnknownRecord."""
        with self._database.reading() as transaction:
            row = _found(transaction.row(select(outgoing).where(outgoing.c.id == id)), id)
            return _record(row, _submissions(transaction, [id]).get(id, ()))

    def outgoing_message(self, id: str) -> bytes:
        """The finished message, RFC 5322 with CRLF. Raises UnknownRecord."""
        query = select(vault_outgoing.c.message).where(vault_outgoing.c.outgoing == id)
        with self._database.reading() as transaction:
            return bytes(_found(transaction.row(query), id).message)

    def outgoing_history(self, id: str) -> tuple[CaseEvent, ...]:
        """Who did what with the message, oldest first; empty while nobody has."""
        with self._database.reading() as transaction:
            return events_of(transaction, id)

    def approve(self, id: str, who: str) -> None:
        """Let a held message go: queued and due at once, so what staff has read is what leaves.

        Raises UnknownRecord; WrongState when it is not held.
        """
        now = self._clock()
        self._move(id, OutgoingState.HELD, OutgoingState.QUEUED, (who, "approved", ""), {"reason": None, "due_at": now})

    def hold(self, id: str, who: str, reason: str) -> None:
        """Stop a queued message. Raises UnknownRecord; WrongState when it is not queued."""
        self._move(id, OutgoingState.QUEUED, OutgoingState.HELD, (who, "held", reason), {"reason": reason})

    def retry(self, id: str, who: str) -> None:
        """Queue a failed message again, due at once. Raises UnknownRecord; WrongState when it has not failed."""
        values = {"reason": None, "due_at": self._clock(), "finished_at": None}
        self._move(id, OutgoingState.FAILED, OutgoingState.QUEUED, (who, "queued again", ""), values)

    def mark_sent(self, id: str, message: bytes) -> bool:
        """Record that *message* left. False, and nothing recorded, when it took up a later report since it was read:
        what left must be what is on record as said.

        Raises UnknownRecord; WrongState when it is not queued.
        """
        event = (DESK, "sent", "")
        return self._move(
            id, OutgoingState.QUEUED, OutgoingState.SENT, event, {"finished_at": self._clock()}, only_if=message
        )

    def mark_failed(self, id: str, reason: str) -> None:
        """Raises UnknownRecord; WrongState when it is not queued."""
        values = {"reason": reason, "finished_at": self._clock()}
        self._move(id, OutgoingState.QUEUED, OutgoingState.FAILED, (DESK, "failed", reason), values)

    def _move(
        self,
        id: str,
        old: OutgoingState,
        new: OutgoingState,
        event: tuple[str, str, str],
        values: dict[str, Any],
        only_if: bytes | None = None,
    ) -> bool:
        with self._database.writing() as transaction:
            found = _found(transaction.row(select(outgoing).where(outgoing.c.id == id).with_for_update()), id)
            if found.state != old:
                raise WrongState(f"the {found.kind} is {found.state}, not {old}", where=id)
            now = transaction.value(select(vault_outgoing.c.message).where(vault_outgoing.c.outgoing == id))
            if only_if is not None and bytes(now) != only_if:
                return False
            transaction.run(update(outgoing).where(outgoing.c.id == id).values(state=new, **values))
            add_history(transaction, id, self._clock(), event)
        return True

    def queued_replies_of_ip(self, ip: IPAddress) -> tuple[tuple[str, str], ...]:
        """(reply, submission) for every reply that is queued and not yet due, to a report of an incident from *ip*."""
        link = outgoing_submissions.c
        query = (
            select(outgoing.c.id, link.submission)
            .distinct()
            .join(outgoing_submissions, link.outgoing == outgoing.c.id)
            .join(incidents, incidents.c.submission == link.submission)
            .where(incidents.c.origin_ip == str(ip), outgoing.c.kind == "reply")
            .where(outgoing.c.state == OutgoingState.QUEUED, outgoing.c.due_at > self._clock())
            .order_by(outgoing.c.id)
        )
        with self._database.reading() as transaction:
            return tuple((row.id, row.submission) for row in transaction.rows(query))

    def replace_message(self, id: str, message: bytes) -> None:
        """Put *message* in the place of one that is queued and not yet due.

        Raises UnknownRecord; WrongState when it is due, held, sent or failed.
        """
        with self._database.writing() as transaction:
            found = _found(transaction.row(select(outgoing).where(outgoing.c.id == id).with_for_update()), id)
            if found.state != OutgoingState.QUEUED or found.due_at <= self._clock():
                raise WrongState(f"the {found.kind} is {found.state} and may be leaving", where=id)
            transaction.run(update(vault_outgoing).where(vault_outgoing.c.outgoing == id).values(message=message))


def _found(row: Row[Any] | None, id: str) -> Row[Any]:
    if row is None:
        raise UnknownRecord("there is no outgoing message with this id", where=id, todo="see `abuse outbox list`")
    return row


def _submissions(transaction: Transaction, ids: list[str]) -> dict[str, tuple[str, ...]]:
    link = outgoing_submissions
    found: dict[str, tuple[str, ...]] = {}
    for some in chunks(ids):
        query = select(link).where(link.c.outgoing.in_(some)).order_by(link.c.submission)
        for row in transaction.rows(query):
            found[row.outgoing] = (*found.get(row.outgoing, ()), row.submission)
    return found


def _record(row: Row[Any], submissions: tuple[str, ...]) -> OutgoingRecord:
    return OutgoingRecord(
        id=row.id,
        kind=row.kind,
        state=OutgoingState(row.state),
        case=row.case_id,
        customer=row.customer,
        reporter=row.reporter,
        submissions=submissions,
        due_at=row.due_at,
        reason=row.reason,
        created_at=row.created_at,
    )
