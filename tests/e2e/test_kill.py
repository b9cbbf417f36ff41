"""The kill test: SIGKILL at random moments under load, and at the end the books balance."""

from __future__ import annotations

import itertools
import os
import random
import signal
import smtplib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from bookkeeping import EVERYTHING_TOLD, assert_books_balance
from desk_service import Desk, Service, alive, deliver, make_desk, wait_until, wait_until_processed
from reports_made import Made, made

KILLS = 20
SENDERS = 3
PAUSE_SECONDS = 0.15


class Load:
    """Clients that keep sending distinct reports, each until it has its 250, and one that drops files.

    sent: every report that the desk owes us. answers: what the 250 of a number said.
    """

    def __init__(self, desk: Desk) -> None:
        self.service: Service | None = None
        self.sent: list[Made] = []
        self.answers: dict[int, str] = {}
        self.files: list[str] = []
        self.reconnects = 0
        self._desk = desk
        self._numbers = itertools.count()
        self._stop = threading.Event()
        tasks = [self._drop, *[self._send] * SENDERS]
        self._threads = [threading.Thread(target=task) for task in tasks]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Every client finishes the report that it is on."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client never got its 250"

    def _next(self) -> Made:
        report = made(next(self._numbers), size=random.Random().choice([0, 0, 0, 200_000]))
        self.sent.append(report)
        return report

    def _send(self) -> None:
        client: smtplib.SMTP | None = None
        while not self._stop.wait(PAUSE_SECONDS):
            report = self._next()
            while report.number not in self.answers:
                try:
                    client = client or self._connect()
                    self.answers[report.number] = deliver(client, report.raw, report.sender)
                except (OSError, smtplib.SMTPException):
                    client = None
                    self.reconnects += 1
                    time.sleep(0.05)
        if client is not None:
            client.close()

    def _connect(self) -> smtplib.SMTP:
        port = self.service.port if self.service is not None else None
        if port is None:
            raise ConnectionRefusedError
        return smtplib.SMTP("127.0.0.1", port, timeout=30, local_hostname="client.example")

    def _drop(self) -> None:
        while not self._stop.wait(4 * PAUSE_SECONDS):
            report = self._next()
            self.files.append(f"report-{report.number}.eml")
            self._desk.drop(self.files[-1], report.raw)


def _kill_worker(service: Service, luck: random.Random) -> None:
    workers = service.workers()
    if workers:
        with suppress(ProcessLookupError):
            os.kill(luck.choice(workers), signal.SIGKILL)


@pytest.mark.timeout(240)
def test_killed_at_random_moments_under_load(tmp_path: Path, run: Callable[[Desk], Service]) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    luck = random.Random(seed)
    desk = make_desk(tmp_path / "desk", **EVERYTHING_TOLD)
    load = Load(desk)
    service = load.service = run(desk)
    orphans: set[int] = set()
    try:
        for _ in range(KILLS):
            time.sleep(luck.uniform(0.2, 3.0))
            how = luck.choice(["all", "all", "service", "worker"])
            if how == "worker":
                _kill_worker(service, luck)
                continue
            orphans.update(service.workers())
            service.kill_all() if how == "all" else service.kill_alone()
            service = load.service = run(desk)
    finally:
        load.stop()
    wait_until_processed(desk, len(load.sent), service)
    wait_until(lambda: not any(map(alive, orphans)), service, "the end of all orphans")
    wait_until(lambda: not any(desk.inbox.iterdir()), service, "an empty inbox")
    assert service.stop() == 0
    print(f"{len(load.sent)} reports, {len(load.files)} of them files, {load.reconnects} failed attempts")
    assert {file.name for file in (desk.inbox.parent / "done").iterdir()} >= set(load.files)
    assert not list((desk.inbox.parent / "failed").iterdir())
    assert_books_balance(desk, load.sent, load.answers, tmp_path / "out")
