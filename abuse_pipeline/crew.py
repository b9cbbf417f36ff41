"""The worker processes and the one who looks after them: starts, restarts, and ends one that is stuck.

A signal cannot interrupt compiled code, so a worker that is stuck in it is killed from here. What it had claimed is
given back at once, and only the report that it was on is charged with a try.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.settings import WorkerSettings
from abuse_pipeline.store import Store
from abuse_pipeline.worker import Progress, take_over, work, worker_name

log = logging.getLogger("abuse.service")

_GRACE_SECONDS = 10.0
_STOP_SECONDS = 20.0
_LONGEST_PAUSE_SECONDS = 30.0


@dataclass
class _Member:
    name: str
    process: BaseProcess
    progress: Progress
    started: float


class Crew:
    """The worker processes of one `abuse run`. Not thread-safe: one caller at a time."""

    def __init__(self, config: Path, settings: WorkerSettings, store: Store) -> None:
        self.size = settings.processes or len(os.sched_getaffinity(0))
        self._config = config
        self._settings = settings
        self._store = store
        self._context = multiprocessing.get_context("spawn")
        self._members: list[_Member] = []
        self._hired = 0
        self._quick_deaths = 0
        self._hire_again_at = 0.0

    def start(self) -> None:
        """Take over what workers of this machine left behind when the service was killed, then start the workers."""
        take_over(self._store)
        self._fill_up()

    def look_after(self) -> None:
        """End the stuck, bury the dead, hire anew."""
        for member in list(self._members):
            self._end_if_stuck(member)
            if not member.process.is_alive():
                self._bury(member)
        self._fill_up()

    def stop(self) -> None:
        """Let every worker finish the report it is on, then make sure that none is left."""
        for member in self._members:
            member.process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for member in list(self._members):
            member.process.join(max(0.1, deadline - time.monotonic()))
            if member.process.is_alive():
                member.process.kill()
                member.process.join()
            self._bury(member, expected=True)

    def _fill_up(self) -> None:
        if time.monotonic() < self._hire_again_at:
            return
        while len(self._members) < self.size:
            try:
                self._members.append(self._hire())
            except OSError as error:
                log.error("a worker cannot be started: %s", os.strerror(error.errno or 0))
                self._pause_hiring(0.0)
                return

    def _hire(self) -> _Member:
        self._hired += 1
        name = worker_name(self._hired)
        progress = Progress(self._context)
        process = self._context.Process(target=work, args=(self._config, name, progress), name=name, daemon=True)
        process.start()
        return _Member(name, process, progress, time.monotonic())

    def _end_if_stuck(self, member: _Member) -> None:
        since = member.progress.since
        allowed = self._settings.report_timeout.total_seconds() + _GRACE_SECONDS
        if since and time.monotonic() - since > allowed:
            log.error("worker %s is stuck on one report and is ended", member.name)
            member.process.kill()
            member.process.join()

    def _bury(self, member: _Member, expected: bool = False) -> None:
        """Give back what *member* had claimed; the report it was on keeps its try, the others are not charged."""
        self._members.remove(member)
        guilty = member.progress.submission
        try:
            self._store.release_worker(member.name, charge=guilty)
        except StoreUnavailable as error:
            log.error("%s; the leases of worker %s will run out by themselves", error, member.name)
        if expected:
            return
        log.error("worker %s ended (exit code %s); another takes its place", member.name, member.process.exitcode)
        self._pause_hiring(time.monotonic() - member.started)

    def _pause_hiring(self, lived: float) -> None:
        """Workers that die young would be hired in a tight loop: wait a little longer each time."""
        self._quick_deaths = self._quick_deaths + 1 if lived < _GRACE_SECONDS else 0
        pause = min(_LONGEST_PAUSE_SECONDS, 0.5 * 2**self._quick_deaths) if self._quick_deaths else 0.0
        self._hire_again_at = time.monotonic() + pause
