"""Who reported stands in tables named vault_… and in no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from store_world import HELD, HOUR, LEASE, NOON, HandClock, a_reply, arrival, fact, judged, record, renew_notice

from abuse_pipeline.model import Envelope, Identity, Severity, Status
from abuse_pipeline.store import Store, schema
from abuse_pipeline.store.columns import from_micros, to_micros
from abuse_pipeline.store.ids import IdMaker
from abuse_pipeline.store.records import Accepted, Arrival, Claim, Result

PLANTED = "yamada"


def planted_arrival() -> Arrival:
    envelope = Envelope("yamada@yamada.example", ("desk+yamada@hosting.example.jp",), "192.0.2.1", "mx.yamada.example")
    return arrival(b"From: yamada", envelope=envelope, source="from-yamada.eml")


def live_a_whole_life(store: Store) -> tuple[Accepted, Claim]:
    (accepted,) = store.accept([planted_arrival()])
    (claim,) = store.claim("host/1", 1, LEASE)
    with store.completing(claim) as unit:
        reporter = Identity("yamada@yamada.example", "Yamada")
        unit.record_report(Result("arf", "ja", reporter, None, "because", Status.DONE))
        case = unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON)
        from dataclasses import replace

        seen = judged()
        origin = replace(seen.origin, witness="mx.yamada.example", reason="mx.yamada.example recorded it")
        unit.add_incident(0, replace(seen, origin=origin), case.id, fact())
        unit.keep_needles('[["yamada","From"]]')
        renew_notice(unit, case)
        unit.put_reply(a_reply(b"To: yamada@yamada.example", HELD), NOON + HOUR)
    return accepted, claim


def test_a_planted_identity_is_in_the_vault_only(store: Store) -> None:
    live_a_whole_life(store)
    found: dict[str, str] = {}
    with store._database.reading() as transaction:
        for table in schema.metadata.sorted_tables:
            found[table.name] = repr([tuple(row) for row in transaction.rows(select(table))]).lower()
    with_it = {name for name, rows in found.items() if PLANTED in rows}
    assert with_it == {
        "vault_messages",
        "vault_envelopes",
        "vault_identities",
        "vault_needles",
        "vault_traces",
        "vault_outgoing",
    }
    empty = {name for name, rows in found.items() if rows == "[]"}
    assert empty == {"lookup_cache", "wanted_lookups", "wanted_keys", "vault_recipient_relays"}, "all others took part"


def test_no_plain_hash_of_an_address_leaves_the_vault(store: Store) -> None:
    """Addresses can be guessed: who has their hash can test the guess."""
    live_a_whole_life(store)
    outside = [table for table in schema.metadata.sorted_tables if not table.name.startswith("vault_")]
    with store._database.reading() as transaction:
        keys = [row.envelope_key for row in transaction.rows(select(schema.vault_envelopes))]
        keys += [row.hmac for row in transaction.rows(select(schema.vault_identities))]
        rows = repr([tuple(row) for table in outside for row in transaction.rows(select(table))])
    assert len(keys) == 2
    assert not [key for key in keys if key in rows]


def test_records_in_a_log_show_nobody(store: Store) -> None:
    accepted, claim = live_a_whole_life(store)
    shown = repr(
        (
            planted_arrival(),
            accepted,
            claim,
            store.submissions(),
            store.outgoing(),
            store.cases(),
            store.incidents_of_submission(accepted.submission),
        )
    )
    assert PLANTED not in shown.lower()


def test_a_reporter_keeps_one_row(store: Store) -> None:
    for raw in (b"1", b"2"):
        store.accept([arrival(raw)])
        (claim,) = store.claim("w", 1, LEASE)
        with store.completing(claim) as unit:
            record(unit)
    with store._database.reading() as transaction:
        assert len(transaction.rows(select(schema.vault_identities))) == 1


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 11, 20, 3, 4, 5, 678901, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(2026, 11, 20, 12, 0, tzinfo=timezone(timedelta(hours=9))),
    ],
)
def test_times_keep_their_microsecond(at: datetime) -> None:
    assert from_micros(to_micros(at)) == at


def test_a_naive_time_is_no_instant() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_micros(datetime(2026, 11, 20))  # noqa: DTZ001


def test_ids_sort_by_time_and_never_repeat() -> None:
    maker, clock = IdMaker(), HandClock()
    same = [maker.new("S", clock()) for _ in range(1000)]
    clock.forward(milliseconds=1)
    later = maker.new("S", clock())
    assert len(set(same)) == 1000
    assert max(same) < later
    assert all(len(id) == 20 and id.startswith("S-") for id in same)
