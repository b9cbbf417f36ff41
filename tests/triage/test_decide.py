"""Every row of the table of dispositions (DESIGN.md), by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from abuse_pipeline.model import (
    Confidence,
    Disposition,
    Holder,
    HolderKind,
    Hop,
    Incident,
    JudgedHop,
    Missing,
    Moment,
    Origin,
    Severity,
    Verdict,
)
from abuse_pipeline.triage import Circumstances, Feed, decide

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
IP = ip_address("192.0.2.7")
SPAM = Incident("messaging", "spam")
ORIGIN = Origin(IP, Confidence.WITNESSED, "recorded by mx.example.jp", moment=Moment(NOW - timedelta(hours=30)))
HOLDER = Holder(HolderKind.OURS, "held by C-1042", ip_network("192.0.2.0/24"), "C-1042")
AROUND = Circumstances(NOW, max_age=timedelta(days=180), max_skew=timedelta(hours=2), reporter_vouched=False)


def hop(verdict: Verdict, ip: str | None = None) -> JudgedHop:
    return JudgedHop(Hop(0, "raw", ip=ip_address(ip) if ip else None), verdict, "why")


def test_a_believed_origin_with_one_customer_is_notified() -> None:
    decision = decide(SPAM, ORIGIN, HOLDER, AROUND)
    assert decision.disposition is Disposition.NOTIFY_CUSTOMER
    assert "C-1042" in decision.reasons[0]
    assert decision.severity is Severity.LOW


def test_relayed_is_as_good_as_witnessed() -> None:
    origin = replace(ORIGIN, confidence=Confidence.RELAYED)
    assert decide(SPAM, origin, HOLDER, AROUND).disposition is Disposition.NOTIFY_CUSTOMER


STAFF = {
    "the parser says so": (replace(SPAM, staff_reason="auth-failure"), ORIGIN, HOLDER),
    "claimed only": (SPAM, replace(ORIGIN, confidence=Confidence.CLAIMED, hops=(hop(Verdict.CLAIMED),)), HOLDER),
    "nobody held it": (SPAM, ORIGIN, replace(HOLDER, customer=None)),
    "too old": (SPAM, replace(ORIGIN, moment=Moment(NOW - timedelta(days=180, seconds=1))), HOLDER),
    "in the future": (SPAM, replace(ORIGIN, moment=Moment(NOW + timedelta(hours=2, seconds=1))), HOLDER),
    "word of a stranger": (SPAM, replace(ORIGIN, confidence=Confidence.REPORTED), HOLDER),
    "broken chain": (SPAM, Origin.unknown("broken", (hop(Verdict.BROKEN),)), HOLDER),
    "holder unknown": (SPAM, ORIGIN, Holder(HolderKind.UNKNOWN, "?")),
    "fields contradict": (replace(SPAM, source_ip=ip_address("192.0.2.8")), ORIGIN, HOLDER),
}


@pytest.mark.parametrize("case", STAFF.values(), ids=STAFF.keys())
def test_what_cannot_be_decided_goes_to_staff(case: tuple[Incident, Origin, Holder]) -> None:
    assert decide(*case, AROUND).disposition is Disposition.STAFF


def test_the_bounds_of_age_still_belong_to_the_customer() -> None:
    for moment in (NOW - timedelta(days=180), NOW + timedelta(hours=2)):
        decision = decide(SPAM, replace(ORIGIN, moment=Moment(moment)), HOLDER, AROUND)
        assert decision.disposition is Disposition.NOTIFY_CUSTOMER


ASK = {
    "no headers": (SPAM, Origin.unknown("no Received"), (Missing.HEADERS,)),
    "no address": (Incident("connection", "port_scan"), Origin.unknown("none"), (Missing.ADDRESS,)),
    "never left": (SPAM, Origin.unknown("inside", (hop(Verdict.RECIPIENT_SIDE),)), (Missing.ADDRESS,)),
    "what the parser misses": (replace(SPAM, missing=(Missing.ZONE,)), Origin.unknown("none"), (Missing.ZONE,)),
    "no time": (SPAM, replace(ORIGIN, moment=None), (Missing.TIME,)),
    "claimed without a chain": (SPAM, replace(ORIGIN, confidence=Confidence.CLAIMED), (Missing.HEADERS,)),
}


@pytest.mark.parametrize("case", ASK.values(), ids=ASK.keys())
def test_what_is_missing_is_asked_for(case: tuple[Incident, Origin, tuple[Missing, ...]]) -> None:
    incident, origin, missing = case
    decision = decide(incident, origin, HOLDER, AROUND)
    assert (decision.disposition, decision.missing) == (Disposition.ASK_REPORTER, missing)


def test_a_shared_address_without_port_asks_for_it() -> None:
    decision = decide(SPAM, ORIGIN, replace(HOLDER, customer=None, missing=(Missing.PORT,)), AROUND)
    assert (decision.disposition, decision.missing) == (Disposition.ASK_REPORTER, (Missing.PORT,))


def test_a_private_address_is_no_address() -> None:
    origin = replace(ORIGIN, ip=ip_address("10.0.0.1"))
    decision = decide(SPAM, origin, Holder(HolderKind.SPECIAL, "private"), AROUND)
    assert (decision.disposition, decision.missing) == (Disposition.ASK_REPORTER, (Missing.ADDRESS,))


def test_networks_of_others_are_referred() -> None:
    group = decide(SPAM, ORIGIN, Holder(HolderKind.GROUP, "sister", group="sister"), AROUND)
    elsewhere = decide(SPAM, ORIGIN, Holder(HolderKind.ELSEWHERE, "not ours"), AROUND)
    documentation = decide(SPAM, ORIGIN, Holder(HolderKind.SPECIAL, "documentation"), AROUND)
    assert group.disposition is Disposition.REFER_GROUP
    assert elsewhere.disposition is documentation.disposition is Disposition.REFER_ELSEWHERE


def test_a_vouched_reporter_is_taken_at_their_word() -> None:
    origin = replace(ORIGIN, confidence=Confidence.REPORTED)
    decision = decide(SPAM, origin, HOLDER, replace(AROUND, reporter_vouched=True))
    assert decision.disposition is Disposition.NOTIFY_CUSTOMER


def test_a_field_that_names_a_believed_relay_is_no_contradiction() -> None:
    origin = replace(ORIGIN, hops=(hop(Verdict.HANDOVER, "198.51.100.25"), hop(Verdict.BELIEVED, "192.0.2.7")))
    incident = replace(SPAM, source_ip=ip_address("198.51.100.25"))
    assert decide(incident, origin, HOLDER, AROUND).disposition is Disposition.NOTIFY_CUSTOMER
    claimed = replace(origin, hops=(hop(Verdict.CLAIMED, "198.51.100.25"),))
    assert decide(incident, claimed, HOLDER, AROUND).disposition is Disposition.STAFF


def at(verdict: Verdict, moment: datetime) -> JudgedHop:
    return JudgedHop(Hop(0, "raw", stamped_at=Moment(moment)), verdict, "why")


@pytest.mark.parametrize("gap", [timedelta(hours=2, seconds=1), -timedelta(days=15)])
def test_a_stated_time_that_no_believed_hop_stamped_is_for_staff_and_shown(gap: timedelta) -> None:
    """Another day may mean another customer: either the field or the chain is wrong."""
    stamped = NOW - timedelta(hours=30)
    incident = replace(SPAM, source_ip=IP, source_time=Moment(stamped + gap))
    origin = replace(ORIGIN, hops=(at(Verdict.HANDOVER, stamped), at(Verdict.CLAIMED, stamped + gap)))
    decision = decide(incident, origin, HOLDER, AROUND)
    assert decision.disposition is Disposition.STAFF
    assert f"{stamped + gap:%Y-%m-%d %H:%M}" in decision.reasons[0]
    assert f"{stamped:%Y-%m-%d %H:%M}" in decision.reasons[0]
    elsewhere = decide(incident, origin, Holder(HolderKind.ELSEWHERE, "not ours"), AROUND)
    assert elsewhere.disposition is Disposition.REFER_ELSEWHERE


def test_a_stated_time_within_the_skew_of_any_believed_hop_fits() -> None:
    stamped = NOW - timedelta(hours=30)
    waited = replace(ORIGIN, hops=(at(Verdict.RECIPIENT_SIDE, stamped + timedelta(hours=9)),))
    for origin, gap in ((ORIGIN, timedelta(hours=2)), (ORIGIN, -timedelta(hours=2)), (waited, timedelta(hours=10))):
        incident = replace(SPAM, source_time=Moment(stamped + gap))
        assert decide(incident, origin, HOLDER, AROUND).disposition is Disposition.NOTIFY_CUSTOMER


@pytest.mark.parametrize(
    ("sender", "networks", "address", "peer", "expected"),
    [
        ("fbl@feed.example", (), "FBL@feed.example", None, True),
        ("feed.example", (), "fbl@feed.example", "203.0.113.9", True),
        ("feed.example", (), "fbl@other-feed.example", None, False),
        ("feed.example", (), "fbl@feed.example.evil.example", None, False),
        ("feed.example", ("203.0.113.0/24",), "fbl@feed.example", "203.0.113.9", True),
        ("feed.example", ("203.0.113.0/24",), "fbl@feed.example", "198.51.100.9", False),
        ("feed.example", ("203.0.113.0/24",), "fbl@feed.example", None, True),
        ("feed.example", (), None, None, False),
    ],
)
def test_a_feed_is_its_sender_from_its_networks(
    sender: str, networks: tuple[str, ...], address: str | None, peer: str | None, expected: bool
) -> None:
    feed = Feed(sender, tuple(ip_network(network) for network in networks))
    assert feed.matches(address, ip_address(peer) if peer else None) is expected
