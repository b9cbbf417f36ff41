"""The shared commit: arrivals that come at the same time become durable in one transaction.

While one commit runs, the next batch gathers, so the cost of a durable write is divided by the load (group commit).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, TypeVar

from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.store.records import Accepted, Arrival

_T = TypeVar("_T")


class AcceptingStore(Protocol):
    """The one thing that intake wants of a store."""

    def accept(self, arrivals: Sequence[Arrival]) -> tuple[Accepted, ...]:
        """Store all of *arrivals* in one transaction, durable on return, answers in the same order.

        Raises StoreUnavailable when nothing of it was stored.
        """


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """batch, batch_bytes: what one transaction may hold. bytes_in_flight: what may wait in memory altogether; a
    single larger arrival still passes, alone."""

    batch: int = 200
    batch_bytes: int = 16 * 1024 * 1024
    bytes_in_flight: int = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrival: Arrival
    answer: asyncio.Future[Accepted]


class Spool:
    """Gathers arrivals of one event loop into shared commits. Use as ``async with Spool(store) as spool``.

    The store is called from one worker thread, one call at a time.
    """

    def __init__(self, store: AcceptingStore, limits: SpoolLimits | None = None) -> None:
        self._store = store
        self._limits = limits or SpoolLimits()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._gathered: deque[_Waiting] = deque()
        self._in_commit: list[_Waiting] = []
        self._door = asyncio.Lock()
        self._room = asyncio.Event()
        self._bytes = 0
        self._committer: asyncio.Task[None] | None = None
        self._closed = False

    async def accept(self, arrival: Arrival) -> Accepted:
        """Return when *arrival* is durable. Waits while too much is in flight (backpressure).

        Raises StoreUnavailable when the store does not take it now or the spool is closed; whatever else the store
        raises for this arrival alone reaches this caller alone. A cancelled caller's arrival may still be stored.
        """
        await self._wait_for_room(len(arrival.raw))
        waiting = _Waiting(arrival, asyncio.get_running_loop().create_future())
        self._gathered.append(waiting)
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_all(), name="spool")
        return await waiting.answer

    async def close(self, grace: float = 30.0) -> None:
        """Take nothing more, commit what was gathered, then give every waiter its answer.

        grace: seconds after which those still waiting are told StoreUnavailable (a commit that hangs may yet succeed;
        the same message sent again is then recognised as a duplicate).
        """
        self._closed = True
        self._room.set()
        if self._committer is not None:
            await asyncio.wait({self._committer}, timeout=grace)
        for waiting in (*self._in_commit, *self._gathered):
            _fail(waiting.answer, _closing())
        self._gathered.clear()
        self._thread.shutdown(wait=False)

    async def __aenter__(self) -> Spool:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _wait_for_room(self, size: int) -> None:
        """First come, first served: a large arrival is not overtaken for ever by small ones."""
        async with self._door:
            while self._is_full(size) and not self._closed:
                self._room.clear()
                await self._room.wait()
            if self._closed:
                raise _closing()
            self._bytes += size

    def _is_full(self, size: int) -> bool:
        return self._bytes > 0 and self._bytes + size > self._limits.bytes_in_flight

    async def _commit_all(self) -> None:
        """Runs as long as there is something gathered; the next arrival after that starts it anew."""
        try:
            while self._gathered:
                self._in_commit = self._next_batch()
                await self._commit(self._in_commit)
                self._bytes -= sum(len(waiting.arrival.raw) for waiting in self._in_commit)
                self._in_commit = []
                self._room.set()
        finally:
            self._committer = None

    def _next_batch(self) -> list[_Waiting]:
        batch = [self._gathered.popleft()]
        size = len(batch[0].arrival.raw)
        while self._gathered and len(batch) < self._limits.batch:
            size += len(self._gathered[0].arrival.raw)
            if size > self._limits.batch_bytes:
                break
            batch.append(self._gathered.popleft())
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        arrivals = [waiting.arrival for waiting in batch]
        try:
            answers = await asyncio.get_running_loop().run_in_executor(self._thread, self._store.accept, arrivals)
            answered = list(zip(batch, answers, strict=True))
        except StoreUnavailable as error:
            for waiting in batch:
                _fail(waiting.answer, error)
        except Exception as error:  # noqa: BLE001  isolation: one arrival the store chokes on must not fail its mates
            if len(batch) == 1:
                _fail(batch[0].answer, error)
                return
            for waiting in batch:
                await self._commit([waiting])
        else:
            for waiting, accepted in answered:
                _answer(waiting.answer, accepted)


def _answer(future: asyncio.Future[_T], value: _T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Accepted], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _closing() -> StoreUnavailable:
    return StoreUnavailable("the desk is stopping", todo="send it again")
