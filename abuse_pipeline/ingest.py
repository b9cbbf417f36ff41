"""Take messages from files through the whole pipeline, to the end, one answer each: the engine of `abuse ingest`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from abuse_pipeline.assess import Assessment, assess
from abuse_pipeline.clock import Clock
from abuse_pipeline.desk import Desk
from abuse_pipeline.documents import Document, Labels, duplicate_document, report_document
from abuse_pipeline.errors import LeaseLost, StoreRefused, StoreUnavailable
from abuse_pipeline.intake.archives import SourceMessage, SourceProblem
from abuse_pipeline.memory import memory_of
from abuse_pipeline.model import Channel, Disposition, Envelope, Outgoing, Status
from abuse_pipeline.pipeline import Processed
from abuse_pipeline.store import Store
from abuse_pipeline.store.records import Accepted, Arrival
from abuse_pipeline.worker import Progress, Worker, last_resort, take_over, worker_name

_BATCH = 100
_BATCH_BYTES = 16 * 1024 * 1024
_ELSEWHERE_SECONDS = 0.1
_LEASE_IS_OVER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Done:
    """One message at its end: the document of the contract, and how many bytes of its source it was."""

    document: Document
    size: int


def ingest(
    messages: Iterable[SourceMessage | SourceProblem], store: Store, desk: Desk, clock: Clock
) -> Iterator[Done | SourceProblem]:
    """Accept *messages* in batches and process each to its end; the answers come in the order of the sources.

    What cannot be read, stored or worked on comes out as a SourceProblem and the rest goes on. An interrupted run can
    be started again: what was accepted is finished then, what was finished is a duplicate. A message that is stuck in
    compiled code ends this process (`last_resort`); in the run after its last try it is parked for staff.
    """
    take_over(store)
    worker = Worker(worker_name("ingest"), store, desk, clock, Progress())
    for batch in _batches(messages):
        for taken in _accept(batch, store, clock):
            yield taken if isinstance(taken, SourceProblem) else _finish(*taken, worker)


def _batches(messages: Iterable[SourceMessage | SourceProblem]) -> Iterator[list[SourceMessage | SourceProblem]]:
    batch: list[SourceMessage | SourceProblem] = []
    size = 0
    for found in messages:
        batch.append(found)
        size += len(found.raw) if isinstance(found, SourceMessage) else 0
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _accept(
    batch: Sequence[SourceMessage | SourceProblem], store: Store, clock: Clock
) -> Iterator[tuple[SourceMessage, Accepted] | SourceProblem]:
    """Store *batch* in one transaction; one by one when the store refuses it, so that only what is at fault is left."""
    arrivals = [
        Arrival(Channel.CLI, Envelope(), found.raw, clock(), found.source)
        for found in batch
        if isinstance(found, SourceMessage)
    ]
    try:
        answers = iter(store.accept(arrivals))
    except StoreUnavailable as error:
        if isinstance(error, StoreRefused) and len(batch) > 1:
            for found in batch:
                yield from _accept((found,), store, clock)
            return
        for found in batch:
            not_stored = SourceProblem(found.source, f"was not stored: {error.what}")
            yield found if isinstance(found, SourceProblem) else not_stored
        return
    for found in batch:
        yield found if isinstance(found, SourceProblem) else (found, next(answers))


def _finish(found: SourceMessage, accepted: Accepted, worker: Worker) -> Done | SourceProblem:
    """Process what was accepted, unless another worker is faster; then wait for it."""
    try:
        processed, tried = _work(accepted.submission, worker)
        if processed is not None:
            document = _document(found, accepted, processed, worker)
        elif accepted.duplicate_of is not None and not tried:
            document = _duplicate(found, accepted, accepted.duplicate_of)
        else:
            document = _stored(found, accepted, worker)
    except (StoreUnavailable, LeaseLost) as error:
        return SourceProblem(found.source, f"is stored, but not finished: {error.what}")
    return Done(document, len(found.raw))


def _work(submission: str, worker: Worker) -> tuple[Processed | None, bool]:
    """Work on *submission* until it is finished. None when it was parked, or finished by another worker; and whether
    we had a hand in it.

    What the store refuses is tried again at once; every try is counted, and after the last one it is parked. What
    another worker holds is waited for until its lease must have run out, and then it is ours.
    Raises LeaseLost when that worker still has it then: it lives and is busy. Raises StoreUnavailable.
    """
    store, workers = worker.store, worker.desk.settings.workers
    name = worker_name(submission)
    patience = time.monotonic() + workers.lease.total_seconds() + _LEASE_IS_OVER_SECONDS
    tried = False
    try:
        while store.submission(submission).status is Status.PENDING:
            claim = store.claim_submission(submission, name, workers.lease)
            if claim is not None:
                tried = True
                with last_resort(workers.report_timeout):
                    processed = worker.work_one(claim)
                if processed is not None:
                    return processed, tried
            elif time.monotonic() > patience:
                raise LeaseLost("another worker is still busy with it")
            else:
                time.sleep(_ELSEWHERE_SECONDS)
    except (StoreUnavailable, KeyboardInterrupt):
        with suppress(StoreUnavailable):  # then the next run takes it over, and one try too many is counted
            store.release_worker(name)
        raise
    return None, tried


def _duplicate(found: SourceMessage, accepted: Accepted, original: str) -> Document:
    labels = Labels(accepted.submission, found.source, accepted.digest, Status.DUPLICATE, duplicate_of=original)
    return duplicate_document(labels)


def _document(found: SourceMessage, accepted: Accepted, processed: Processed, worker: Worker) -> Document:
    labels = Labels(
        submission=accepted.submission,
        source=found.source,
        digest=accepted.digest,
        status=processed.status,
        reporter=processed.pseudonym,
        cases=processed.cases,
    )
    outgoing = [(sent.id, sent.outgoing) for sent in processed.outgoing]
    return report_document(labels, processed.assessment, outgoing, worker.desk.settings.provider.zone)


def _stored(found: SourceMessage, accepted: Accepted, worker: Worker) -> Document:
    """What the store holds of a submission that was parked, or that another worker finished.

    For its incidents the path up to the decision is repeated: it gives the same answer for the same bytes. What was
    parked has none, and is not read again: it may be what breaks the reader.
    """
    store, desk = worker.store, worker.desk
    record = store.submission(accepted.submission)
    cases = store.cases_of_submission(accepted.submission)
    shown = Assessment(None, record.format, record.language, None, record.disposition or Disposition.STAFF, ())
    if cases:
        now = worker.clock()
        again = assess(found.raw, Envelope(), desk, now, memory_of(store, desk, now))
        if (len(again.incidents), again.disposition) == (len(cases), record.disposition):
            shown = again
    labels = Labels(
        submission=accepted.submission,
        source=found.source,
        digest=accepted.digest,
        status=record.status,
        reporter=record.reporter,
        cases=cases if shown.incidents else (),
    )
    outgoing = [
        (sent.id, Outgoing(sent.kind, b"", sent.state, sent.reason))
        for sent in store.outgoing(submission=accepted.submission)
    ]
    return report_document(labels, shown, outgoing, desk.settings.provider.zone)
