"""`abuse demo`: the real service on the samples, in a temporary place, and what people would see of it.

Half of the samples go in over a real SMTP connection, the others are dropped into the watched folder. Nothing is
simulated: it is `abuse run` in a process of its own, with the configuration that `abuse init` writes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from abuse_pipeline.errors import AbuseError
from abuse_pipeline.shipped import shipped_file, write_configuration

# The samples tell of November 2026; at another date they would be too old or in the future.
NOW = "2026-11-22T12:00:00+09:00"
_START_SECONDS = 60.0
_WORK_SECONDS = 110.0
_STOP_SECONDS = 30.0
_LISTENING = re.compile(r"SMTP receiver listens on (\S+):(\d+)")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo lives: a folder with a configuration, and how to call `abuse` there."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "abuse.toml"

    @property
    def inbox(self) -> Path:
        return self.folder / "var" / "inbox"

    def environment(self) -> dict[str, str]:
        columns = str(shutil.get_terminal_size((100, 24)).columns)
        return {**os.environ, "ABUSE_NOW": NOW, "ABUSE_CONFIG": str(self.config), "COLUMNS": columns}

    def abuse(self, *arguments: str) -> str:
        """Run one `abuse` command here and return what it prints. Raises AbuseError when it fails."""
        command = [sys.executable, "-m", "abuse_pipeline.cli.main", *arguments]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AbuseError(f"`abuse {' '.join(arguments)}` failed: {done.stderr.strip()}", where="demo")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.abuse(*arguments, "--json"))


def run_demo(say: Say, keep: Path | None = None) -> None:
    """Run the whole thing and *say* what happens. keep: work in this new folder and leave it there.

    Raises AbuseError when any step does not do what it should.
    """
    started = time.monotonic()
    samples = sorted(shipped_file("samples").glob("*/*.eml"))
    with _place(keep) as place, _service(place) as port:
        by_smtp, by_folder = _halves(samples)
        say(f"The service runs in {place.folder}, SMTP on 127.0.0.1:{port}.")
        _send(by_smtp, port)
        say(f"Sent {len(by_smtp)} reports over SMTP; each got its 250 after it was on disk.")
        _drop(by_folder, place.inbox)
        say(f"Dropped {len(by_folder)} reports into {place.inbox}.")
        _wait_until_processed(len(samples), place)
        say(f"All are processed, {time.monotonic() - started:.0f} s after the start.")
        _show(place, say)
    say(_WHERE_NEXT.format(folder=place.folder if keep else "DIR"))


def _halves(samples: list[Path]) -> tuple[list[Path], list[Path]]:
    """Every other sample, but a copy of one goes the other way: the same report by two ways is a duplicate to see."""
    halves: tuple[list[Path], list[Path]] = ([], [])
    way_of: dict[bytes, int] = {}
    for number, sample in enumerate(samples):
        raw = sample.read_bytes()
        way = 1 - way_of[raw] if raw in way_of else number % 2
        way_of.setdefault(raw, way)
        halves[way].append(sample)
    return halves


@contextmanager
def _place(keep: Path | None) -> Iterator[Place]:
    folder = keep.resolve() if keep is not None else Path(tempfile.mkdtemp(prefix="abuse-demo-"))
    try:
        write_configuration(folder)
        _make_local(folder / "abuse.toml")
        yield Place(folder)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _make_local(config: Path) -> None:
    """The shipped configuration with any free port, quicker folder scans, and nobody on the Internet asked anything."""
    text = config.read_text(encoding="utf-8")
    changes = {
        r'^listen = ".*?"': 'listen = "127.0.0.1:0"',
        r"^#?rescan = .*?(?=\s*#|$)": 'rescan = "1s"',
        r"^#?settle = .*?(?=\s*#|$)": 'settle = "1s"',
        r"^#?offline = .*?(?=\s*#|$)": "offline = true",
    }
    for pattern, replacement in changes.items():
        text, found = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
        if not found:
            raise AbuseError(f"the shipped configuration has no line like {replacement!r}", where=str(config))
    config.write_text(text, encoding="utf-8")


@contextmanager
def _service(place: Place) -> Iterator[int]:
    """`abuse run` as a process; gives the port it listens on, and stops it with SIGTERM."""
    command = [sys.executable, "-m", "abuse_pipeline.cli.main", "run"]
    with subprocess.Popen(command, env=place.environment(), stderr=subprocess.PIPE, text=True) as process:
        lines: Queue[str] = Queue()
        assert process.stderr is not None, "stderr is a pipe"
        threading.Thread(target=_read_lines, args=(process.stderr, lines), daemon=True).start()
        try:
            yield _port(process, lines)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _read_lines(stream: IO[str], lines: Queue[str]) -> None:
    for line in stream:
        lines.put(line)


def _port(process: subprocess.Popen[str], lines: Queue[str]) -> int:
    said: list[str] = []
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            said.append(lines.get(timeout=0.5))
        except Empty:
            continue
        found = _LISTENING.search(said[-1])
        if found:
            return int(found[2])
    raise AbuseError("the service did not start: " + "".join(said).strip(), where="demo")


def _send(samples: list[Path], port: int) -> None:
    """Each sample in a transaction of its own; the envelope sender is what the sample's Return-Path says."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.ehlo("demo.example")
        for sample in samples:
            raw = sample.read_bytes()
            client.sendmail(_return_path(raw), ["abuse@hosting.example.jp"], raw)


def _return_path(raw: bytes) -> str:
    found = re.search(rb"^Return-Path:[ \t]*<([^>\r\n]*)>", raw, re.MULTILINE | re.IGNORECASE)
    return found[1].decode("ascii", "replace") if found else "reporter@example.jp"


def _drop(samples: list[Path], inbox: Path) -> None:
    """Under a temporary name first, then moved: the way a well-behaved program drops a file."""
    for sample in samples:
        draft = inbox.parent / f".{sample.parent.name}-{sample.name}"
        draft.write_bytes(sample.read_bytes())
        draft.rename(inbox / f"{sample.parent.name}-{sample.name}")


def _wait_until_processed(expected: int, place: Place) -> None:
    deadline = time.monotonic() + _WORK_SECONDS
    while time.monotonic() < deadline:
        counts = place.json("triage")["submissions"]
        if counts["received"] >= expected and counts["pending"] == 0:
            return
        time.sleep(0.5)
    raise AbuseError(f"not everything was processed within {_WORK_SECONDS:.0f} s", where="demo")


def _show(place: Place, say: Say) -> None:
    say(_title("What staff see: abuse triage"))
    say(place.abuse("triage"))
    for kind, receiver in (("notice", "customer"), ("reply", "reporter")):
        messages = place.json("outbox", "list", "--kind", kind, "--state", "queued")["outbox"]
        message, text = _first_in_japanese(messages, place)
        say(_title(f"What {receiver} {message[receiver]} would read: abuse outbox show {message['id']}"))
        say(text)


def _first_in_japanese(messages: list[dict[str, Any]], place: Place) -> tuple[dict[str, Any], str]:
    for message in messages:
        text = place.abuse("outbox", "show", message["id"])
        if "ございます" in text:
            return message, text
    raise AbuseError("no message in Japanese is in the outbox", where="demo")


def _title(text: str) -> str:
    return f"\n── {text} {'─' * max(0, 76 - len(text))}\n"


_WHERE_NEXT = """── Where to look next ──────────────────────────────────────────────────────────

  abuse init DIR                            write a configuration of your own
  abuse run --config DIR/abuse.toml         run the desk
  abuse ingest --config DIR/abuse.toml FILE take reports from files
  abuse explain --config DIR/abuse.toml FILE
                                            the whole path for one report, with reasons
  abuse demo --keep DIR                     this demo again, left in place to look around in
  docs/journey.md                           how a report travels
"""
