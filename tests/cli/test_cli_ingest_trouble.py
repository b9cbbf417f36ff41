"""`abuse ingest` when something is in its way: it ends, says what, and what is stored is finished by the next run."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import contract_shapes
import pytest
from abuse_command import SAMPLES, Ran
from conftest import Desk

from abuse_pipeline import ingest as ingest_module
from abuse_pipeline import worker as worker_module
from abuse_pipeline.clock import system_clock
from abuse_pipeline.errors import StoreRefused, StoreUnavailable
from abuse_pipeline.model import Channel, Envelope, Status
from abuse_pipeline.pipeline import process
from abuse_pipeline.settings import load_settings
from abuse_pipeline.store import Store, open_store
from abuse_pipeline.store.records import Accepted, Arrival, Claim

ARF = [SAMPLES / "arf" / name for name in ("abuse.eml", "abuse-ja.eml", "fraud.eml")]
_HOUR = timedelta(hours=1)


@contextmanager
def _store(desk: Desk) -> Iterator[Store]:
    store = open_store(load_settings(desk.config).store, system_clock)
    try:
        yield store
    finally:
        store.close()


def _accept(store: Store, *files: Path, envelope: Envelope | None = None) -> list[str]:
    at = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)
    arrivals = [Arrival(Channel.CLI, envelope or Envelope(), file.read_bytes(), at, str(file)) for file in files]
    return [accepted.submission for accepted in store.accept(arrivals)]


def _lines(ran: Ran, code: int = 0) -> list[dict[str, Any]]:
    assert ran.code == code, ran.err
    found = contract_shapes.lines_of(ran.out)
    for line in found:
        contract_shapes.report(line, stored=True)
    return list(found)


def _statuses(desk: Desk) -> set[Status]:
    with _store(desk) as store:
        return {record.status for record in store.submissions()}


def _dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


def _refuse(monkeypatch: pytest.MonkeyPatch, file: Path, error: BaseException) -> None:
    """The work on *file* ends with *error*, as often as it is tried."""

    def work(claim: Claim, *rest: Any) -> object:
        if claim.raw == file.read_bytes():
            raise error
        return process(claim, *rest)

    monkeypatch.setattr(worker_module, "process", work)


def test_what_a_killed_run_left_in_work_is_finished_by_the_next(empty: Desk) -> None:
    with _store(empty) as store:
        in_work, _untouched = _accept(store, *ARF[:2])
        assert store.claim_submission(in_work, f"{socket.gethostname()}/{_dead_process()}/{in_work}", _HOUR)
    lines = _lines(empty.abuse("ingest", "--json", *ARF))
    assert [line["status"] for line in lines] == ["done"] * 3
    assert lines[0]["submission"] == in_work
    assert _statuses(empty) == {Status.DONE}


def test_what_came_by_another_way_and_is_not_finished_is_a_duplicate_all_the_same(empty: Desk) -> None:
    with _store(empty) as store:
        _accept(store, ARF[0], envelope=Envelope("reporter@example.com", ("abuse@hosting.example.jp",)))
    (line,) = _lines(empty.abuse("ingest", "--json", ARF[0]))
    assert line["status"] == "duplicate"


def test_what_the_store_refuses_to_finish_is_tried_and_then_parked(
    empty: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse(monkeypatch, ARF[0], StoreRefused("the database refused it (22001)"))
    lines = _lines(empty.abuse("ingest", "--json", *ARF))
    assert [line["status"] for line in lines] == ["staff", "done", "done"]
    assert (lines[0]["disposition"], lines[0]["incidents"]) == ("staff", [])
    with _store(empty) as store:
        assert store.submission(lines[0]["submission"]).reason == "the desk was stopped by it 3 times"


def test_a_store_that_goes_away_costs_no_try_and_the_rest_goes_on(empty: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse(monkeypatch, ARF[0], StoreUnavailable("the disk is full"))
    for _ in range(4):
        ran = empty.abuse("ingest", "--json", *ARF)
        assert (ran.code, len(_lines(ran, code=1))) == (1, 2)
        assert f"{ARF[0]}: is stored, but not finished: the disk is full" in ran.err
    monkeypatch.undo()
    assert _lines(empty.abuse("ingest", "--json", ARF[0]))[0]["status"] == "done"


def test_an_interruption_costs_no_try(empty: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse(monkeypatch, ARF[0], KeyboardInterrupt())
    assert empty.abuse("ingest", ARF[0]).code == 130
    with _store(empty) as store:
        assert [claim.attempts for claim in store.claim("next", 1, _HOUR)] == [1]


def test_one_message_that_the_store_refuses_does_not_keep_the_others_out(
    empty: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept = Store.accept

    def choosy(self: Store, arrivals: Sequence[Arrival]) -> tuple[Accepted, ...]:
        if any(arrival.raw == ARF[1].read_bytes() for arrival in arrivals):
            raise StoreRefused("the database refused it (54000)")
        return accept(self, arrivals)

    monkeypatch.setattr(Store, "accept", choosy)
    ran = empty.abuse("ingest", "--json", tmp_path / "missing.eml", *ARF)
    assert [line["source"] for line in _lines(ran, code=1)] == [str(ARF[0]), str(ARF[2])]
    assert f"{ARF[1]}: was not stored: the database refused it (54000)" in ran.err
    assert "missing.eml: cannot be read" in ran.err


def test_another_workers_claim_is_waited_for_as_long_as_its_lease(empty: Desk) -> None:
    empty.settings('#lease = "2m"', 'lease = "1s"')
    with _store(empty) as store:
        _accept(store, ARF[0])
        assert store.claim("elsewhere/1/1", 1, timedelta(seconds=1))
    (line,) = _lines(empty.abuse("ingest", "--json", ARF[0]))
    assert line["status"] == "done"


def test_a_worker_that_keeps_its_claim_is_not_waited_for_for_ever(empty: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "_LEASE_IS_OVER_SECONDS", 0.2)
    empty.settings('#lease = "2m"', 'lease = "1s"')
    accept = Store.accept

    def accept_and_lose(self: Store, arrivals: Sequence[Arrival]) -> tuple[Accepted, ...]:
        answers = accept(self, arrivals)
        assert self.claim("elsewhere/1/1", 1, _HOUR)
        return answers

    monkeypatch.setattr(Store, "accept", accept_and_lose)
    ran = empty.abuse("ingest", "--json", ARF[0])
    assert _lines(ran, code=1) == []
    assert f"{ARF[0]}: is stored, but not finished: another worker is still busy with it" in ran.err


_STUCK = """
import collections, itertools
class Stuck:
    def recognise(self, mail, context):
        collections.deque(itertools.repeat(None), maxlen=0)
    def parse(self, mail, context):
        raise AssertionError
parser = Stuck()
"""
_INGEST = """
import sys
from abuse_pipeline import worker
from abuse_pipeline.cli.main import main
worker._ORPHAN_SECONDS = 0.5
sys.argv = ["abuse", "ingest", "--json", "--config", *sys.argv[1:]]
main()
"""


def test_a_message_that_is_stuck_in_compiled_code_is_parked_at_last(empty: Desk) -> None:
    empty.settings('#folder = "plugins"', 'folder = "plugins"')
    empty.settings('#report_timeout = "60s"', 'report_timeout = "1s"')
    empty.settings("#attempts = 3", "attempts = 2")
    (empty.folder / "plugins").mkdir()
    (empty.folder / "plugins" / "stuck.py").write_text(_STUCK)
    command = [sys.executable, "-c", _INGEST, str(empty.config), str(ARF[0])]
    for _ in range(2):
        ended = subprocess.run(command, capture_output=True, timeout=30, check=False)
        assert (ended.returncode, ended.stdout) == (1, b"")
        assert b"stuck.py" in ended.stderr, "it says in whose code it was stuck"
    parked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    (line,) = _lines(Ran(parked.returncode, parked.stdout, parked.stderr))
    assert line["status"] == "staff"
    with _store(empty) as store:
        assert store.submission(line["submission"]).reason == "the desk was stopped by it 2 times"
