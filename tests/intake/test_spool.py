"""The shared commit."""

from __future__ import annotations

import asyncio

import pytest
from intake_desk import NOW, MemoryStore

from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.intake.spool import Spool, SpoolLimits
from abuse_pipeline.model import Channel, Envelope
from abuse_pipeline.store.records import Arrival


def arrival(raw: bytes = b"x") -> Arrival:
    return Arrival(Channel.SMTP, Envelope(), raw, NOW)


async def started(store: MemoryStore, spool: Spool, *raws: bytes) -> list[asyncio.Task[object]]:
    """Arrivals that wait behind a commit which is held up."""
    store.gate.clear()
    tasks: list[asyncio.Task[object]] = []
    for raw in raws:
        tasks.append(asyncio.create_task(spool.accept(arrival(raw))))
        await asyncio.sleep(0.02)
    return tasks


async def test_what_comes_during_a_commit_shares_the_next(store: MemoryStore) -> None:
    async with Spool(store) as spool:
        tasks = await started(store, spool, *(b"%d" % number for number in range(6)))
        assert not any(task.done() for task in tasks)
        store.gate.set()
        answers = await asyncio.gather(*tasks)
    assert [len(batch) for batch in store.commits] == [1, 5]
    assert answers == store.answers


async def test_batches_are_bounded_by_count_and_bytes(store: MemoryStore) -> None:
    async with Spool(store, SpoolLimits(batch=3, batch_bytes=10)) as spool:
        tasks = await started(store, spool, b"1", *[b"x"] * 4, b"y" * 9, b"z" * 9)
        store.gate.set()
        await asyncio.gather(*tasks)
    assert [len(batch) for batch in store.commits] == [1, 3, 2, 1]


async def test_an_unavailable_store_is_told_to_every_waiter_of_the_batch(store: MemoryStore) -> None:
    async with Spool(store) as spool:
        tasks = await started(store, spool, b"1", b"2", b"3")
        store.failures = [StoreUnavailable("the disk is full")] * 2
        store.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
        assert store.calls == 2
        assert (await spool.accept(arrival(b"2"))).duplicate_of is None


async def test_a_bad_arrival_fails_alone(store: MemoryStore) -> None:
    store.choke = lambda one: ValueError("bad") if one.raw == b"bad" else None
    async with Spool(store) as spool:
        tasks = await started(store, spool, b"1", b"2", b"bad", b"3")
        store.gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["Accepted", "Accepted", "ValueError", "Accepted"]
    assert [one.raw for one in store.taken] == [b"1", b"2", b"3"]


async def test_backpressure_keeps_order_and_lets_a_large_one_pass_alone(store: MemoryStore) -> None:
    async with Spool(store, SpoolLimits(bytes_in_flight=10)) as spool:
        tasks = await started(store, spool, b"a" * 6, b"b" * 20, b"c")
        assert sum(len(waiting.arrival.raw) for waiting in (*spool._in_commit, *spool._gathered)) == 6
        store.gate.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert [one.raw[:1] for one in store.taken] == [b"a", b"b", b"c"]


async def test_a_cancelled_waiter_does_not_disturb_the_others(store: MemoryStore) -> None:
    async with Spool(store, SpoolLimits(bytes_in_flight=2)) as spool:
        tasks = await started(store, spool, b"1", b"2", b"3", b"4")
        tasks[1].cancel()
        tasks[2].cancel()
        store.gate.set()
        await asyncio.wait_for(tasks[3], 5)
        await asyncio.wait_for(spool.accept(arrival(b"55")), 5)
    assert {one.raw for one in store.taken} >= {b"1", b"4", b"55"}


async def test_closing_answers_everybody(store: MemoryStore) -> None:
    spool = Spool(store, SpoolLimits(bytes_in_flight=2))
    tasks = await started(store, spool, b"1", b"2", b"3")
    closing = asyncio.create_task(spool.close(5))
    await asyncio.sleep(0.02)
    store.gate.set()
    await closing
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["Accepted", "Accepted", "StoreUnavailable"]
    with pytest.raises(StoreUnavailable):
        await spool.accept(arrival())


async def test_closing_does_not_wait_for_ever_for_a_commit_that_hangs(store: MemoryStore) -> None:
    spool = Spool(store)
    tasks = await started(store, spool, b"1", b"2")
    await spool.close(0.1)
    answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 1)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    store.gate.set()


async def test_a_store_that_breaks_its_contract_leaves_nobody_waiting(store: MemoryStore) -> None:
    store.accept = lambda arrivals: ()  # type: ignore[method-assign]
    async with Spool(store) as spool:
        with pytest.raises(ValueError, match="zip"):
            await asyncio.wait_for(spool.accept(arrival()), 5)
