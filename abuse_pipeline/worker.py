"""A worker process: claims submissions and takes each through the path, until it is told to stop.

Whatever one report does — break a parser, run for ever, kill this process — the next one is worked on. A report that
keeps killing workers is parked for staff, and only its own tries are counted (`Progress`).
"""

from __future__ import annotations

import faulthandler
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_char, c_double
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.context import BaseContext
from pathlib import Path

from abuse_pipeline.clock import Clock, clock_from_environment
from abuse_pipeline.deadline import time_limit
from abuse_pipeline.desk import Desk, build_desk
from abuse_pipeline.errors import AbuseError, LeaseLost, LimitExceeded, StoreRefused, StoreUnavailable
from abuse_pipeline.logs import configure_logging
from abuse_pipeline.pipeline import Processed, process
from abuse_pipeline.settings import load_settings
from abuse_pipeline.store import Store, open_store
from abuse_pipeline.store.records import Claim

log = logging.getLogger("abuse.worker")

_IDLE_SECONDS = 0.25
_STORE_DOWN_SECONDS = 2.0
_SUBMISSION_ID_BYTES = 64
_ORPHAN_SECONDS = 20.0
_STDERR = 2


class Progress:
    """What the supervisor sees of this worker: which submission it is on, and since when (monotonic; 0 when on none).

    Shared memory, so that it can be read after the process was killed. One writer, so it needs no lock, which a killed
    process could leave taken.
    """

    def __init__(self, context: BaseContext | None = None) -> None:
        context = context or multiprocessing.get_context("spawn")
        self._submission = context.RawArray(c_char, _SUBMISSION_ID_BYTES)
        self._since = context.RawValue(c_double, 0.0)

    @property
    def submission(self) -> str | None:
        return bytes(self._submission.value).decode("ascii") or None

    @property
    def since(self) -> float:
        return float(self._since.value)

    def begin(self, submission: str) -> None:
        self._submission.value = submission.encode("ascii")
        self._since.value = time.monotonic()

    def end(self) -> None:
        self._since.value = 0.0
        self._submission.value = b""


def work(config: Path, name: str, progress: Progress) -> None:
    """Entry of a worker process. Returns after SIGTERM, or when its supervisor is gone."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the supervisor decides
    try:
        worker = _begin(config, name, progress)
    except AbuseError as error:
        log.error("worker %s cannot begin: %s", name, error)
        sys.exit(1)
    # Not getppid() at the start: the supervisor may have been killed while this process was still coming up.
    supervisor = multiprocessing.parent_process()
    parent = supervisor.pid if supervisor is not None else os.getppid()
    holds_claims = False
    while not stopping.is_set() and os.getppid() == parent:
        try:
            if holds_claims:
                worker.give_back()
                holds_claims = False
            if worker.work_batch(stopping) == 0:
                stopping.wait(_IDLE_SECONDS)
        except StoreUnavailable as error:
            log.error("%s", error)
            holds_claims = True
            stopping.wait(_STORE_DOWN_SECONDS)


def _begin(config: Path, name: str, progress: Progress) -> Worker:
    settings = load_settings(config)
    configure_logging(settings.log)
    resource.setrlimit(resource.RLIMIT_AS, (settings.workers.max_memory_bytes,) * 2)
    clock = clock_from_environment()
    return Worker(name, open_store(settings.store, clock), build_desk(settings), clock, progress)


@dataclass(frozen=True)
class Worker:
    """One worker: a store to claim from and a desk to work with."""

    name: str
    store: Store
    desk: Desk
    clock: Clock
    progress: Progress

    def work_batch(self, stopping: threading.Event) -> int:
        """Claim a batch and work it, or give back what is not begun when *stopping* is set. Returns how many."""
        workers = self.desk.settings.workers
        claims = self.store.claim(self.name, workers.batch, workers.lease)
        renewed = time.monotonic()
        for position, claim in enumerate(claims):
            rest = claims[position:]
            if stopping.is_set():
                self.give_back()
                break
            if time.monotonic() - renewed > workers.lease.total_seconds() / 4:
                held = self.store.renew(rest, workers.lease)
                renewed = time.monotonic()
                if claim not in held:
                    continue
            with last_resort(workers.report_timeout):
                self.work_one(claim)
        return len(claims)

    def give_back(self) -> None:
        """Give back everything that is claimed; nobody is to blame for it, so no try is counted."""
        self.store.release_worker(self.name)

    def work_one(self, claim: Claim) -> Processed | None:
        """Take one claim to its end; None when it was parked, or is another worker's. Raises StoreUnavailable."""
        workers = self.desk.settings.workers
        if claim.attempts > workers.attempts:
            self._park(claim, f"the desk was stopped by it {claim.attempts - 1} times")
            return None
        self.progress.begin(claim.submission.id)
        try:
            processed = self._process(claim)
        except StoreUnavailable:
            self.progress.end()
            raise
        # Not in a `finally`: what ends this process has to leave behind which submission it was on.
        self.progress.end()
        return processed

    def _process(self, claim: Claim) -> Processed | None:
        try:
            with time_limit(self.desk.settings.workers.report_timeout):
                return process(claim, self.store, self.desk, self.clock)
        except LeaseLost:
            log.warning("submission %s was taken over by another worker", claim.submission.id)
        except LimitExceeded as error:
            self._park(claim, str(error))
        except StoreRefused as error:
            log.error("submission %s is tried again: %s", claim.submission.id, error)
            self.store.release(claim)  # its try is counted: what is refused for ever ends with staff
        except StoreUnavailable:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001  the isolation boundary: one report must not stop the others
            # The text of a foreign exception may quote the message; class and place are enough to find the defect.
            self._park(claim, f"the desk broke on it ({type(error).__name__} {place_of(error)})")
        return None

    def _park(self, claim: Claim, reason: str) -> None:
        try:
            self.store.park(claim, reason)
            log.error("submission %s is parked for staff: %s", claim.submission.id, reason)
        except LeaseLost:
            log.warning("submission %s was finished elsewhere", claim.submission.id)


def worker_name(task: object) -> str:
    """``host/pid/task``: what a claim is signed with, so that `take_over` can tell whether its process still lives.

    task: a number, or the id of the submission where that is all that is claimed under this name.
    """
    return f"{socket.gethostname()}/{os.getpid()}/{task}"


def take_over(store: Store) -> None:
    """Give back what processes of this machine held when they were killed. To be called before the first own claim.

    A name that ends with a submission says that its process was working on that one, so its try stays counted: what
    ends the process each time is parked at last. Of the others nobody knows which one was to blame.
    """
    try:
        for worker in store.workers_with_claims():
            if _is_dead_worker_of_this_machine(worker):
                returned = store.release_worker(worker, charge=worker.rpartition("/")[2])
                log.warning("%d submissions of the ended worker %s are back in the queue", returned, worker)
    except StoreUnavailable as error:
        log.error("%s; the leases of ended workers will run out by themselves", error)


def _is_dead_worker_of_this_machine(worker: str) -> bool:
    host, _, rest = worker.partition("/")
    pid = rest.partition("/")[0]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@contextmanager
def last_resort(limit: timedelta) -> Iterator[None]:
    """End this process when *limit* is long past: one that is stuck in compiled code without a supervisor is killed
    by nobody else. Needs no help of the interpreter; it dumps where the process was stuck, names of code only."""
    faulthandler.dump_traceback_later(limit.total_seconds() + _ORPHAN_SECONDS, file=_STDERR, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def place_of(error: BaseException) -> str:
    """``file.py:12`` of where *error* was raised."""
    trace = error.__traceback__
    if trace is None:
        return "nowhere"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
