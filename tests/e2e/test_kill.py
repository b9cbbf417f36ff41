"""The kill test: SIGKILL at random moments under load, and at the end the books balance."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from bookkeeping import EVERYTHING_TOLD, assert_books_balance
from desk_service import Desk, Service, alive, make_desk, wait_until, wait_until_processed
from steady_load import Load

KILLS = 20


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


def test_workers_whose_service_dies_while_they_come_up_end_too(desk: Desk, run: Callable[[Desk], Service]) -> None:
    service = run(desk)
    wait_until(lambda: len(service.workers()) == 2, service, "two workers that have hardly begun")
    orphans = service.workers()
    service.kill_alone()
    wait_until(lambda: not any(map(alive, orphans)), service, "the end of the workers", within=30)
