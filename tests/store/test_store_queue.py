"""Claims: each submission in one pair of hands at a time, and back in the queue when that pair is gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from store_world import LEASE, NOON, HandClock, answer_of, arrival, child, claim_one, complete, many, record

from abuse_pipeline.errors import LeaseLost
from abuse_pipeline.model import Disposition, Severity, Status
from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store, open_store, queue


def test_claims_come_oldest_first_with_their_bytes(store: Store) -> None:
    store.accept(list(reversed(many(5))))
    first = store.claim("a", 2, LEASE)
    assert [claim.raw for claim in first] == [b"message 0", b"message 1"]
    assert [claim.attempts for claim in first] == [1, 1]
    assert first[0].submission.envelope.helo == "mail.reporter.example"
    assert [claim.raw for claim in store.claim("b", 9, LEASE)] == [b"message 2", b"message 3", b"message 4"]
    assert store.claim("c", 9, LEASE) == ()


def test_one_submission_by_its_id(store: Store) -> None:
    one, two = store.accept(many(2))
    claim = store.claim_submission(two.submission, "a", LEASE)
    assert claim is not None
    assert claim.raw == b"message 1"
    assert store.claim_submission(two.submission, "b", LEASE) is None
    assert store.claim_submission("S-NOTHING", "b", LEASE) is None
    assert [c.submission.id for c in store.claim("b", 9, LEASE)] == [one.submission]


def test_duplicates_are_never_claimed(store: Store) -> None:
    store.accept([arrival(), arrival(to="other@hosting.example.jp")])
    assert len(store.claim("a", 9, LEASE)) == 1


def test_a_batch_stays_within_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_BATCH_BYTES", 25)
    store.accept([arrival(b"x" * 30 + b"%d" % n, received_at=NOON + (n + 1) * LEASE) for n in range(2)] + many(3))
    sizes = [[len(claim.raw) for claim in store.claim("a", 9, LEASE)] for _ in range(4)]
    assert sizes == [[9, 9], [9], [31], [31]]
    assert all(s.status is Status.PENDING for s in store.submissions())


def test_an_expired_lease_is_claimable_and_counts_the_attempt(store: Store, lease_clock: HandClock) -> None:
    store.accept(many(1))
    store.claim("killed", 1, LEASE)
    lease_clock.forward(seconds=299)
    assert store.claim("b", 1, LEASE) == ()
    lease_clock.forward(seconds=1)
    (again,) = store.claim("b", 1, LEASE)
    assert again.attempts == 2


def test_who_was_taken_over_changes_nothing(store: Store, lease_clock: HandClock) -> None:
    old = claim_one(store, b"x")
    lease_clock.forward(minutes=6)
    (new,) = store.claim("other", 1, LEASE)
    with pytest.raises(LeaseLost):
        complete(store, old)
    with pytest.raises(LeaseLost):
        store.park(old, "too late")
    store.release(old)
    assert store.renew([old], LEASE) == ()
    assert store.submission(new.submission.id).status is Status.PENDING
    assert store.cases() == store.outgoing() == ()
    assert store.renew([new], LEASE) == (new,)
    complete(store, new)
    assert store.submission(new.submission.id).status is Status.DONE


def test_a_late_worker_that_nobody_replaced_may_finish(store: Store, lease_clock: HandClock) -> None:
    claim = claim_one(store, b"x")
    lease_clock.forward(hours=1)
    complete(store, claim)
    assert store.submission(claim.submission.id).status is Status.DONE


def test_completing_twice_does_it_once(store: Store) -> None:
    claim = claim_one(store, b"x")
    complete(store, claim)
    with pytest.raises(LeaseLost):
        complete(store, claim)
    assert [case.incidents for case in store.cases()] == [1]
    assert len(store.outgoing()) == 1


def test_an_error_in_the_block_stores_nothing_and_keeps_the_claim(store: Store) -> None:
    claim = claim_one(store, b"x")

    def fail_in_the_middle() -> None:
        with store.completing(claim) as unit:
            record(unit)
            unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    assert store.cases() == ()
    assert store.submission(claim.submission.id).reporter is None
    complete(store, claim)


def test_a_unit_without_a_result_is_refused(store: Store) -> None:
    claim = claim_one(store, b"x")
    with pytest.raises(ValueError, match="record_report"), store.completing(claim):
        pass
    assert store.submission(claim.submission.id).status is Status.PENDING


def test_release_gives_back_at_once(store: Store) -> None:
    claim = claim_one(store, b"x")
    store.release(claim)
    (again,) = store.claim("b", 1, LEASE)
    assert again.attempts == 2
    with pytest.raises(LeaseLost):
        complete(store, claim)


def test_a_dead_worker_gives_back_everything_that_it_held(store: Store) -> None:
    store.accept(many(4))
    dead = store.claim("host/1", 2, LEASE)
    complete(store, dead[0])
    store.claim("host/2", 1, LEASE)
    assert store.workers_with_claims() == ("host/1", "host/2")
    assert store.release_worker("host/1") == 1
    assert store.release_worker("host/1") == 0
    assert store.workers_with_claims() == ("host/2",)
    assert {claim.raw for claim in store.claim("host/3", 9, LEASE)} == {b"message 1", b"message 3"}


def test_only_the_submission_it_died_on_is_charged(store: Store) -> None:
    store.accept(many(3))
    dead = store.claim("host/1", 3, LEASE)
    assert store.release_worker("host/1", charge=dead[1].submission.id) == 3
    assert [claim.attempts for claim in store.claim("host/2", 3, LEASE)] == [1, 2, 1]


def test_renewing_keeps_a_claim(store: Store, lease_clock: HandClock) -> None:
    claim = claim_one(store, b"x")
    lease_clock.forward(minutes=4)
    assert store.renew([claim], LEASE) == (claim,)
    lease_clock.forward(minutes=4)
    assert store.claim("b", 1, LEASE) == ()


def test_parking_leaves_it_to_staff_with_the_bytes(store: Store) -> None:
    claim = claim_one(store, b"hostile")
    store.park(claim, "it killed three workers")
    found = store.submission(claim.submission.id)
    assert (found.status, found.disposition) == (Status.STAFF, Disposition.STAFF)
    assert found.reason == "it killed three workers"
    assert store.raw_message(found.id) == b"hostile"
    assert store.claim("b", 1, LEASE) == ()
    assert store.submissions(Status.STAFF) == (found,)


def test_leases_run_on_while_the_desk_clock_stands_still(settings: StoreSettings, clock: HandClock) -> None:
    store = open_store(settings, clock)
    store.accept(many(1))
    assert len(store.claim("a", 1, timedelta(microseconds=1))) == 1
    assert len(store.claim("b", 1, LEASE)) == 1
    store.close()


def test_threads_never_claim_the_same(store: Store) -> None:
    store.accept(many(200))

    def take(worker: int) -> list[str]:
        mine: list[str] = []
        while claims := store.claim(f"w{worker}", 7, LEASE):
            mine += [claim.submission.id for claim in claims]
        return mine

    with ThreadPoolExecutor(6) as pool:
        taken = [id for mine in pool.map(take, range(6)) for id in mine]
    assert len(taken) == len(set(taken)) == 200


def test_processes_never_do_the_same(store: Store, settings: StoreSettings) -> None:
    store.accept(many(60))
    children = [child("work", settings, worker=f"w{n}") for n in range(3)]
    done = [id for process in children for id in answer_of(process)]  # type: ignore[attr-defined]
    assert len(done) == len(set(done)) == 60
    (case,) = store.cases()
    assert case.incidents == 60
    (notice,) = store.outgoing()
    assert set(notice.submissions) == set(done)
    assert sorted(store.outgoing_message(notice.id).decode().split()) == sorted(done)


def test_nobody_waits_for_a_row_in_other_hands(postgres_url: str, tmp_path: Path, lease_clock: HandClock) -> None:
    """A worker that overstays its lease inside its transaction: PostgreSQL skips its row instead of waiting."""
    settings = StoreSettings(url=postgres_url, keys=tmp_path / "keys")
    store = open_store(settings, HandClock(), lease_clock=lease_clock, busy_timeout=timedelta(seconds=1))
    store.accept(many(2))
    (slow,) = store.claim("slow", 1, LEASE)
    lease_clock.forward(hours=1)
    with store.completing(slow) as unit:
        record(unit)
        assert [claim.raw for claim in store.claim("other", 9, LEASE)] == [b"message 1"]
    assert store.submission(slow.submission.id).status is Status.DONE
    store.close()
