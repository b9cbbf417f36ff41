"""A store that can be told to fail, a clock, and the wire itself: tests speak SMTP byte by byte."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime

from abuse_pipeline.intake.smtp import SmtpReceiver
from abuse_pipeline.intake.spool import Spool
from abuse_pipeline.store.records import Accepted, Arrival

NOW = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)


class MemoryStore:
    """commits: the batches in their order. gate: when set to a closed event, a commit waits for it."""

    def __init__(self) -> None:
        self.commits: list[list[Arrival]] = []
        self.calls = 0
        self.failures: list[Exception] = []
        self.choke: Callable[[Arrival], Exception | None] = lambda arrival: None
        self.gate = threading.Event()
        self.gate.set()
        self.answers: list[Accepted] = []
        self._numbers = itertools.count()
        self._first: dict[str, str] = {}

    def accept(self, arrivals: Sequence[Arrival]) -> tuple[Accepted, ...]:
        self.calls += 1
        assert self.gate.wait(20)
        if self.failures:
            raise self.failures.pop(0)
        for arrival in arrivals:
            error = self.choke(arrival)
            if error is not None:
                raise error
        self.commits.append(list(arrivals))
        answers = tuple(self._accepted(arrival) for arrival in arrivals)
        self.answers.extend(answers)
        return answers

    @property
    def taken(self) -> list[Arrival]:
        return [arrival for batch in self.commits for arrival in batch]

    def _accepted(self, arrival: Arrival) -> Accepted:
        digest = "sha256:" + hashlib.sha256(arrival.raw).hexdigest()
        submission = f"s{next(self._numbers)}"
        first = self._first.setdefault(digest, submission)
        return Accepted(first, digest, None if first == submission else first)


class Wire:
    """A client that sends exactly the bytes it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def reply(self) -> str:
        """One reply, all its lines; "" when the server has hung up."""
        lines = []
        while True:
            try:
                line = (await asyncio.wait_for(self.reader.readline(), 10)).decode()
            except ConnectionError:  # it hung up while we were still sending
                line = ""
            lines.append(line)
            if line[3:4] != "-":
                return "".join(lines)

    async def say(self, line: str | bytes) -> str:
        self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return await self.reply()

    async def begin(self, sender: str = "reporter@example.com", *recipients: str) -> None:
        assert (await self.say("EHLO client.example")).startswith("250")
        assert (await self.say(f"MAIL FROM:<{sender}>")).startswith("250")
        for recipient in recipients or ("abuse@hosting.example.jp",):
            assert (await self.say(f"RCPT TO:<{recipient}>")).startswith("250")

    async def send(self, body: bytes) -> str:
        """*body* as it stands on the wire, terminator excluded."""
        assert (await self.say("DATA")).startswith("354")
        self.writer.write(body + b".\r\n")
        return await self.reply()

    async def rest(self) -> bytes:
        """What comes until the server hangs up; it may do so while we are still sending."""
        received = b""
        with suppress(ConnectionError):
            while block := await asyncio.wait_for(self.reader.read(65_536), 10):
                received += block
        return received


class Desk:
    def __init__(self, receiver: SmtpReceiver, store: MemoryStore, spool: Spool) -> None:
        self.receiver = receiver
        self.store = store
        self.spool = spool
        self._wires: list[Wire] = []

    async def connect(self, greeting: str = "220") -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.receiver.port))
        self._wires.append(wire)
        assert (await wire.reply()).startswith(greeting)
        return wire

    async def close(self) -> None:
        for wire in self._wires:
            wire.writer.close()
        await self.receiver.stop(1)
        self.store.gate.set()
        await self.spool.close(5)


OpenDesk = Callable[..., AbstractAsyncContextManager[Desk]]
