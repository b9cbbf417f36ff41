"""The reading side, and the work of staff on cases, outbox and late findings."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address

import polars
import pytest
from store_world import (
    HOUR,
    LEASE,
    NOON,
    QUEUED,
    HandClock,
    a_notice,
    a_reply,
    arrival,
    claim_one,
    complete,
    finding,
    judged,
    many,
    record,
)

from abuse_pipeline.errors import UnknownRecord, WrongState
from abuse_pipeline.model import HolderKind, Severity, Status
from abuse_pipeline.store import Store
from abuse_pipeline.store.records import Result

IP = ip_address("198.51.100.7")


def test_staff_works_on_a_case_and_history_keeps_it(store: Store, clock: HandClock) -> None:
    complete(store, claim_one(store, b"x"))
    (case,) = store.cases()
    clock.forward(hours=2)
    store.note_case(case.id, "hanako", "called the customer")
    assert store.assign(case.id, "hanako", "jiro").assignee == "jiro"
    assert store.close_case(case.id, "jiro", "cleaned up").state == "closed"
    assert store.reopen_case(case.id, "hanako", "again").state == "open"
    assert store.assign(case.id, "hanako", "").assignee is None
    events = store.case_history(case.id)
    assert [(e.who, e.action, e.text) for e in events[1:]] == [
        ("hanako", "note", "called the customer"),
        ("hanako", "assigned", "jiro"),
        ("jiro", "closed", "cleaned up"),
        ("hanako", "reopened", "again"),
        ("hanako", "assigned", ""),
    ]
    assert events[1].at == NOON + 2 * HOUR


def test_what_the_state_of_a_case_forbids(store: Store) -> None:
    complete(store, claim_one(store, b"x"))
    (old,) = store.cases()
    with pytest.raises(WrongState, match="open already"):
        store.reopen_case(old.id, "hanako", "")
    store.close_case(old.id, "hanako", "")
    with pytest.raises(WrongState, match="closed already"):
        store.close_case(old.id, "hanako", "")
    complete(store, claim_one(store, b"y"))
    (new,) = store.cases(state="open")
    with pytest.raises(WrongState, match=new.id):
        store.reopen_case(old.id, "hanako", "")
    assert len(store.case_history(old.id)) == 2, "what was refused is not history"


def test_what_is_not_there(store: Store) -> None:
    for ask in (
        lambda: store.submission("S-0"),
        lambda: store.raw_message("S-0"),
        lambda: store.case("K-0"),
        lambda: store.case_history("K-0"),
        lambda: store.note_case("K-0", "hanako", "?"),
        lambda: store.outgoing_record("N-0"),
        lambda: store.outgoing_message("N-0"),
        lambda: store.approve("N-0", "hanako"),
        lambda: store.replace_message("N-0", b""),
    ):
        with pytest.raises(UnknownRecord, match=r"-0: there is no"):
            ask()


def test_cases_by_what_is_asked_for(store: Store) -> None:
    with store.completing(claim_one(store, b"x")) as unit:
        record(unit)
        spam = unit.open_case("C-1", "messaging", "spam", Severity.LOW, NOON)
        phishing = unit.open_case("C-2", "content", "phishing", Severity.HIGH, NOON + HOUR)
    store.assign(spam.id, "hanako", "jiro")
    assert [case.id for case in store.cases()] == [phishing.id, spam.id]
    assert [case.id for case in store.cases(customer="C-1")] == [spam.id]
    assert [case.id for case in store.cases(state="open", category="content", type="phishing")] == [phishing.id]
    assert [case.id for case in store.cases(assignee="jiro")] == [spam.id]
    assert store.cases(state="closed") == ()


def test_incidents_of_a_case_and_of_a_submission(store: Store) -> None:
    claim = claim_one(store, b"x")
    complete(store, claim)
    (case,) = store.cases()
    (incident,) = store.incidents_of_case(case.id)
    assert store.incidents_of_submission(claim.submission.id) == (incident,)
    assert store.cases_of_submission(claim.submission.id) == (case.id,)
    assert store.cases_of_submission("S-0") == ()
    assert (incident.ip, incident.port, incident.customer) == (IP, 2525, "C-1042")
    assert (incident.holder, incident.severity) == (HolderKind.OURS, Severity.MEDIUM)
    assert incident.moment is not None
    assert incident.moment.at == NOON
    assert incident.reasons == ("the origin is witnessed",)
    assert incident.reporter == store.pseudonym("taro@reporter.example")


def test_outgoing_by_what_is_asked_for(store: Store) -> None:
    claim = claim_one(store, b"x")
    with store.completing(claim) as unit:
        record(unit)
        case = unit.open_case("C-1", "messaging", "spam", Severity.LOW, NOON)
        late = unit.put_notice(None, case, a_notice(b"n"), [], NOON + HOUR)
        soon = unit.put_reply(a_reply(b"r"), NOON)
    assert [r.id for r in store.outgoing()] == [soon, late]
    assert [r.id for r in store.outgoing(kind="notice")] == [late]
    assert [r.id for r in store.outgoing(due_before=NOON)] == [soon]
    assert [r.id for r in store.outgoing(submission=claim.submission.id)] == [soon]
    assert store.outgoing(submission="S-0") == ()
    store.hold(late, "hanako", "wait")
    assert [r.id for r in store.outgoing(state=QUEUED)] == [soon]
    assert store.outgoing_message(soon) == b"r"


def test_counts(store: Store, lease_clock: HandClock) -> None:
    store.accept([*many(3), arrival(), arrival(to="other@hosting.example.jp")])
    complete(store, claim_one(store, b"x"))
    store.claim("a", 2, LEASE)
    counts = store.counts()
    assert counts.submissions == {"pending": 4, "duplicate": 1, "done": 1}
    assert counts.cases == {"open": 1}
    assert counts.outgoing == {("notice", "queued"): 1}
    assert (counts.claimed, counts.oldest_pending) == (2, NOON)
    lease_clock.forward(hours=1)
    assert store.counts().claimed == 0


def test_counts_of_an_empty_store(store: Store) -> None:
    counts = store.counts()
    assert (counts.submissions, counts.claimed, counts.oldest_pending) == ({}, 0, None)


def test_triage_rows_make_a_frame(store: Store) -> None:
    complete(store, claim_one(store, b"x"))
    with store.completing(claim_one(store, b"y", received_at=NOON + HOUR)) as unit:
        unit.record_report(Result("prose", "en", None, None, "nothing recognised", Status.STAFF))
    store.accept([arrival(b"too late", received_at=NOON + timedelta(days=1))])
    columns = store.triage_rows(NOON, NOON + timedelta(days=1))
    frame = polars.DataFrame(columns)
    assert frame["status"].to_list() == ["done", "staff"]
    assert frame["severity"].to_list() == ["medium", None]
    assert frame["reason"].to_list() == ["the origin is witnessed", "nothing recognised"]
    assert frame["received_at"].to_list() == [NOON, NOON + HOUR]
    assert frame["holder"].to_list() == ["ours", None]
    assert frame["case"].to_list() == [store.cases()[0].id, None]
    assert polars.DataFrame(store.triage_rows(NOON - HOUR, NOON)).height == 0
    assert polars.DataFrame(store.triage_rows(since=NOON + HOUR)).height == 2
    assert polars.DataFrame(store.triage_rows(until=NOON + HOUR)).height == 1
    assert polars.DataFrame(store.triage_rows()).height == 3


def test_the_cache_forgets(store: Store) -> None:
    cache = store.finding_cache
    answer, nothing = (finding(), finding(None, problem="timed out")), ()
    cache.put("reverse_dns", IP, answer, NOON + HOUR)
    cache.put("rdap", "198.51.100.7", nothing, NOON + HOUR)
    assert cache.get("reverse_dns", IP, NOON) == answer
    assert cache.get("rdap", IP, NOON) == ()
    assert cache.get("reverse_dns", "192.0.2.1", NOON) is None
    assert store.findings_of(IP, NOON) == answer
    assert cache.get("reverse_dns", IP, NOON + HOUR) is None
    assert store.findings_of(IP, NOON + HOUR) == ()
    cache.put("reverse_dns", IP, (), NOON + 2 * HOUR)
    assert cache.get("reverse_dns", IP, NOON + HOUR) == ()


@pytest.mark.parametrize("first", ["incident", "lookup"])
def test_a_late_finding_is_added_late(store: Store, first: str) -> None:
    claim = claim_one(store, b"x")
    with store.completing(claim) as unit:
        record(unit)
        if first == "lookup":
            unit.want_lookup(IP)
        unit.add_incident(0, judged(), None, None)
        unit.add_incident(1, judged("192.0.2.1"), None, None)
        if first == "incident":
            unit.want_lookup(IP)
            unit.want_lookup(IP)
    assert store.wanted_lookups(10) == (IP,)
    assert store.wanted_lookups(0) == ()
    assert store.add_findings(IP, (finding(),)) == 1
    assert [i.findings for i in store.incidents_of_submission(claim.submission.id)] == [(finding(),), ()]
    assert store.wanted_lookups(10) == ()
    assert store.add_findings(IP, (finding("other"),)) == 0


def test_an_answer_stays_and_a_failure_is_replaced(store: Store) -> None:
    from dataclasses import replace

    claim = claim_one(store, b"x")
    failed = finding(None, "rdap", "timed out")
    with store.completing(claim) as unit:
        record(unit)
        unit.add_incident(0, replace(judged(), findings=(finding("kept"), failed)), None, None)
        unit.want_lookup(IP)
    store.add_findings(IP, (finding("ignored"), finding("abuse@example.net", "rdap")))
    (incident,) = store.incidents_of_submission(claim.submission.id)
    assert [f.value for f in incident.findings] == ["kept", "abuse@example.net"]


def test_a_waiting_reply_can_be_written_anew(store: Store, clock: HandClock) -> None:
    claim = claim_one(store, b"x")
    with store.completing(claim) as unit:
        record(unit)
        unit.add_incident(0, judged(), None, None)
        unit.add_incident(1, judged(), None, None)
        reply = unit.put_reply(a_reply(b"old"), NOON + HOUR)
    assert store.queued_replies_of_ip(IP) == ((reply, claim.submission.id),)
    assert store.queued_replies_of_ip(ip_address("192.0.2.1")) == ()
    store.replace_message(reply, b"new")
    assert store.outgoing_message(reply) == b"new"
    clock.forward(hours=1)
    assert store.queued_replies_of_ip(IP) == ()
    with pytest.raises(WrongState):
        store.replace_message(reply, b"newer")
    assert store.outgoing_message(reply) == b"new"
