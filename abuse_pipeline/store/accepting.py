"""Taking submissions in: durable when the call returns, and once, however often the same message is offered.

Two accepts of the same bytes meet at the bytes' row in the vault: its lock (on SQLite the write lock of the whole
database) makes one wait until the other has committed. Rows are locked in the order of their digests, so batches
cannot wait for each other in a ring.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from abuse_pipeline.model import Status
from abuse_pipeline.store import codec
from abuse_pipeline.store.database import Transaction
from abuse_pipeline.store.ids import IdMaker
from abuse_pipeline.store.records import Accepted, Arrival
from abuse_pipeline.store.room import Room, chunks
from abuse_pipeline.store.schema import submissions, vault_envelopes, vault_messages

AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)
"""`lease_until` of a submission that nobody holds."""


class Accepting(Room):
    def accept(self, arrivals: Sequence[Arrival]) -> tuple[Accepted, ...]:
        """Make *arrivals* durable, all or none, in one transaction; the answers stand in the order of the arrivals.

        The same bytes with the same envelope (sender, set of recipients) are stored once, and the answer names the
        submission that has them. The same bytes with another envelope become a submission of status ``duplicate``.
        Raises StoreUnavailable when the database or its disk does not take them; nothing is stored then.
        """
        if not arrivals:
            return ()
        digests = ["sha256:" + hashlib.sha256(arrival.raw).hexdigest() for arrival in arrivals]
        with self._database.writing() as transaction:
            _keep_bytes(transaction, dict(zip(digests, (arrival.raw for arrival in arrivals), strict=True)))
            batch = _Batch.begin(transaction, sorted(set(digests)), self._ids)
            answers = tuple(batch.take(arrival, digest) for arrival, digest in zip(arrivals, digests, strict=True))
            if batch.rows:
                transaction.run(insert(submissions), batch.rows)
                transaction.run(insert(vault_envelopes), batch.envelopes)
        return answers


def _keep_bytes(transaction: Transaction, raws: dict[str, bytes]) -> None:
    in_order = [{"digest": digest, "raw": raws[digest]} for digest in sorted(raws)]
    transaction.run(insert_or(vault_messages).on_conflict_do_nothing(), in_order)


@dataclass(frozen=True)
class _Batch:
    """One transaction's arrivals: what is known of their digests, and the rows to add."""

    firsts: dict[str, str]
    same: dict[tuple[str, str], str]
    ids: IdMaker
    rows: list[dict[str, object]]
    envelopes: list[dict[str, object]]

    @classmethod
    def begin(cls, transaction: Transaction, digests: Sequence[str], ids: IdMaker) -> _Batch:
        firsts: dict[str, str] = {}
        same: dict[tuple[str, str], str] = {}
        messages, envelopes = vault_messages.c, vault_envelopes.c
        for some in chunks(digests):
            lock = select(messages.digest).where(messages.digest.in_(some)).order_by(messages.digest)
            transaction.rows(lock.with_for_update())
            first = select(submissions.c.digest, submissions.c.id).where(
                submissions.c.digest.in_(some), submissions.c.duplicate_of.is_(None)
            )
            firsts.update((row.digest, row.id) for row in transaction.rows(first))
            known = select(envelopes.digest, envelopes.envelope_key, envelopes.submission)
            for row in transaction.rows(known.where(envelopes.digest.in_(some))):
                same[row.digest, row.envelope_key] = row.submission
        return cls(firsts, same, ids, [], [])

    def take(self, arrival: Arrival, digest: str) -> Accepted:
        key = codec.envelope_key(arrival.envelope)
        there = self.same.get((digest, key))
        if there is not None:
            return Accepted(there, digest, duplicate_of=there)
        id = self.ids.new("S", arrival.received_at)
        first = self.firsts.setdefault(digest, id)
        duplicate_of = None if first == id else first
        self.same[digest, key] = id
        self.rows.append(
            {
                "id": id,
                "received_at": arrival.received_at,
                "channel": arrival.channel,
                "digest": digest,
                "size": len(arrival.raw),
                "status": Status.PENDING if duplicate_of is None else Status.DUPLICATE,
                "duplicate_of": duplicate_of,
                "lease_until": AT_ONCE,
                "attempts": 0,
            }
        )
        self.envelopes.append(
            {
                "submission": id,
                "digest": digest,
                "envelope_key": key,
                "envelope": codec.envelope_to_json(arrival.envelope, arrival.source),
            }
        )
        return Accepted(id, digest, duplicate_of)
