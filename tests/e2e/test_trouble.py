"""Trouble from outside and from inside: one clear line, nothing lost, nothing doubled, and what works goes on."""

from __future__ import annotations

import shutil
import smtplib
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bookkeeping import EVERYTHING_TOLD, assert_books_balance
from desk_service import Desk, Service, deliver, make_desk, send, wait_until, wait_until_processed
from reports_made import Made, made
from steady_load import Load

from abuse_pipeline.model import Status

TROUBLES = '''
import collections, ctypes, itertools, os, re, sys, time

from abuse_pipeline.api import NOT_MINE, Bid, Report


class Troubled:
    """Does to the worker what the subject says."""

    def recognise(self, mail, context):
        return Bid(100, "trouble") if (mail.header("Subject") or "").startswith("trouble") else NOT_MINE

    def parse(self, mail, context):
        getattr(self, mail.header("Subject").split()[1])()
        return Report("trouble")

    def raises(self):
        raise ZeroDivisionError("taro@reporter.example")

    def sleeps(self):
        time.sleep(600)

    def swallows(self):
        while True:
            try:
                time.sleep(600)
            except Exception:
                pass

    def backtracks(self):
        re.match(r"(a+)+$", "a" * 60 + "b")

    def spins_in_c(self):
        collections.deque(itertools.repeat(None), maxlen=0)

    def eats(self):
        eaten = []
        while True:
            eaten.append(bytearray(1 << 24))

    def recurses(self):
        self.recurses()

    def exits(self):
        sys.exit("taro@reporter.example")

    def kills(self):
        os._exit(3)

    def crashes(self):
        ctypes.string_at(0)


parser = Troubled()
'''
NOSY = """
class Nosy:
    def recognise(self, mail, context):
        raise SystemExit("taro@reporter.example")

    def parse(self, mail, context):
        raise AssertionError


parser = Nosy()
"""
REASONS = {
    "raises": "ZeroDivisionError",
    "sleeps": "it took longer than 2 s",
    "swallows": "the desk was stopped by it 1 times",
    "backtracks": "it took longer than 2 s",
    "spins_in_c": "the desk was stopped by it 1 times",
    "eats": "MemoryError",
    "recurses": "RecursionError",
    "exits": "SystemExit",
    "kills": "the desk was stopped by it 1 times",
    "crashes": "the desk was stopped by it 1 times",
}


def _trouble(kind: str) -> bytes:
    lines = ("From: Taro <taro@reporter.example>", "To: abuse@hosting.example.jp", f"Subject: trouble {kind}", "", "x")
    return "\r\n".join((*lines, "")).encode()


def test_a_report_that_breaks_its_parser_goes_to_staff_and_the_next_is_processed(
    tmp_path: Path, run: Callable[[Desk], Service]
) -> None:
    workers = {"report_timeout": "2s", "attempts": 1, "max_memory_bytes": 1 << 29}
    desk = make_desk(tmp_path / "desk", plugins={"folder": "plugins"}, workers=workers, **EVERYTHING_TOLD)
    desk.plugins.mkdir()
    (desk.plugins / "troubled.py").write_text(TROUBLES)
    (desk.plugins / "nosy.py").write_text(NOSY)
    (desk.plugins / "broken.py").write_text("def (:\n")
    (desk.plugins / "leaving.py").write_text("raise SystemExit(0)\n")
    service = run(desk)
    port = service.listening()
    ids, reports, answers = {}, [], {}
    for number, kind in enumerate(REASONS):
        reports.append(made(number))
        answers[number] = send(port, reports[-1].raw, reports[-1].sender)
        ids[send(port, _trouble(kind))] = kind
    wait_until_processed(desk, 2 * len(REASONS), service)
    assert "broken.py" in service.said
    assert "leaving.py" in service.said
    assert "taro@reporter.example" not in service.said
    with desk.store() as store:
        for id, kind in ids.items():
            found = store.submission(id)
            assert (found.status, REASONS[kind] in (found.reason or "")) == (Status.STAFF, True), (kind, found.reason)
            assert store.raw_message(id) == _trouble(kind)
        for number, id in answers.items():
            found = store.submission(id)
            assert (found.status, found.disposition) == (Status.DONE, reports[number].disposition), found.reason
    assert service.stop() == 0


def test_a_taken_port_is_said_once_and_taken_when_it_is_free(tmp_path: Path, run: Callable[[Desk], Service]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        desk = make_desk(tmp_path / "desk", smtp={"listen": listen}, **EVERYTHING_TOLD)
        service = run(desk)
        service.wait_until_it_says(f"cannot listen on {listen}: Address already in use")
        reports = [made(0), made(1)]
        desk.drop("report.eml", reports[0].raw)
        wait_until_processed(desk, 1, service)
    port = service.listening()
    answers = {1: send(port, reports[1].raw, reports[1].sender)}
    wait_until_processed(desk, 2, service)
    assert service.said.count("cannot listen") <= 3
    assert "Traceback" not in service.said
    assert service.stop() == 0
    assert_books_balance(desk, reports, answers, tmp_path / "out")


def test_a_folder_that_cannot_be_used_is_said_once_and_used_again(
    tmp_path: Path, run: Callable[[Desk], Service]
) -> None:
    desk = make_desk(tmp_path / "desk", **EVERYTHING_TOLD)
    desk.inbox.parent.mkdir(parents=True)
    desk.inbox.write_text("a file stands in its place")
    service = run(desk)
    reports = [made(0), made(1), made(2)]
    answers = {0: send(service.listening(), reports[0].raw, reports[0].sender)}
    wait_until_processed(desk, 1, service)
    in_the_way = f"intake.folder.path: {desk.inbox} is a file, not a folder"
    service.wait_until_it_says(in_the_way)
    desk.inbox.unlink()
    service.wait_until_it_says("usable again")
    desk.drop("report.eml", reports[1].raw)
    wait_until_processed(desk, 2, service)
    shutil.rmtree(desk.inbox)  # and when it goes while the service runs, it is made again
    wait_until(desk.inbox.is_dir, service, "the folder")
    desk.drop("late.eml", reports[2].raw)
    wait_until_processed(desk, 3, service)
    assert service.said.count(in_the_way) == 1
    assert service.stop() == 0
    assert_books_balance(desk, reports, answers, tmp_path / "out")


def test_a_full_disk_stops_nothing_and_loses_nothing(tmp_path: Path, run: Callable[[Desk], Service]) -> None:
    desk = make_desk(tmp_path / "desk", **EVERYTHING_TOLD)
    service = run(desk)
    port = service.listening()
    reports = [made(number) for number in range(60)]
    answers = {report.number: send(port, report.raw, report.sender) for report in reports[:30]}
    wait_until(lambda: len(service.workers()) == 2, service, "both workers")
    service.limit_file_size(0)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(port, reports[30].raw, reports[30].sender)
    assert refused.value.smtp_code == 451
    desk.drop("report.eml", reports[31].raw)
    time.sleep(4)
    assert (desk.inbox / "report.eml").exists()
    assert service.process.poll() is None
    service.limit_file_size(-1)
    for report in (reports[30], *reports[32:]):
        answers[report.number] = send(port, report.raw, report.sender)
    wait_until_processed(desk, len(reports), service)
    assert "Traceback" not in service.said
    assert service.stop() == 0
    assert_books_balance(desk, reports, answers, tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('recipients = ["', 'recipient = ["', ["intake.smtp.recipient: unknown key", "'recipients'"]),
        ('rescan = "1s"', 'rescan = "soon"', ["intake.folder.rescan", "write a duration", "soon"]),
        ("[workers]", "[worker]", ["worker: unknown key", "'workers'"]),
        ("[workers]", "[workers", ["is not valid TOML"]),
        ('relays = "relays.toml"', 'relays = "gone.toml"', ["gone.toml (trace.relays)", "cannot be read"]),
    ],
)
def test_a_wrong_configuration_is_named(desk: Desk, old: str, new: str, says: list[str]) -> None:
    text = desk.config.read_text()
    assert old in text
    desk.config.write_text(text.replace(old, new))
    done = desk.abuse("run")
    said = done.stderr.decode()
    assert done.returncode == 2
    assert [part for part in [str(desk.folder), *says] if part not in said] == []
    assert "Traceback" not in said
    assert not (desk.folder / "var").exists(), "nothing was begun"


def test_a_store_without_its_keys_does_not_open(desk: Desk) -> None:
    assert desk.abuse("triage").returncode == 0
    shutil.rmtree(desk.folder / "var" / "keys")
    done = desk.abuse("run")
    assert done.returncode == 2
    assert "the key of this store is gone" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert not (desk.folder / "var" / "keys").exists(), "never a new key"


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_two_services_on_one_store_and_one_folder(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, run: Callable[[Desk], Service]
) -> None:
    changes = dict(EVERYTHING_TOLD)
    if engine == "postgresql":
        changes["store"] = {"url": request.getfixturevalue("postgres_url")}
    desk = make_desk(tmp_path / "desk", **changes)
    services = [run(desk), run(desk)]
    reports = [made(number) for number in range(120)]
    answers: dict[int, str] = {}
    clients = [smtplib.SMTP("127.0.0.1", service.listening(), timeout=30) for service in services]
    for report in reports:
        if report.number % 4 == 3:
            desk.drop(f"{report.number}.eml", report.raw)
            continue
        answers[report.number] = deliver(clients[report.number % 2], report.raw, report.sender)
        if report.number % 10 == 0:  # a client that has lost the answer asks the other one
            again = deliver(clients[1 - report.number % 2], report.raw, report.sender)
            assert again == answers[report.number]
    for client in clients:
        client.quit()
    wait_until_processed(desk, len(reports), services[0])
    assert [service.stop() for service in services] == [0, 0]
    assert_books_balance(desk, reports, answers, tmp_path / "out")


def test_stopped_under_load_loses_nothing(tmp_path: Path, run: Callable[[Desk], Service]) -> None:
    desk = make_desk(tmp_path / "desk", **EVERYTHING_TOLD)
    load = Load(desk)
    try:
        for _ in range(4):  # more often than a report may be tried
            service = load.service = run(desk)
            service.listening()
            time.sleep(1.5)
            begun = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - begun < 10
        service = load.service = run(desk)
    finally:
        load.stop()
    wait_until_processed(desk, len(load.sent), service)
    assert service.stop() == 0
    assert_books_balance(desk, load.sent, load.answers, tmp_path / "out")


def test_a_busy_database_is_waited_for(tmp_path: Path, run: Callable[[Desk], Service]) -> None:
    """Another program holds the write lock for longer than we wait: 451, and nobody is blamed for it."""
    desk = make_desk(tmp_path / "desk", **EVERYTHING_TOLD)
    service = run(desk)
    port = service.listening()
    reports: list[Made] = [made(number) for number in range(10)]
    answers = {report.number: send(port, report.raw, report.sender) for report in reports[:-1]}
    other = sqlite3.connect(desk.folder / "var" / "abuse.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(port, reports[-1].raw, reports[-1].sender)
    assert refused.value.smtp_code == 451
    other.execute("ROLLBACK")
    other.close()
    answers[reports[-1].number] = send(port, reports[-1].raw, reports[-1].sender)
    wait_until_processed(desk, len(reports), service)
    assert service.stop() == 0
    assert_books_balance(desk, reports, answers, tmp_path / "out")
