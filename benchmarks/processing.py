"""Reports per second on one core, from claim to outbox, beside stdlib `email` on the same messages in the same run.

Usage: python benchmarks/processing.py [REPORTS]

The reports are the shipped samples, each made unique by one more header field, so that none is a duplicate. What is
measured is `pipeline.process` with a real SQLite store (synchronous=FULL), one transaction a report; accepting them is
not part of it (benchmarks/intake.py). The peer reads each message with `email.message_from_bytes` and decodes every
leaf: a floor that any program in Python pays, and that does nothing of the work.
"""

from __future__ import annotations

import email
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count, islice
from pathlib import Path

from abuse_pipeline.assess import assess
from abuse_pipeline.clock import clock_from_environment
from abuse_pipeline.demo import NOW
from abuse_pipeline.desk import Desk, build_desk
from abuse_pipeline.errors import ReportError
from abuse_pipeline.mail import read_mail
from abuse_pipeline.model import Channel, Envelope
from abuse_pipeline.pipeline import process
from abuse_pipeline.settings import load_settings
from abuse_pipeline.shipped import shipped_file, write_configuration
from abuse_pipeline.store import Store, open_store
from abuse_pipeline.store.records import Arrival

REPORTS = 1500
LEASE = timedelta(hours=1)
ROUNDS = 3


def main(reports: int) -> None:
    os.environ["ABUSE_NOW"] = NOW
    clock = clock_from_environment()
    with tempfile.TemporaryDirectory(prefix="abuse-bench-") as folder:
        desk = _desk(Path(folder))
        store = open_store(desk.settings.store, clock)
        messages = list(islice(_unique(), reports))
        print(f"{reports} reports of {sum(map(len, messages)) / reports / 1024:.1f} KiB on average, one core")
        stdlib = _rate("stdlib email: parse, decode", messages, _stdlib)
        steps: list[tuple[str, Callable[[bytes], object]]] = [
            ("read_mail", lambda raw: _read(raw, desk)),
            ("assess: read to decide", lambda raw: assess(raw, Envelope(), desk, clock())),
        ]
        for name, step in steps:
            _compare(name, _rate(name, messages, step), stdlib)
        _compare("process: claim to outbox", _process_all(messages, store, desk), stdlib)
        store.close()
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def _desk(folder: Path) -> Desk:
    write_configuration(folder)
    return build_desk(load_settings(folder / "abuse.toml"))


def _unique():  # type: ignore[no-untyped-def]
    samples = [file.read_bytes() for file in sorted(shipped_file("samples").glob("*/*.eml"))]
    for number in count():
        yield b"X-Copy: %d\r\n" % number + samples[number % len(samples)]


def _stdlib(raw: bytes) -> None:
    for part in email.message_from_bytes(raw).walk():
        if not part.is_multipart():
            part.get_payload(decode=True)


def _read(raw: bytes, desk: Desk) -> None:
    try:
        read_mail(raw, desk.settings.mail).text()
    except ReportError:
        return  # some samples are beyond the caps: refusing them is the work that is measured


def _rate(name: str, messages: list[bytes], step: Callable[[bytes], object]) -> float:
    """Messages per second, the best of a few rounds: other programs on the machine only ever slow a round down."""
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for raw in messages:
            step(raw)
        best = max(best, len(messages) / (time.perf_counter() - start))
    print(f"  {name:<28} {best:>9,.0f} /s")
    return best


def _process_all(messages: list[bytes], store: Store, desk: Desk) -> float:
    clock = clock_from_environment()
    store.accept([Arrival(Channel.CLI, Envelope(), raw, clock()) for raw in messages])
    done, start = 0, time.perf_counter()
    while claims := store.claim("bench", desk.settings.workers.batch, LEASE):
        for claim in claims:
            process(claim, store, desk, clock)
        done += len(claims)
    rate = done / (time.perf_counter() - start)
    print(f"  {'process: claim to outbox':<28} {rate:>9,.0f} /s")
    return rate


def _compare(name: str, rate: float, peer: float) -> None:
    print(f"    {name} takes {peer / rate:.1f} times as long as stdlib email on the same messages")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else REPORTS)
