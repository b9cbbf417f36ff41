"""How many messages a second the SMTP receiver makes durable, and how that compares with a stock aiosmtpd.

    .venv/bin/python benchmarks/intake.py [--messages N] [--sessions N] [--size BYTES] [--rounds N]

Both sides run in one process with a real SQLite store (WAL, synchronous=FULL) in a temporary folder, and get the same
load in turns: Postfix's smtp-source where it is installed, else an asyncio client of our own. The peer is aiosmtpd as
it comes, with a handler that commits each message by itself, durable before 250. benchmarks/README.md explains more.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from abuse_pipeline import model
from abuse_pipeline.clock import system_clock
from abuse_pipeline.intake.smtp import start_smtp
from abuse_pipeline.intake.spool import AcceptingStore, Spool
from abuse_pipeline.settings import SmtpIntake, StoreSettings
from abuse_pipeline.store import open_store
from abuse_pipeline.store.records import Accepted, Arrival

RECIPIENT = "abuse@hosting.example.jp"
SMTP_SOURCE = shutil.which("smtp-source", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


@dataclass(frozen=True, slots=True)
class Load:
    messages: int
    sessions: int
    size: int


class CountingStore:
    """The store, and how many commits and new submissions it saw: identical messages would make the figure a lie."""

    def __init__(self, store: AcceptingStore) -> None:
        self._store = store
        self.commits = 0
        self.stored = 0

    def accept(self, arrivals: Sequence[Arrival]) -> tuple[Accepted, ...]:
        answers = self._store.accept(arrivals)
        self.commits += 1
        self.stored += sum(answer.duplicate_of is None for answer in answers)
        return answers


@asynccontextmanager
async def ours(store: AcceptingStore) -> AsyncIterator[int]:
    settings = SmtpIntake(listen="127.0.0.1:0", recipients=(RECIPIENT,), max_connections=1000)
    async with Spool(store) as spool:
        receiver = await start_smtp(settings, spool, system_clock)
        try:
            yield receiver.port
        finally:
            await receiver.stop()


class OneByOne:
    """The handler that aiosmtpd's documentation leads to: the message is stored, then 250 is said."""

    def __init__(self, store: AcceptingStore) -> None:
        self._store = store

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        sender = model.Envelope(mail_from=envelope.mail_from, rcpt_to=tuple(envelope.rcpt_tos))
        self._store.accept([Arrival(model.Channel.SMTP, sender, envelope.content, system_clock())])
        return "250 OK"


@asynccontextmanager
async def stock(store: AcceptingStore) -> AsyncIterator[int]:
    logging.getLogger("mail.log").disabled = False
    loop = asyncio.get_running_loop()
    handler = OneByOne(store)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="hosting.example.jp", enable_SMTPUTF8=True, loop=loop),
        "127.0.0.1",
        0,
        backlog=1024,
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


SIDES = {"abuse-pipeline": ours, "stock aiosmtpd, a commit each": stock}


async def measure(side: str, load: Load) -> float:
    """Messages a second, the time of the load generator from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(StoreSettings(url=f"sqlite:///{folder}/abuse.db", keys=Path(folder) / "keys"), system_clock)
        counting = CountingStore(store)
        async with SIDES[side](counting) as port:
            began = time.perf_counter()
            await send(load, port)
            seconds = time.perf_counter() - began
        store.close()
    if counting.stored != load.messages:
        raise SystemExit(f"{side}: {load.messages} messages were sent, {counting.stored} were stored")
    rate = load.messages / seconds
    print(f"  {side:32} {rate:7.0f} messages/s, {load.messages / counting.commits:5.1f} messages a commit")
    return rate


async def send(load: Load, port: int) -> None:
    if SMTP_SOURCE is None:
        command = [sys.executable, __file__, "--client", str(port)]
        command += ["--messages", str(load.messages), "--sessions", str(load.sessions), "--size", str(load.size)]
    else:
        command = [SMTP_SOURCE, "-s", str(load.sessions), "-m", str(load.messages), "-l", str(load.size)]
        command += ["-f", "reporter@example.com", "-t", RECIPIENT, f"127.0.0.1:{port}"]
    process = await asyncio.create_subprocess_exec(*command)
    if await process.wait():
        raise SystemExit("the load generator failed; what it said stands above")


async def run_client(load: Load, port: int) -> None:
    """The load when there is no smtp-source: one connection a message, like smtp-source's default."""
    numbers = iter(range(load.messages))
    body = (b"x" * 78 + b"\r\n") * (load.size // 80)

    async def session() -> None:
        for number in numbers:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            lines = ["", "HELO client.example", "MAIL FROM:<reporter@example.com>", f"RCPT TO:<{RECIPIENT}>", "DATA"]
            message = f"Message-Id: <{number}@client.example>\r\n\r\n".encode() + body + b"."
            for line in [*(line.encode() for line in lines), message, b"QUIT"]:
                if line:
                    writer.write(line + b"\r\n")
                answer = await reader.readline()
                if answer[:1] not in (b"2", b"3"):
                    raise SystemExit(f"refused: {answer!r}")
            writer.close()

    await asyncio.gather(*(session() for _ in range(load.sessions)))


async def compare(load: Load, rounds: int) -> None:
    generator = f"Postfix's {SMTP_SOURCE}" if SMTP_SOURCE else "our own asyncio client (smtp-source is not installed)"
    print(f"{load.messages} messages of {load.size} bytes in {load.sessions} sessions, sent by {generator}")
    rates: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(rounds):
        print(f"round {number + 1}")
        for side in SIDES:
            rates[side].append(await measure(side, load))
    middle = {side: statistics.median(found) for side, found in rates.items()}
    mine, peer = middle.values()
    print(f"median: {mine:.0f} messages/s against {peer:.0f}, ratio {mine / peer:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--client", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    load = Load(given.messages, given.sessions, given.size)
    asyncio.run(run_client(load, given.client) if given.client else compare(load, given.rounds))


if __name__ == "__main__":
    main()
