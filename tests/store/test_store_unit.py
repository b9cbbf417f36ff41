"""What one report writes: cases that gather, notices that take up, replies, needles, identities."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import pytest
from store_world import (
    FAILED,
    HELD,
    HOUR,
    NOON,
    QUEUED,
    SENT,
    HandClock,
    a_notice,
    a_reply,
    claim_one,
    complete,
    fact,
    judged,
    record,
)

from abuse_pipeline.errors import WrongState
from abuse_pipeline.model import Disposition, Identity, OutgoingState, Severity, Status
from abuse_pipeline.privacy.pseudonyms import pseudonym
from abuse_pipeline.store import Store
from abuse_pipeline.store.records import Result


def test_a_recorded_report_shows_its_pseudonym(store: Store) -> None:
    claim = claim_one(store, b"x")
    with store.completing(claim) as unit:
        name = record(unit, "Taro@Reporter.Example", Status.STAFF)
    found = store.submission(claim.submission.id)
    assert name == pseudonym(store.pseudonym_key, "taro@reporter.example") == store.pseudonym(" TARO@reporter.example")
    assert (found.reporter, found.status, found.format, found.language) == (name, Status.STAFF, "arf", "ja")
    assert (found.disposition, found.reason) == (Disposition.NOTIFY_CUSTOMER, "because")


def test_only_a_result_ends_a_submission(store: Store) -> None:
    claim = claim_one(store, b"x")
    with pytest.raises(ValueError, match="pending"), store.completing(claim) as unit:
        record(unit, status=Status.PENDING)


@pytest.mark.parametrize("reporter", [None, Identity(), Identity("", "")])
def test_nobody_has_no_pseudonym(store: Store, reporter: Identity | None) -> None:
    with store.completing(claim_one(store, b"x")) as unit:
        assert unit.record_report(Result("prose", None, reporter, None, None, Status.DONE)) is None


def test_a_name_alone_is_a_reporter_too(store: Store) -> None:
    with store.completing(claim_one(store, b"x")) as unit:
        one = unit.record_report(Result("prose", None, Identity(name="山田太郎"), None, None, Status.DONE))
    with store.completing(claim_one(store, b"y")) as unit:
        two = unit.record_report(Result("prose", None, Identity(name="name"), None, None, Status.DONE))
    assert None not in (one, two)
    assert one != two


def test_reporters_whose_short_names_collide_get_longer_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from abuse_pipeline.store import identities

    hmacs = {"taro@reporter.example": "00" * 32, "jiro@reporter.example": "00" * 8 + "11" * 24}
    monkeypatch.setattr(identities, "address_hmac", lambda key, address: hmacs[address])
    names = []
    for who in ("taro@reporter.example", "jiro@reporter.example", "taro@reporter.example"):
        asked_before = store.pseudonym(who)
        with store.completing(claim_one(store, f"{who}{len(names)}".encode())) as unit:
            names.append(record(unit, who))
        assert store.pseudonym(who) == names[-1] == asked_before
    assert names == ["R-000000", "R-0000000", "R-000000"]


def test_a_case_gathers_what_is_of_one_customer_and_kind(store: Store) -> None:
    with store.completing(claim_one(store, b"x")) as unit:
        record(unit)
        first = unit.open_case("C-1042", "messaging", "spam", Severity.HIGH, NOON)
        again = unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON - HOUR)
        other = unit.open_case("C-1042", "content", "phishing", Severity.LOW, NOON)
    with store.completing(claim_one(store, b"y")) as unit:
        record(unit)
        third = unit.open_case("C-1042", "messaging", "spam", Severity.CRITICAL, NOON + HOUR)
    assert first.id == again.id == third.id != other.id
    assert third.id.startswith("K-")
    assert store.case(first.id) == third
    assert (third.incidents, third.severity) == (3, Severity.CRITICAL)
    assert (third.first_at, third.last_at) == (NOON - HOUR, NOON + HOUR)
    assert again.severity is Severity.HIGH
    assert [event.action for event in store.case_history(first.id)] == ["opened"]


def test_a_closed_case_gathers_no_more(store: Store) -> None:
    complete(store, claim_one(store, b"x"))
    (old,) = store.cases()
    store.close_case(old.id, "hanako", "customer cleaned up")
    complete(store, claim_one(store, b"y"))
    (new,) = store.cases(state="open")
    assert new.id != old.id
    assert [case.id for case in store.cases(state="closed")] == [old.id]


def test_a_waiting_notice_takes_up_later_incidents(store: Store, clock: HandClock) -> None:
    one, two = claim_one(store, b"x"), claim_one(store, b"y")
    first = complete(store, one)
    clock.forward(minutes=59)
    second = complete(store, two, "jiro@reporter.example")
    assert first == second
    (notice,) = store.outgoing()
    assert set(notice.submissions) == {one.submission.id, two.submission.id}
    assert notice.due_at == NOON + HOUR, "later incidents do not put a notice off"
    assert (notice.kind, notice.customer, notice.reporter, notice.case) == (
        "notice",
        "C-1042",
        None,
        store.cases()[0].id,
    )


@pytest.mark.parametrize("end", ["due", "sent", "failed"])
def test_a_notice_that_may_be_leaving_is_not_touched(store: Store, clock: HandClock, end: str) -> None:
    one, two, three = (claim_one(store, raw) for raw in (b"x", b"y", b"z"))
    first = complete(store, one)
    if end == "sent":
        assert store.mark_sent(first, store.outgoing_message(first))
    elif end == "failed":
        store.mark_failed(first, "no such mailbox")
    else:
        clock.forward(hours=1)
    before = store.outgoing_message(first)
    second = complete(store, two)
    assert second != first
    assert store.outgoing_message(first) == before == one.submission.id.encode()
    assert store.outgoing_message(second) == two.submission.id.encode(), "each fact is in one notice"
    with store.completing(three) as unit:
        record(unit)
        with pytest.raises(WrongState):
            unit.put_notice(first, store.cases()[0], a_notice(b"new"), [], NOON)
    assert store.outgoing_message(first) == before


def test_a_held_notice_takes_up_but_stays_held(store: Store, clock: HandClock) -> None:
    one, two = claim_one(store, b"x"), claim_one(store, b"y")
    first = complete(store, one)
    store.hold(first, "hanako", "ask the customer first")
    clock.forward(days=2)
    assert complete(store, two) == first
    (notice,) = store.outgoing()
    assert (notice.state, notice.reason) == (HELD, "ask the customer first")
    assert store.outgoing_message(first).split() == [one.submission.id.encode(), two.submission.id.encode()]


def test_two_open_notices_share_no_fact(store: Store, clock: HandClock) -> None:
    one, two, three = (claim_one(store, raw) for raw in (b"x", b"y", b"z"))
    first = complete(store, one)
    clock.forward(hours=1)
    second = complete(store, two)
    store.hold(first, "hanako", "wait")
    assert complete(store, three) == second
    assert store.outgoing_message(first) == one.submission.id.encode()
    assert store.outgoing_message(second).split() == [two.submission.id.encode(), three.submission.id.encode()]


def test_a_queued_notice_becomes_held_when_the_gate_says_so(store: Store) -> None:
    first = complete(store, claim_one(store, b"x"))
    with store.completing(claim_one(store, b"y")) as unit:
        record(unit)
        case = unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON)
        unit.put_notice(first, case, a_notice(b"leaking", HELD, "leak gate: From"), [], NOON)
    (notice,) = store.outgoing(state=HELD)
    assert (notice.id, notice.reason) == (first, "leak gate: From")


def test_a_message_may_name_itself_by_its_id(store: Store) -> None:
    with store.completing(claim_one(store, b"x")) as unit:
        record(unit)
        case = unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON)
        notice, reply = unit.new_id("notice"), unit.new_id("reply")
        assert unit.put_notice(notice, case, a_notice(b"n"), [], NOON) == notice
        assert unit.put_reply(a_reply(b"r"), NOON, id=reply) == reply
    assert {record.id for record in store.outgoing()} == {notice, reply}


def test_facts_come_back_as_they_were(store: Store) -> None:
    plain = fact()
    with store.completing(claim_one(store, b"x")) as unit:
        record(unit)
        case = unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON)
        unit.add_incident(0, judged(), case.id, plain)
        unit.add_incident(1, judged(), case.id, None)
        bare = type(plain)(
            "content", "phishing", "content", ip_address("2001:db8::7"), None, None, None, "www.example.jp/a"
        )
        unit.add_incident(2, judged(at=NOON + HOUR), case.id, bare)
        said = unit.facts_of_case(case.id, None)
        assert unit.queued_notice(case.id, NOON) is None
        unit.put_notice(None, case, a_notice(b"n", HELD, "leak gate: From"), [], NOON)
        queued = unit.queued_notice(case.id, NOON)
    assert queued is not None
    assert (queued.message, queued.held, queued.reason) == (b"n", True, "leak gate: From")
    assert [(said_.fact, said_.number, len(said_.voices)) for said_ in said] == [(plain, 1, 1), (bare, 1, 1)]


def test_distinct_reporters_are_counted_with_this_one(store: Store) -> None:
    for raw, who in ((b"1", "a@reporter.example"), (b"2", "b@reporter.example"), (b"3", "A@reporter.example")):
        complete(store, claim_one(store, raw), who)
    with store.completing(claim_one(store, b"4")) as unit:
        unit.record_report(Result("arf", None, None, None, None, Status.DONE))
        case = unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON)
        unit.add_incident(0, judged(), case.id, fact())
        assert unit.reporters_of_case(case.id) == 2, "the unnamed are not counted"
        queued = unit.queued_notice(case.id, NOON)
        assert queued is not None
        (said,) = unit.facts_of_case(case.id, queued.id)
        assert (said.fact, said.number, len(said.voices)) == (fact(), 4, 2)
        assert unit.submissions_of_case(case.id, queued.id)[-1] not in queued.submissions
        assert len(unit.facts_of_case(case.id, None)) == 1, "what the queued notice covers is not said again"


def test_every_fact_has_its_own_reporters(store: Store) -> None:
    later = fact(at=NOON + HOUR)
    for raw, who in ((b"1", "a@reporter.example"), (b"2", "b@reporter.example"), (b"3", "b@reporter.example")):
        complete(store, claim_one(store, raw), who)
    complete(store, claim_one(store, b"4"), "b@reporter.example", at=NOON + HOUR)
    with store.completing(claim_one(store, b"5")) as unit:
        record(unit, "c@reporter.example")
        case = unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON)
        queued = unit.queued_notice(case.id, NOON)
        assert queued is not None
        first, second = unit.facts_of_case(case.id, queued.id)
    assert (first.number, len(first.voices)) == (3, 2)
    assert (second.fact, second.number) == (later, 1)
    assert second.voices < first.voices, "the same person has one voice in both"


def test_the_variants_of_a_mailbox_are_one_voice_and_the_customers_own_are_none(store: Store) -> None:
    for tag in ("", "+a", "+b"):
        complete(store, claim_one(store, f"1{tag}".encode()), f"Taro{tag}@reporter.example")
    with store.completing(claim_one(store, b"2")) as unit:
        record(unit, "admin@customer.example")
        case = unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON)
        unit.add_incident(0, judged(), case.id, fact(), independent=False)
        queued = unit.queued_notice(case.id, NOON)
        assert queued is not None
        (said,) = unit.facts_of_case(case.id, queued.id)
    assert (said.number, len(said.voices)) == (4, 1)


def test_of_an_outbreak_only_as_many_reporters_are_named_as_are_asked_for(store: Store) -> None:
    for n in range(6):
        complete(store, claim_one(store, str(n).encode()), f"r{n}@reporter.example")
    with store.completing(claim_one(store, b"x")) as unit:
        unit.record_report(Result("arf", None, None, None, None, Status.DONE))
        case = unit.open_case("C-1042", "messaging", "spam", Severity.LOW, NOON)
        queued = unit.queued_notice(case.id, NOON)
        assert queued is not None
        (said,) = unit.facts_of_case(case.id, queued.id, most_voices=4)
    assert (said.number, len(said.voices)) == (6, 4)


def test_needles_come_back_exactly(store: Store) -> None:
    one, two = claim_one(store, b"x"), claim_one(store, b"y")
    needles = '[["太郎\udce3\x00","From"]]'
    with store.completing(one) as unit:
        record(unit)
        unit.keep_needles(needles)
    with store.completing(two) as unit:
        record(unit)
        unit.keep_needles("[]")
        found = unit.needles_of([one.submission.id, two.submission.id, "S-NOTHING"])
    assert found == {one.submission.id: needles, two.submission.id: "[]"}


def test_replies_count_for_the_cap(store: Store, clock: HandClock) -> None:
    for raw, who in ((b"1", "a@reporter.example"), (b"2", "a@reporter.example"), (b"3", "b@reporter.example")):
        with store.completing(claim_one(store, raw)) as unit:
            name = record(unit, who)
            unit.put_reply(a_reply(b"To: someone\r\n"), NOON)
            mine = unit.replies_to_since(name, NOON - timedelta(days=1))
            clock.forward(hours=1)
        assert mine == {b"1": 1, b"2": 2, b"3": 1}[raw]
    with store.completing(claim_one(store, b"4")) as unit:
        name = record(unit, "a@reporter.example")
        assert unit.replies_to_since(name, NOON + HOUR) == 1
    reply = store.outgoing(kind="reply")[0]
    assert (reply.customer, reply.case) == (None, None)
    assert reply.reporter is not None
    assert len(reply.submissions) == 1


def test_texts_that_no_engine_takes_are_mended_not_refused(store: Store) -> None:
    claim = claim_one(store, b"x")
    with store.completing(claim) as unit:
        unit.record_report(Result("prose\x00", "\udce3", None, None, "a\x00b\ud800c", Status.STAFF))
    assert store.submission(claim.submission.id).reason == "a\ufffdb\ufffdc"


def test_every_way_through_the_outbox(store: Store, clock: HandClock) -> None:
    id = complete(store, claim_one(store, b"x"))
    allowed = {
        QUEUED: {"hold", "mark_sent", "mark_failed"},
        HELD: {"approve"},
        FAILED: {"retry"},
        SENT: set[str](),
    }
    moves = {
        "approve": lambda: store.approve(id, "hanako"),
        "hold": lambda: store.hold(id, "hanako", "wait"),
        "retry": lambda: store.retry(id, "hanako"),
        "mark_sent": lambda: store.mark_sent(id, store.outgoing_message(id)),
        "mark_failed": lambda: store.mark_failed(id, "refused"),
    }

    def check(state: OutgoingState) -> None:
        assert store.outgoing_record(id).state is state
        for name in moves.keys() - allowed[state]:
            with pytest.raises(WrongState):
                moves[name]()

    clock.forward(minutes=1)
    for move, state in (
        ("hold", HELD),
        ("approve", QUEUED),
        ("mark_failed", FAILED),
        ("retry", QUEUED),
        ("mark_sent", SENT),
    ):
        moves[move]()
        check(state)
    assert store.outgoing_record(id).due_at == clock.now, "what staff let go leaves at once"
    actions = [event.action for event in store.outgoing_history(id)]
    assert actions == ["held", "approved", "failed", "queued again", "sent"]


def test_a_message_that_changed_since_it_was_read_is_not_recorded_as_sent(store: Store) -> None:
    id = complete(store, claim_one(store, b"1"))
    read = store.outgoing_message(id)
    assert complete(store, claim_one(store, b"2")) == id, "the queued notice takes the second report up"
    assert not store.mark_sent(id, read)
    assert store.outgoing_record(id).state is QUEUED
    assert store.mark_sent(id, store.outgoing_message(id))
