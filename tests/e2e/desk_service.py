"""A desk in a temporary folder, and `abuse run` as a process that can be watched, stopped and killed."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from abuse_pipeline.clock import system_clock
from abuse_pipeline.model import Status
from abuse_pipeline.settings import load_settings
from abuse_pipeline.shipped import write_configuration
from abuse_pipeline.store import Store, open_store

ABUSE = (sys.executable, "-m", "abuse_pipeline.cli.main")
OUR_ADDRESS = "abuse@hosting.example.jp"
QUICK = {
    "intake.smtp": {"listen": "127.0.0.1:0", "recipients": [OUR_ADDRESS]},
    "intake.folder": {"path": "var/inbox", "rescan": "1s", "settle": "1s"},
    "enrich": {"offline": True},
    "workers": {"processes": 2},
}
_LISTENING = re.compile(r"SMTP receiver listens on (\S+):(\d+)")
_PATIENCE_SECONDS = 60.0

Tables = dict[str, dict[str, object]]


@dataclass(frozen=True)
class Desk:
    """One configuration. now: what ABUSE_NOW says; None is the real clock."""

    folder: Path
    now: str | None = None

    @property
    def config(self) -> Path:
        return self.folder / "abuse.toml"

    @property
    def inbox(self) -> Path:
        return self.folder / "var" / "inbox"

    @property
    def plugins(self) -> Path:
        return self.folder / "plugins"

    def environment(self) -> dict[str, str]:
        given = {key: value for key, value in os.environ.items() if not key.startswith("ABUSE_")}
        return given | {"ABUSE_CONFIG": str(self.config)} | ({"ABUSE_NOW": self.now} if self.now else {})

    def abuse(self, *arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end."""
        command = [*ABUSE, *map(str, arguments)]
        return subprocess.run(
            command, input=stdin, env=self.environment(), capture_output=True, timeout=_PATIENCE_SECONDS, check=False
        )

    def json(self, *arguments: object) -> Any:
        done = self.abuse(*arguments, "--json")
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The desk's store, opened in this process: cheaper to ask again and again than a command."""
        opened = open_store(load_settings(self.config).store, system_clock)
        try:
            yield opened
        finally:
            opened.close()

    def drop(self, name: str, raw: bytes) -> None:
        """The way a well-behaved program drops a file: written elsewhere, moved in."""
        self.inbox.mkdir(parents=True, exist_ok=True)
        draft = self.inbox.parent / f".{name}"
        draft.write_bytes(raw)
        draft.rename(self.inbox / name)


def make_desk(folder: Path, *, now: str | None = None, **changes: dict[str, object]) -> Desk:
    """A configuration as `abuse init` writes it, with QUICK and *changes* (``smtp=`` is ``intake.smtp``) on top."""
    write_configuration(folder)
    tables: Tables = {name: dict(table) for name, table in QUICK.items()}
    for name, table in changes.items():
        key = {"smtp": "intake.smtp", "inbox": "intake.folder"}.get(name, name)
        tables.setdefault(key, {}).update(table)
    tables.setdefault("networks", {}).update({
        key: f"{key}.csv" for key in ("networks", "group_companies", "customers", "assignments")
    })  # fmt: skip
    tables.setdefault("trace", {}).update({"own_relays": ["198.51.100.25/32"], "relays": "relays.toml"})
    lines = [
        f"[{table}]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in values.items()) for table, values in tables.items()
    ]
    feed = '[[triage.feeds]]\nsender = "fbl@fbl.tayorimail.example"\n'
    (folder / "abuse.toml").write_text("\n".join([*lines, feed]), encoding="utf-8")
    return Desk(folder, now)


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass
class Service:
    """One `abuse run` in a process group of its own. lines: what it has said on stderr so far."""

    desk: Desk
    process: subprocess.Popen[str] = field(init=False)
    lines: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [*ABUSE, "run"],
            env=self.desk.environment(),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    @property
    def port(self) -> int | None:
        """Where it listens; None while it does not."""
        found = _LISTENING.findall(self.said)
        return int(found[-1][1]) if found and self.process.poll() is None else None

    def wait_until_it_says(self, text: str) -> None:
        wait_until(lambda: text in self.said, self, text)

    def listening(self) -> int:
        """The port, as soon as there is one."""
        wait_until(lambda: self.port is not None or self.process.poll() is not None, self, "a listening receiver")
        assert self.port is not None, self.said
        return self.port

    def workers(self) -> list[int]:
        """The pids of its worker processes that have begun."""
        return [pid for pid in _children(self.process.pid) if b"spawn_main" in _command_line(pid)]

    def limit_file_size(self, size: int) -> None:
        """Make the disk full, for this service only: no file may grow beyond *size* bytes (-1: as it was)."""
        for pid in (self.process.pid, *_children(self.process.pid)):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def kill_all(self) -> None:
        """The machine loses its power: service and workers are gone at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_alone(self) -> None:
        """The service dies and leaves its workers behind."""
        self.process.kill()
        self.process.wait()

    def stop(self, within: float = 20.0) -> int:
        """SIGTERM; gives the exit code."""
        self.process.terminate()
        code = self.process.wait(within)
        self._reader.join(5)
        return code

    def end(self) -> None:
        """No process of it is left, whatever the test did."""
        with suppress(ProcessLookupError):  # all have ended by themselves
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)
        assert self.process.stderr is not None
        self.process.stderr.close()


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found.extend(int(child) for child in task.read_text().split())
        except OSError:
            continue  # the thread has just ended
    return found


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    """Whether *pid* runs: a zombie that nobody has buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(
    happens: Callable[[], object], service: Service | None = None, what: str = "it", within: float = _PATIENCE_SECONDS
) -> None:
    """Raises AssertionError, with what the service said, when it does not happen in time."""
    deadline = time.monotonic() + within
    while not happens():
        assert time.monotonic() < deadline, f"{what} did not happen\n{service.said if service else ''}"
        time.sleep(0.05)


def wait_until_processed(desk: Desk, count: int, service: Service, within: float = _PATIENCE_SECONDS) -> None:
    """Until *count* submissions, duplicates not counted, are in the store and none of them is pending."""
    with desk.store() as store:

        def processed() -> bool:
            counts = store.counts().submissions
            open_ = counts.get(Status.PENDING, 0)
            return open_ == 0 and counts.get(Status.DONE, 0) + counts.get(Status.STAFF, 0) >= count

        wait_until(processed, service, f"{count} processed submissions", within)


def send(port: int, raw: bytes, sender: str = "taro@reporter.example") -> str:
    """Send one message with CRLF line ends; gives the submission's id from the 250. Raises as smtplib does."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30, local_hostname="client.example") as client:
        return deliver(client, raw, sender)


def deliver(client: smtplib.SMTP, raw: bytes, sender: str = "taro@reporter.example") -> str:
    client.ehlo_or_helo_if_needed()
    client.mail(sender)
    client.rcpt(OUR_ADDRESS)
    code, text = client.data(raw)
    if code != 250:
        raise smtplib.SMTPDataError(code, text)
    return text.decode().split()[-1]


def exported(desk: Desk, folder: Path, *more: object) -> dict[str, EmailMessage]:
    """`abuse outbox export` into a new folder: the messages by their id."""
    shutil.rmtree(folder, ignore_errors=True)
    done = desk.abuse("outbox", "export", folder, *more)
    assert done.returncode == 0, done.stderr.decode()
    return {file.stem: message_from_bytes(file.read_bytes(), policy=policy.default) for file in folder.glob("*.eml")}
