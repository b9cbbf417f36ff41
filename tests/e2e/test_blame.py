"""Who is charged a try, one situation at a time: the report that did it, and nobody else. In this process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from desk_service import make_desk
from reports_made import made

from abuse_pipeline import worker as worker_module
from abuse_pipeline.desk import build_desk
from abuse_pipeline.errors import StoreRefused, StoreUnavailable
from abuse_pipeline.model import Channel, Envelope, Status
from abuse_pipeline.pipeline import process
from abuse_pipeline.settings import load_settings
from abuse_pipeline.store import Store, open_store
from abuse_pipeline.store.records import Arrival, Claim
from abuse_pipeline.worker import Progress, Worker


class Clock:
    now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def worker(tmp_path: Path, clock: Clock) -> Iterator[Worker]:
    settings = load_settings(make_desk(tmp_path / "desk").config)
    store = open_store(settings.store, clock)
    yield Worker("host/1/1", store, build_desk(settings), clock, Progress())
    store.close()


def accept(store: Store, count: int, kind: str = "192.0.2.7") -> list[str]:
    reports = [made(number, kind) for number in range(count)]
    now = datetime.now(UTC)
    arrivals = [Arrival(Channel.SMTP, Envelope(r.sender), r.raw, now + timedelta(r.number)) for r in reports]
    return [accepted.submission for accepted in store.accept(arrivals)]


def statuses(store: Store) -> list[Status]:
    return [record.status for record in store.submissions()]


def test_a_stop_is_no_try(worker: Worker) -> None:
    accept(worker.store, 3)
    stopping = threading.Event()
    stopping.set()
    for _ in range(worker.desk.settings.workers.attempts + 1):
        assert worker.work_batch(stopping) == 3
    assert {claim.attempts for claim in worker.store.claim("next", 9, timedelta(minutes=1))} == {1}


def test_a_store_that_is_away_is_no_try(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    accept(worker.store, 3)
    monkeypatch.setattr(worker_module, "process", _raiser(StoreUnavailable("the disk is full")))
    for _ in range(worker.desk.settings.workers.attempts + 1):
        with pytest.raises(StoreUnavailable):
            worker.work_batch(threading.Event())
        assert worker.progress.submission is None, "the supervisor has nobody to blame"
        worker.give_back()
    monkeypatch.undo()
    assert worker.work_batch(threading.Event()) == 3
    assert statuses(worker.store) == [Status.DONE] * 3


def test_what_the_database_refuses_is_tried_and_then_parked(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    refused, *others = accept(worker.store, 3)

    def refuse(claim: Claim, *rest: object) -> object:
        if claim.submission.id == refused:
            raise StoreRefused("the database refused it (22001)")
        return process(claim, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(worker_module, "process", refuse)
    for _ in range(worker.desk.settings.workers.attempts + 1):
        worker.work_batch(threading.Event())
    assert worker.store.submission(refused).status is Status.STAFF
    assert {worker.store.submission(other).status for other in others} == {Status.DONE}


class _Ending(BaseException):
    """What ends a process although nobody asked it to."""


def test_what_ends_the_process_leaves_its_name_behind(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = accept(worker.store, 3)
    monkeypatch.setattr(worker_module, "process", _raiser(_Ending()))
    with pytest.raises(_Ending):
        worker.work_batch(threading.Event())
    assert worker.progress.submission == first


def test_a_notice_that_becomes_due_while_a_report_is_read_takes_up_nothing_more(worker: Worker, clock: Clock) -> None:
    accept(worker.store, 2)
    first, second = worker.store.claim(worker.name, 2, timedelta(minutes=1))
    process(first, worker.store, worker.desk, clock)
    (waiting,) = worker.store.outgoing(kind="notice")
    clock.now = waiting.due_at
    begun = clock.now - timedelta(seconds=1)
    process(second, worker.store, worker.desk, lambda: begun)
    notices = worker.store.outgoing(kind="notice")
    assert len(notices) == 2
    assert statuses(worker.store) == [Status.DONE] * 2


def test_the_date_of_a_notice_does_not_tell_when_the_report_came(worker: Worker, clock: Clock) -> None:
    accept(worker.store, 2)
    first, second = worker.store.claim(worker.name, 2, timedelta(minutes=1))
    clock.now = clock.now.replace(minute=17, second=41, microsecond=5)
    process(first, worker.store, worker.desk, clock)
    ready = clock.now + worker.desk.settings.notices.delay
    hour = ready.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    clock.now += timedelta(minutes=30)
    process(second, worker.store, worker.desk, clock)
    (notice,) = worker.store.outgoing(kind="notice")
    date = message_from_bytes(worker.store.outgoing_message(notice.id))["Date"]
    assert notice.due_at == parsedate_to_datetime(date) == hour, "the delay, then on to the next full hour"
    assert len(notice.submissions) == 2, "what comes in until then is taken up"


def test_a_worker_stuck_in_compiled_code_ends_without_a_supervisor() -> None:
    stuck = """
import collections, itertools
from datetime import timedelta
from abuse_pipeline import worker
worker._ORPHAN_SECONDS = 0.5
with worker.last_resort(timedelta(0)):
    collections.deque(itertools.repeat(None), maxlen=0)
"""
    done = subprocess.run([sys.executable, "-c", stuck], capture_output=True, timeout=30, check=False)
    assert done.returncode == 1


def _raiser(error: BaseException) -> object:
    def raise_it(*_: object) -> object:
        raise error

    return raise_it
