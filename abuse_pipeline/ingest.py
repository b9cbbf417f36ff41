"""Take messages from files through the whole pipeline, to the end, one answer each: the engine of `abuse ingest`."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from abuse_pipeline.assess import Assessment, assess
from abuse_pipeline.clock import Clock
from abuse_pipeline.desk import Desk
from abuse_pipeline.documents import Document, Labels, duplicate_document, report_document
from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.intake.archives import SourceMessage, SourceProblem
from abuse_pipeline.model import Channel, Disposition, Envelope, Outgoing, Status
from abuse_pipeline.pipeline import Processed
from abuse_pipeline.store import Store
from abuse_pipeline.store.records import Accepted, Arrival, SubmissionRecord
from abuse_pipeline.worker import Progress, Worker

_BATCH = 100
_BATCH_BYTES = 16 * 1024 * 1024
_ELSEWHERE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Done:
    """One message at its end: the document of the contract, and how many bytes of its source it was."""

    document: Document
    size: int


def ingest(
    messages: Iterable[SourceMessage | SourceProblem], store: Store, desk: Desk, clock: Clock
) -> Iterator[Done | SourceProblem]:
    """Accept *messages* in batches and process each to its end; the answers come in the order of the sources.

    What cannot be read or stored comes out as a SourceProblem and the rest goes on. An interrupted run can be started
    again: what was accepted is finished then, what was finished is a duplicate.
    """
    # The pid is the one that a service of this machine checks before it takes over what we may leave behind.
    worker = Worker(f"{socket.gethostname()}/{os.getpid()}/ingest", store, desk, clock, Progress())
    for batch in _batches(messages):
        arrivals = [_arrival(found, clock) for found in batch if isinstance(found, SourceMessage)]
        try:
            answers = iter(store.accept(arrivals))
        except StoreUnavailable as error:
            yield from (SourceProblem(found.source, f"was not stored: {error.what}") for found in batch)
            continue
        for found in batch:
            yield found if isinstance(found, SourceProblem) else _finish(found, next(answers), worker)


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


def _arrival(found: SourceMessage, clock: Clock) -> Arrival:
    return Arrival(Channel.CLI, Envelope(), found.raw, clock(), found.source)


def _finish(found: SourceMessage, accepted: Accepted, worker: Worker) -> Done:
    """Process what was accepted, unless another worker is faster; then wait for it."""
    claim = worker.store.claim_submission(accepted.submission, worker.name, worker.desk.settings.workers.lease)
    if claim is None and accepted.duplicate_of is not None:
        labels = Labels(
            accepted.submission, found.source, accepted.digest, Status.DUPLICATE, duplicate_of=accepted.duplicate_of
        )
        return Done(duplicate_document(labels), len(found.raw))
    processed = worker.work_one(claim) if claim is not None else None
    document = _document(found, accepted, processed, worker) if processed else _stored(found, accepted, worker)
    return Done(document, len(found.raw))


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

    The path up to the decision is repeated for it: it gives the same answer for the same bytes.
    """
    store, desk = worker.store, worker.desk
    record = _when_finished(accepted.submission, store)
    now = worker.clock()
    assessment = assess(found.raw, Envelope(), desk, now, known=lambda ip: store.findings_of(ip, now))
    if record.disposition is not assessment.disposition:
        assessment = Assessment(None, record.format, None, None, Disposition.STAFF, (record.reason or "parked",))
    cases = tuple(incident.case for incident in store.incidents_of_submission(accepted.submission))
    labels = Labels(
        submission=accepted.submission,
        source=found.source,
        digest=accepted.digest,
        status=record.status,
        reporter=record.reporter,
        cases=cases if len(cases) == len(assessment.incidents) else (),
    )
    outgoing = [
        (sent.id, Outgoing(sent.kind, b"", sent.state, sent.reason))
        for sent in store.outgoing()
        if accepted.submission in sent.submissions
    ]
    return report_document(labels, assessment, outgoing, desk.settings.provider.zone)


def _when_finished(submission: str, store: Store) -> SubmissionRecord:
    """Wait until the worker that holds *submission* is done with it; its lease bounds how long that can take."""
    while (record := store.submission(submission)).status is Status.PENDING:
        time.sleep(_ELSEWHERE_SECONDS)
    return record
