"""What reports showed of the reporters' side is kept in the vault, by a token of their domain, and is bounded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from sqlalchemy import select
from store_world import LEASE, NOON, HandClock, arrival, claim_one, record

from abuse_pipeline.model import Identity, Status
from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store, learning, open_store, schema
from abuse_pipeline.store.records import Result
from abuse_pipeline.trace.learning import Passage, Sighting, learned_relays

FILTER = ip_address("203.0.113.9")
DAY = timedelta(days=1)
LONG_AGO = NOON - timedelta(days=10_000)


def passage(number: int = 1) -> Passage:
    return Passage(FILTER, ip_address(f"2001:db8:{number:x}::1"))


def see(
    store: Store, raw: bytes, token: str, shown: Passage | None = None, day: int = 0, who: str = "taro@reporter.example"
) -> str:
    """Process one report that came in on the *day*-th day; gives its submission."""
    claim = claim_one(store, raw, received_at=NOON + day * DAY)
    with store.completing(claim) as unit:
        record(unit, who)
        unit.record_sighting(0, token, shown or passage())
    return claim.submission.id


def test_a_sighting_comes_back_with_its_report(store: Store, clock: HandClock) -> None:
    clock.forward(days=2)
    token = store.domain_token("reporter.example")
    submission = see(store, b"1", token)
    (found,) = store.sightings_of(token, NOON)
    assert found == Sighting(FILTER, passage().client, found.reporter, date(2026, 11, 20), submission)
    assert found.day == NOON.date(), "the day it came in, not the day it was worked on"
    assert store.sightings_of(store.domain_token("other.example"), NOON) == ()


def test_a_sighting_without_passing_on_and_one_of_ipv6(store: Store) -> None:
    token = store.domain_token("reporter.example")
    shown = [Passage(FILTER, None), Passage(ip_address("2001:db8::25"), ip_address("192.0.2.7"))]
    for number, each in enumerate(shown):
        see(store, f"{number}".encode(), token, each, day=number)
    assert [Passage(s.relay, s.client) for s in store.sightings_of(token, NOON)] == shown


def test_the_token_hides_the_domain_and_is_stable(store: Store) -> None:
    token = store.domain_token("Reporter.Example")
    assert token == store.domain_token("reporter.example.")
    see(store, b"1", token)
    with store._database.reading() as transaction:
        kept = repr([tuple(row) for row in transaction.rows(select(schema.vault_recipient_relays))])
    assert token in kept
    assert "reporter.example" not in kept
    assert "taro" not in kept


def test_addresses_of_one_mailbox_are_one_reporter(store: Store) -> None:
    token = store.domain_token("reporter.example")
    for number, who in enumerate(("taro+a@reporter.example", "Taro+b@reporter.example", "jiro@reporter.example")):
        see(store, f"{number}".encode(), token, day=number, who=who)
    first, second, third = (sighting.reporter for sighting in store.sightings_of(token, NOON))
    assert first == second != third


def test_a_report_speaks_once(store: Store) -> None:
    token = store.domain_token("reporter.example")
    with store.completing(claim_one(store, b"digest")) as unit:
        record(unit)
        for position in range(300):
            unit.record_sighting(position, token, passage(position))
    (found,) = store.sightings_of(token, LONG_AGO)
    assert found.client == passage(0).client


def test_the_unnamed_teach_nothing(store: Store) -> None:
    token = store.domain_token("reporter.example")
    with store.completing(claim_one(store, b"x")) as unit:
        unit.record_report(Result("arf", "ja", Identity(), None, None, Status.DONE))
        unit.record_sighting(0, token, passage())
    assert store.sightings_of(token, LONG_AGO) == ()


def test_a_report_that_is_not_finished_teaches_nothing(store: Store) -> None:
    token = store.domain_token("reporter.example")
    claim = claim_one(store, b"x")

    def break_off() -> None:
        with store.completing(claim) as unit:
            record(unit)
            unit.record_sighting(0, token, passage())
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        break_off()
    assert store.sightings_of(token, LONG_AGO) == ()


def test_the_newest_come_within_the_limit_oldest_first(store: Store) -> None:
    token = store.domain_token("reporter.example")
    for day in (3, 1, 2, 0):
        see(store, f"{day}".encode(), token, passage(day), day=day)
    days = [NOON.date() + n * DAY for n in range(4)]
    assert [sighting.day for sighting in store.sightings_of(token, NOON)] == days
    assert [sighting.day for sighting in store.sightings_of(token, NOON, limit=2)] == days[2:]
    assert [sighting.day for sighting in store.sightings_of(token, NOON + 2 * DAY)] == days[2:], "from *since* on"
    assert store.sightings_of(token, NOON, limit=0) == ()


def test_what_is_older_than_the_window_goes_when_new_comes(store: Store) -> None:
    token, other = store.domain_token("reporter.example"), store.domain_token("other.example")
    for day in (0, 1):
        see(store, f"{day}".encode(), token, day=day)
    see(store, b"other", other, day=0)
    see(store, b"later", token, day=91)
    assert [s.day for s in store.sightings_of(token, LONG_AGO)] == [NOON.date() + n * DAY for n in (1, 91)]
    assert len(store.sightings_of(other, LONG_AGO)) == 1, "nobody else's go"


def test_only_the_newest_of_a_domain_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "MOST_SIGHTINGS", 3)
    token, other = store.domain_token("reporter.example"), store.domain_token("other.example")
    for number in range(3):
        see(store, f"other {number}".encode(), other, day=50)
    for number in range(6):
        see(store, f"{number}".encode(), token, passage(number), day=number // 2)
    kept = [sighting.client for sighting in store.sightings_of(token, LONG_AGO)]
    assert kept == [passage(number).client for number in (3, 4, 5)]
    assert len(store.sightings_of(other, LONG_AGO)) == 3


def test_domains_that_are_watched(store: Store) -> None:
    tokens = {name: store.domain_token(f"{name}.example") for name in ("passing", "direct", "old")}
    see(store, b"1", tokens["passing"], day=5)
    see(store, b"2", tokens["passing"], day=6)
    see(store, b"3", tokens["direct"], Passage(FILTER, None), day=5)
    see(store, b"4", tokens["old"], day=0)
    assert store.learned_domains(NOON + DAY) == (tokens["passing"],)
    assert store.learned_domains(NOON) == tuple(sorted((tokens["passing"], tokens["old"])))


def test_one_domain_or_all_are_forgotten(store: Store) -> None:
    tokens = [store.domain_token(f"{name}.example") for name in "abc"]
    for number in range(6):
        see(store, f"{number}".encode(), tokens[number % 3], day=number)
    assert store.forget_sightings(tokens[0]) == 2
    assert store.forget_sightings(tokens[0]) == 0
    assert [len(store.sightings_of(token, LONG_AGO)) for token in tokens] == [0, 2, 2]
    assert store.forget_sightings(None) == 4
    assert store.learned_domains(LONG_AGO) == ()
    see(store, b"again", tokens[0])
    assert len(store.sightings_of(tokens[0], LONG_AGO)) == 1


def test_from_reports_to_a_lesson(store: Store) -> None:
    token = store.domain_token("reporter.example")
    for number in range(5):
        see(store, f"{number}".encode(), token, passage(number), number, f"r{number}@reporter.example")
    (standing,) = learned_relays(store.sightings_of(token, NOON), 5, lambda _: False)
    assert (standing.relay, standing.reports, standing.reporters) == (FILTER, 5, 5)


def test_a_duplicate_teaches_nothing(store: Store) -> None:
    """The same bytes are worked on once, so nobody multiplies a report by sending it again."""
    store.accept([arrival(b"same"), arrival(b"same", "desk@hosting.example.jp"), arrival(b"same")])
    assert len(store.claim("w", 10, LEASE)) == 1


def test_workers_that_record_together(settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each deletes what is too much; nobody waits for another for ever, and nothing of the newest is lost."""
    monkeypatch.setattr(learning, "MOST_SIGHTINGS", 10)
    together, workers, each = threading.Barrier(4), 4, 15

    def work(worker: int) -> None:
        mine = open_store(settings, HandClock(), busy_timeout=timedelta(seconds=30))
        try:
            token = mine.domain_token("reporter.example")
            together.wait(30)
            for number in range(each):
                see(mine, f"{worker}/{number}".encode(), token, passage(worker * each + number), day=number)
        finally:
            mine.close()

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
    store = open_store(settings, HandClock())
    token = store.domain_token("reporter.example")
    see(store, b"last", token, day=each)
    found = store.sightings_of(token, LONG_AGO)
    store.close()
    assert len(found) == 10
    assert found[-1].day == NOON.date() + each * DAY
    assert min(sighting.day for sighting in found) >= NOON.date() + (each - 3) * DAY
    assert len({sighting.submission for sighting in found}) == 10


def test_nobody_waits_for_rows_that_another_worker_deletes(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that waited here could hold the case which the other one needs: a ring."""
    monkeypatch.setattr(learning, "MOST_SIGHTINGS", 1)
    settings = StoreSettings(url=postgres_url, keys=tmp_path / "keys")
    store = open_store(settings, HandClock(), busy_timeout=timedelta(seconds=2))
    token = store.domain_token("reporter.example")
    see(store, b"old", token, day=0)
    first, second = claim_one(store, b"1", received_at=NOON + DAY), claim_one(store, b"2", received_at=NOON + 2 * DAY)
    with store.completing(first) as one:
        record(one)
        one.record_sighting(0, token, passage(1))
        with store.completing(second) as two:
            record(two, "jiro@reporter.example")
            two.record_sighting(0, token, passage(2))
    assert passage(2).client in [sighting.client for sighting in store.sightings_of(token, LONG_AGO)]
    store.close()
