"""What reports teach about the reporters' own side, and what nobody can teach."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import date, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_chains import OURS, OWN_RELAY, rules

from abuse_pipeline.model import Confidence, IPAddress
from abuse_pipeline.trace import RecipientSide, find_origin
from abuse_pipeline.trace.learning import (
    Passage,
    Sighting,
    Standing,
    learned_relays,
    never_learned,
    passage_of,
    standings,
)

RULES = rules()
NEVER = never_learned(RULES)
SIDE = RecipientSide(frozenset({"reporter.example"}))
FILTER = ip_address("203.0.113.9")
SECOND_FILTER = ip_address("203.0.113.10")
SPAMMER = ip_address("2001:db8:fff::25")
DAY_ONE = date(2026, 11, 1)
NEEDED = 5


def client(number: int) -> IPAddress:
    return ip_address(f"2001:db8:{number:x}::1")


def sighting(number: int, relay: IPAddress = FILTER, **over: object) -> Sighting:
    """The *number*-th report: of a day, a reporter, a client and a submission of its own."""
    fields: dict[str, object] = {
        "relay": relay,
        "client": client(number),
        "reporter": f"R-{number}",
        "day": DAY_ONE + timedelta(days=number),
        "submission": f"S-{number}",
    }
    return Sighting(**{**fields, **over})  # type: ignore[arg-type]


def honest(count: int = NEEDED, start: int = 0, relay: IPAddress = FILTER) -> list[Sighting]:
    return [sighting(start + n, relay) for n in range(count)]


def learned(sightings: list[Sighting], needed: int = NEEDED) -> set[IPAddress]:
    return {standing.relay for standing in learned_relays(sightings, needed, NEVER)}


def only(sightings: list[Sighting], needed: int = NEEDED) -> Standing:
    (standing,) = standings(sightings, needed, NEVER)
    return standing


# The rule


def test_enough_independent_reports_teach() -> None:
    assert only(honest()) == Standing(FILTER, 5, 5, DAY_ONE, DAY_ONE + timedelta(days=4))
    assert learned(honest()) == {FILTER}


def test_one_report_less_does_not() -> None:
    assert only(honest(4)).missing == ("1 more report that names a new client",)
    assert learned(honest(4)) == set()
    assert learned(honest(4), needed=4) == {FILTER}


def test_nothing_teaches_nothing() -> None:
    assert standings([], NEEDED, NEVER) == ()


@pytest.mark.parametrize("needed", [0, -1])
def test_learning_can_be_switched_off(needed: int) -> None:
    assert learned(honest(50), needed) == set()
    assert only(honest(50), needed).missing == ("learning is switched off",)


def test_three_days_are_needed_whatever_the_number() -> None:
    two_days = [sighting(n, day=DAY_ONE + timedelta(days=n % 2)) for n in range(50)]
    assert only(two_days).missing == ("reports of 3 days (there are 2)",)
    assert learned(honest(2), needed=1) == set()
    assert learned(honest(3), needed=1) == {FILTER}


def test_three_of_four_reports_must_agree() -> None:
    direct = [sighting(100 + n, SPAMMER, client=None, reporter="R-0") for n in range(3)]
    assert learned(honest(8) + direct[:2]) == {FILTER}
    assert only(honest(8) + direct).missing == ("agreement: 8 of 11 reports show it",)


def test_three_of_four_reporters_must_agree() -> None:
    """However much the others write."""
    others = [sighting(100 + n, SPAMMER, client=None) for n in range(2)]
    assert learned(honest(6) + others) == {FILTER}
    loud = [replace(each, reporter=f"R-{n % 3}") for n, each in enumerate(honest(50))]
    assert only(loud + others).missing == ("agreement: 3 of 5 reporters saw it",)


def test_a_domain_with_one_reporter_learns_from_that_one() -> None:
    assert learned([replace(each, reporter="R-0") for each in honest()]) == {FILTER}


def test_a_domain_with_two_reporters_learns_from_both_only() -> None:
    alone = [replace(each, reporter="R-0") for each in honest(30)]
    assert only([*alone, sighting(99, SPAMMER, client=None)]).missing == ("agreement: 1 of 2 reporters saw it",)
    assert learned([*alone, sighting(99)]) == {FILTER}


def test_a_filter_service_with_several_addresses_is_learned() -> None:
    """Neither has three of four reports by itself; each has to bring its own evidence."""
    both = [replace(each, relay=(FILTER, SECOND_FILTER)[n % 2]) for n, each in enumerate(honest(10))]
    assert learned(both) == {FILTER, SECOND_FILTER}
    assert learned(both[:9]) == {FILTER}


def test_sightings_after_a_pause_still_count() -> None:
    assert learned(honest(3) + honest(2, start=80)) == {FILTER}


# How somebody would poison it


def test_the_spammer_of_these_tests_could_be_learned() -> None:
    assert learned(honest(relay=SPAMMER)) == {SPAMMER}


def test_a_flood_from_one_reporter_of_several_teaches_nothing() -> None:
    """Somebody writes to us in the name of one person, without end, to get his own address passed over."""
    flood = [sighting(1000 + n, SPAMMER, reporter="R-forged") for n in range(5000)]
    assert learned([*honest(), *flood]) == set(), "at most, an honest lesson is lost: then all is as without learning"
    assert learned([sighting(1), *flood]) == set()


def test_a_flood_on_one_day_teaches_nothing() -> None:
    assert learned([sighting(n, SPAMMER, day=DAY_ONE) for n in range(5000)]) == set()


def test_one_sender_who_is_reported_without_end_teaches_nothing() -> None:
    """A spammer who sends through one host of his: the host names him each time."""
    assert only([sighting(n, SPAMMER, client=client(7)) for n in range(500)]).missing[0].startswith("4 more reports")


def test_addresses_of_one_line_are_one_sender() -> None:
    rotating = [sighting(n, SPAMMER, client=ip_address(f"2001:db8:7:{n:x}::{n:x}")) for n in range(500)]
    assert learned(rotating) == set()
    wrapped = [sighting(n, SPAMMER, client=ip_address(f"2002:cb00:71fe:{n:x}::1")) for n in range(500)]
    assert learned(wrapped) == set(), "6to4 addresses of one IPv4 host"
    both = [replace(each, client=ip_address("203.0.113.254")) if n % 2 else each for n, each in enumerate(wrapped)]
    assert only(both, 2).missing[0].startswith("1 more report")


def test_a_report_with_many_mails_speaks_once() -> None:
    digest = [sighting(n, SPAMMER, submission="S-1") for n in range(500)]
    assert only(digest).reports == 1
    assert learned(digest) == set()
    assert learned([*honest(), *digest]) == {FILTER}


def test_forged_tails_below_one_spammer_do_not_outweigh_the_other_reports() -> None:
    """He writes another client each time; whom else the organisation reports speaks against him."""
    tails = honest(30, start=200, relay=SPAMMER)
    others = [sighting(n, ip_address("203.0.113.77"), client=None) for n in range(11)]
    assert learned(tails + others) == set()


@pytest.mark.parametrize(
    "address",
    [
        "192.0.2.7",
        "198.51.100.25",
        "2001:db8:100::7",
        "198.51.100.130",
        "198.51.100.193",
        "::ffff:192.0.2.7",
        "64:ff9b::c000:207",
        "2002:c000:207::1",
        "10.0.0.1",
        "127.0.0.1",
        "fe80::1",
        "224.0.0.1",
    ],
)
def test_what_holds_ours_or_nobody_is_never_learned(address: str) -> None:
    assert_never_learned(ip_address(address))


def assert_never_learned(relay: IPAddress) -> None:
    sightings = honest(500, relay=relay)
    assert learned(sightings) == set()
    assert only(sightings).missing == ("it is ours or a well-known provider's, and is never learned",)


@pytest.mark.parametrize("address", ["203.0.113.25", "2002:cb00:71fe::25"])
def test_our_relays_outside_our_networks_are_never_learned(address: str) -> None:
    ours = replace(RULES, own_relays=(ip_network(address),))
    sightings = honest(50, relay=ip_address(address))
    assert learned_relays(sightings, NEEDED, never_learned(ours)) == ()
    assert len(learned_relays(sightings, NEEDED, NEVER)) == 1


ADDRESSES = [FILTER, SECOND_FILTER, SPAMMER, OWN_RELAY, ip_address("192.0.2.9"), ip_address("203.0.113.200")]
SIGHTINGS = st.builds(
    Sighting,
    relay=st.sampled_from(ADDRESSES),
    client=st.none() | st.integers(0, 12).map(client),
    reporter=st.integers(0, 4).map(lambda n: f"R-{n}"),
    day=st.integers(0, 4).map(lambda n: DAY_ONE + timedelta(days=n)),
    submission=st.integers(0, 60).map(lambda n: f"S-{n}"),
)
MANY = st.lists(SIGHTINGS, max_size=60)


@settings(max_examples=400, deadline=None)
@given(MANY, st.sampled_from([FILTER, SPAMMER]), st.integers(1, 6))
def test_what_is_learned_has_its_witnesses(some: list[Sighting], relay: IPAddress, needed: int) -> None:
    """Whatever is added: a learned host is a stranger's, was seen often enough, by nearly everybody, on three days."""
    sightings = [replace(s, relay=relay) if int(s.submission[2:]) % 3 else s for s in some]
    for standing in learned_relays(sightings, needed, NEVER):
        seen = [s for s in sightings if s.relay == standing.relay and s.client is not None]
        near = [s for s in sightings if s.client is not None and _slash_24(s.relay) == _slash_24(standing.relay)]
        assert not any(standing.relay in network for network in OURS)
        assert len({s.client for s in seen}) >= needed
        assert len({s.submission for s in seen}) >= max(needed, 3)
        assert len({s.day for s in seen}) >= 3
        assert len({s.submission for s in near}) >= 0.75 * len({s.submission for s in sightings})
        everybody = {s.reporter for s in _first_of_each(sightings)}
        assert len({s.reporter for s in near} & everybody) >= 0.75 * len(everybody)


def _slash_24(ip: IPAddress) -> object:
    return ip_network(f"{ip}/24" if ip.version == 4 else f"{ip}/48", strict=False)


def _first_of_each(sightings: list[Sighting]) -> list[Sighting]:
    return list({s.submission: s for s in reversed(sightings)}.values())


@settings(max_examples=200, deadline=None)
@given(MANY, MANY)
def test_nobody_teaches_alone(some: list[Sighting], flood: list[Sighting]) -> None:
    """One reporter adds what he likes: nothing is learned that none of the others saw."""
    others = [replace(s, reporter=f"R-{int(s.reporter[2:]) + 1}", submission=f"o{s.submission}") for s in some]
    alone = [replace(s, reporter="R-0") for s in flood]
    saw = {_slash_24(s.relay) for s in others if s.client is not None}
    if others:
        assert {_slash_24(ip) for ip in learned([*others, *alone], needed=2)} <= saw


@settings(max_examples=200, deadline=None)
@given(MANY, st.lists(SIGHTINGS, max_size=10))
def test_contrary_reports_never_teach(some: list[Sighting], contrary: list[Sighting]) -> None:
    against = [replace(s, client=None, submission=f"c{s.submission}") for s in contrary]
    assert learned([*some, *against], needed=2) <= learned(some, needed=2)


@settings(max_examples=100, deadline=None)
@given(MANY, st.sampled_from(["day", "client", "submission"]))
def test_without_variety_nothing_is_learned(some: list[Sighting], same: str) -> None:
    value = {"day": DAY_ONE, "client": client(1), "submission": "S-1"}[same]
    assert learned([replace(s, **{same: value}) for s in some], needed=2) == set()  # type: ignore[arg-type]


def test_as_many_hosts_as_reports_take_no_time() -> None:
    chance = random.Random(3)
    scattered = [sighting(n % 60_000, ip_address(chance.getrandbits(32) | 1 << 28)) for n in range(20_000)]
    began = time.perf_counter()
    assert learned(scattered) == set()
    assert time.perf_counter() - began < 5


# What a chain shows


def line(client_text: str, by: str, minute: int = 3, extra: str = "") -> str:
    return f"from {client_text} by {by} (Postfix) with ESMTP{extra} id 1; Fri, 20 Nov 2026 14:{minute:02}:12 +0900"


TOP = line("gw.filter.example (gw.filter.example [203.0.113.9])", "mx.reporter.example")
BELOW = line("pc.sender.example (unknown [198.51.100.201])", "gw.filter.example", 2)
STRANGER = ip_address("198.51.100.201")

CHAINS = {
    "a host that passes on": ([TOP, BELOW], Passage(FILTER, STRANGER)),
    "its name is its greeting only": (
        [line("gw.filter.example (unknown [203.0.113.9])", "mx.reporter.example"), BELOW], Passage(FILTER, STRANGER)
    ),
    "nothing below": ([TOP], Passage(FILTER, None)),
    "below, another host wrote": ([TOP, line("pc ([198.51.100.201])", "other.example")], Passage(FILTER, None)),
    "below, garbage": ([TOP, "x"], Passage(FILTER, None)),
    "below, an address that the client may have said of itself": (
        [TOP, "from [198.51.100.201] by gw.filter.example with SMTP id 1; Fri, 20 Nov 2026 14:02:12 +0900"],
        Passage(FILTER, None),
    ),
    "below, a private client": ([TOP, line("pc ([10.0.0.7])", "gw.filter.example")], Passage(FILTER, None)),
    "below, its own network": ([TOP, line("pc ([203.0.113.200])", "gw.filter.example")], Passage(FILTER, None)),
    "below, a user who logged in": (
        [TOP, line("pc.sender.example (unknown [198.51.100.201])", "gw.filter.example", 2, "A")], Passage(FILTER, None)
    ),
    "below, later than above": ([TOP, BELOW.replace("14:02", "23:02")], Passage(FILTER, None)),
    "it greets as localhost and writes so": (
        [line("localhost (unknown [203.0.113.9])", "mx.reporter.example"), line("pc ([198.51.100.201])", "localhost")],
        Passage(FILTER, None),
    ),
    "its name does not lead back": (
        [TOP.replace("(gw.filter.example [203.0.113.9])", "(gw.filter.example [203.0.113.9] (may be forged))"), BELOW],
        Passage(FILTER, None),
    ),
    "our relay": (
        [line("smtp.hosting.example (smtp.hosting.example [198.51.100.25])", "mx.reporter.example"),
         line("pc (unknown [192.0.2.7])", "smtp.hosting.example", 2)],
        Passage(OWN_RELAY, None),
    ),
    "a well-known relay, by its name": (
        [line("a.out.sendersvc.example (a.out.sendersvc.example [203.0.113.40])", "mx.reporter.example"),
         line("pc (unknown [198.51.100.201])", "a.out.sendersvc.example", 2)],
        Passage(ip_address("203.0.113.40"), None),
    ),
    "the recipient's own hosts stand above": (
        [line("mx.reporter.example (mx.reporter.example [10.1.2.3])", "store.reporter.example", 4), TOP, BELOW],
        Passage(FILTER, STRANGER),
    ),
    "no handover": ([line("pc ([10.1.2.3])", "mx.reporter.example")], None),
    "no chain": ([], None),
    "unreadable at the top": (["x", TOP, BELOW], None),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_what_a_chain_shows(name: str) -> None:
    received, expected = CHAINS[name]
    assert passage_of(find_origin(received, SIDE, RULES), RULES) == expected


@pytest.mark.parametrize("name", CHAINS)
def test_what_was_learned_is_seen_again(name: str) -> None:
    """Else it would be forgotten after the window, learned again, and so on."""
    received, expected = CHAINS[name]
    taught = frozenset({FILTER})
    origin = find_origin(received, replace(SIDE, learned=taught), RULES)
    assert passage_of(origin, RULES, taught) == expected


def test_a_learned_host_is_passed_over_and_believes_nobody() -> None:
    taught = frozenset(learned([sighting(n) for n in range(NEEDED)]))
    before, after = (
        find_origin([TOP, BELOW], SIDE, RULES),
        find_origin([TOP, BELOW], replace(SIDE, learned=taught), RULES),
    )
    assert (before.ip, before.confidence) == (FILTER, Confidence.WITNESSED)
    assert (after.ip, after.confidence) == (STRANGER, Confidence.CLAIMED)
