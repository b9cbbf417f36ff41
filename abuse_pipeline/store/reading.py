"""Looking at submissions, at what there is of everything, and at the plain columns behind the triage report."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from abuse_pipeline.errors import UnknownRecord
from abuse_pipeline.model import Channel, Disposition, Envelope, Status
from abuse_pipeline.store import codec
from abuse_pipeline.store.records import Counts, SubmissionRecord
from abuse_pipeline.store.room import Room
from abuse_pipeline.store.schema import cases, incidents, outgoing, submissions, vault_envelopes, vault_messages

_TRIAGE = {
    "submission": submissions.c.id,
    "received_at": submissions.c.received_at,
    "channel": submissions.c.channel,
    "status": submissions.c.status,
    "format": submissions.c.format,
    "language": submissions.c.language,
    "disposition": func.coalesce(incidents.c.disposition, submissions.c.disposition),
    "category": incidents.c.category,
    "type": incidents.c.type,
    "severity": incidents.c.severity,
    "network": incidents.c.network,
    "customer": incidents.c.customer,
    "confidence": incidents.c.confidence,
    "holder": incidents.c.holder_kind,
    "case": incidents.c.case_id,
    "reason": submissions.c.reason,
    "reporter": submissions.c.reporter,
}


class Reading(Room):
    def submission(self, id: str) -> SubmissionRecord:
        """Raises UnknownRecord."""
        with self._database.reading() as transaction:
            return _record(_found(transaction.row(select(submissions).where(submissions.c.id == id)), id))

    def submissions(self, status: Status | None = None) -> tuple[SubmissionRecord, ...]:
        """Oldest first."""
        query = select(submissions).order_by(submissions.c.received_at, submissions.c.id)
        if status is not None:
            query = query.where(submissions.c.status == status)
        with self._database.reading() as transaction:
            return tuple(_record(row) for row in transaction.rows(query))

    def raw_message(self, id: str) -> bytes:
        """The bytes of the submission as taken in, from the vault. Raises UnknownRecord."""
        query = select(vault_messages.c.raw).join(submissions, submissions.c.digest == vault_messages.c.digest)
        with self._database.reading() as transaction:
            return bytes(_found(transaction.row(query.where(submissions.c.id == id)), id).raw)

    def envelope(self, id: str) -> Envelope:
        """The envelope of the submission, from the vault. Raises UnknownRecord."""
        query = select(vault_envelopes.c.envelope).where(vault_envelopes.c.submission == id)
        with self._database.reading() as transaction:
            return codec.envelope_from_json(_found(transaction.row(query), id).envelope)[0]

    def counts(self) -> Counts:
        """How many submissions, cases and messages there are in each state, for metrics."""
        waiting = (submissions.c.status == Status.PENDING, submissions.c.token.is_not(None))
        claimed = select(func.count()).select_from(submissions)
        claimed = claimed.where(*waiting, submissions.c.lease_until > self._lease_clock())
        # The column itself, not min() of it: an aggregate would come back as a bare number.
        oldest = select(submissions.c.received_at).where(submissions.c.status == Status.PENDING)
        with self._database.reading() as transaction:
            by_status = transaction.rows(
                select(submissions.c.status, func.count().label("n")).group_by(submissions.c.status)
            )
            by_state = transaction.rows(select(cases.c.state, func.count().label("n")).group_by(cases.c.state))
            messages = select(outgoing.c.kind, outgoing.c.state, func.count().label("n"))
            by_kind = transaction.rows(messages.group_by(outgoing.c.kind, outgoing.c.state))
            return Counts(
                submissions={row.status: row.n for row in by_status},
                cases={row.state: row.n for row in by_state},
                outgoing={(row.kind, row.state): row.n for row in by_kind},
                claimed=int(transaction.value(claimed)),
                oldest_pending=transaction.value(oldest.order_by(submissions.c.received_at).limit(1)),
            )

    def triage_rows(self, since: datetime | None = None, until: datetime | None = None) -> dict[str, list[Any]]:
        """Columns for a data frame: one row per incident of what came in from *since* up to, not including, *until*
        (None: without bound), and one with empty incident columns for a submission without incidents. Oldest first.

        received_at: aware UTC. reason: the incident's reasons, or the submission's where it has none, in one line.
        """
        query = select(*(column.label(name) for name, column in _TRIAGE.items()), incidents.c.reasons)
        query = query.select_from(submissions.outerjoin(incidents, incidents.c.submission == submissions.c.id))
        if since is not None:
            query = query.where(submissions.c.received_at >= since)
        if until is not None:
            query = query.where(submissions.c.received_at < until)
        query = query.order_by(submissions.c.received_at, submissions.c.id, incidents.c.position)
        with self._database.reading() as transaction:
            rows = transaction.rows(query)
        columns: dict[str, list[Any]] = {name: [row._mapping[name] for row in rows] for name in _TRIAGE}
        columns["reason"] = ["; ".join(json.loads(row.reasons or "[]")) or row.reason for row in rows]
        return columns


def _found(row: Row[Any] | None, id: str) -> Row[Any]:
    if row is None:
        raise UnknownRecord("there is no submission with this id", where=id)
    return row


def _record(row: Row[Any]) -> SubmissionRecord:
    return SubmissionRecord(
        id=row.id,
        received_at=row.received_at,
        channel=Channel(row.channel),
        digest=row.digest,
        status=Status(row.status),
        duplicate_of=row.duplicate_of,
        format=row.format,
        language=row.language,
        reporter=row.reporter,
        disposition=None if row.disposition is None else Disposition(row.disposition),
        reason=row.reason,
    )
