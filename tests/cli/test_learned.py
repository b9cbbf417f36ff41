"""`abuse learned`: what reports taught is shown without the domain, and can be forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from conftest import Desk

from abuse_pipeline.demo import NOW
from abuse_pipeline.model import Channel, Envelope, Identity, Status
from abuse_pipeline.settings import load_settings
from abuse_pipeline.store import Store, open_store
from abuse_pipeline.store.records import Arrival, Result
from abuse_pipeline.trace.learning import Passage

TODAY = datetime.fromisoformat(NOW)
DOMAIN, OTHER = "secretdomain.example", "quietdomain.example"


@contextmanager
def the_store(desk: Desk) -> Iterator[Store]:
    store = open_store(load_settings(desk.config).store, lambda: TODAY)
    try:
        yield store
    finally:
        store.close()


def see(desk: Desk, domain: str, number: int, relay: str = "203.0.113.9", passed_on: bool = True) -> None:
    """The *number*-th report of *domain*, that many days ago."""
    client = ip_address(f"2001:db8:{number:x}::1") if passed_on else None
    arrival = Arrival(Channel.CLI, Envelope(), f"{domain} {number}".encode(), TODAY - timedelta(days=number))
    with the_store(desk) as store:
        (accepted,) = store.accept([arrival])
        claim = store.claim_submission(accepted.submission, "test", timedelta(minutes=1))
        assert claim is not None
        with store.completing(claim) as unit:
            unit.record_report(Result("arf", "ja", Identity(f"taro{number}@{domain}"), None, None, Status.DONE))
            unit.record_sighting(0, store.domain_token(domain), Passage(ip_address(relay), client))


def token_of(desk: Desk, domain: str) -> str:
    with the_store(desk) as store:
        return store.domain_token(domain)


@pytest.fixture
def taught(empty: Desk) -> Desk:
    """Five reports of one domain teach; three of another do not yet."""
    for number in range(5):
        see(empty, DOMAIN, number)
    for number in range(3):
        see(empty, OTHER, number, "203.0.113.77")
    return empty


def listed(desk: Desk, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = desk.json("learned", "list", *arguments)
    assert list(found) == ["domain", "learned", "watched"]
    return found


def test_nothing_is_learned_at_first(empty: Desk) -> None:
    assert empty.abuse("learned", "list").lines() == ["nothing was seen"]
    assert listed(empty) == {"domain": None, "learned": [], "watched": []}


def test_what_is_learned_and_what_is_watched(taught: Desk) -> None:
    days = [(TODAY - timedelta(days=n)).date().isoformat() for n in range(5)]
    assert listed(taught) == {
        "domain": None,
        "learned": [
            {
                "domain": token_of(taught, DOMAIN),
                "relay": "203.0.113.9",
                "reports": 5,
                "reporters": 5,
                "first": days[4],
                "last": days[0],
            }
        ],
        "watched": [
            {
                "domain": token_of(taught, OTHER),
                "relay": "203.0.113.77",
                "reports": 3,
                "reporters": 3,
                "first": days[2],
                "last": days[0],
                "missing": ["2 more reports that name a new client"],
            }
        ],
    }


def test_the_table_shows_what_is_learned_first_and_what_is_missing(empty: Desk) -> None:
    first, last = sorted((DOMAIN, OTHER), key=lambda domain: token_of(empty, domain))
    for number in range(5):
        see(empty, last, number)
    for number in range(3):
        see(empty, first, number, "203.0.113.77")
    header, learned, watched = empty.abuse("learned", "list", COLUMNS="200").lines()
    assert header.split() == ["domain", "relay", "reports", "reporters", "first", "last", "why"]
    assert learned.startswith(f"{token_of(empty, last)}  203.0.113.9")
    assert learned.endswith("learned")
    assert watched.endswith("not yet: 2 more reports that name a new client")


def test_no_output_names_the_domain_or_a_reporter(taught: Desk) -> None:
    for arguments in (
        ["list"], ["list", "--json"], ["list", "--domain", DOMAIN], ["list", "--domain", f"taro@{DOMAIN}", "--json"],
        ["forget", "--domain", OTHER], ["forget", "--all", "--yes"], ["list", "--domain", DOMAIN],
    ):  # fmt: skip
        ran = taught.abuse("learned", *arguments)
        assert ran.code == 0, ran.err
        said = (ran.out + ran.err).lower()
        assert not [word for word in ("secretdomain", "quietdomain", "taro", "r-") if word in said], said


@pytest.mark.parametrize("given", [OTHER, f"mail.{OTHER}", OTHER.upper(), f"taro@{OTHER}", f"{OTHER}."])
def test_who_knows_the_domain_sees_its_token(taught: Desk, given: str) -> None:
    found = listed(taught, "--domain", given)
    assert found["domain"] == token_of(taught, OTHER)
    assert not found["learned"]
    assert [each["domain"] for each in found["watched"]] == [found["domain"]]
    unseen = taught.abuse("learned", "list", "--domain", "unseen.example")
    assert unseen.lines() == [f"nothing was seen of {token_of(taught, 'unseen.example')}"]


def test_what_is_older_than_the_window_is_not_shown(empty: Desk) -> None:
    for number in (1, 91):
        see(empty, DOMAIN, number)
    (watched,) = listed(empty)["watched"]
    assert watched["reports"] == 1
    assert empty.abuse("learned", "list", now=(TODAY + timedelta(days=90)).isoformat()).lines() == ["nothing was seen"]


def test_the_setting_decides_how_many(taught: Desk) -> None:
    taught.settings("#learn_after = 5", "learn_after = 3")
    assert {each["relay"] for each in listed(taught)["learned"]} == {"203.0.113.9", "203.0.113.77"}
    taught.settings("learn_after = 3", "learn_after = 0")
    found = listed(taught)
    assert not found["learned"]
    assert {tuple(each["missing"]) for each in found["watched"]} == {("learning is switched off",)}


def test_a_setting_below_zero_is_wrong(empty: Desk) -> None:
    empty.settings("#learn_after = 5", "learn_after = -1")
    ran = empty.abuse("learned", "list")
    assert ran.code == 2
    assert "trace.learn_after" in ran.err


def test_an_address_of_ours_is_never_learned(empty: Desk) -> None:
    for number in range(6):
        see(empty, DOMAIN, number, "198.51.100.25")
    found = listed(empty)
    assert not found["learned"]
    assert found["watched"][0]["missing"] == ["it is ours or a well-known provider's, and is never learned"]


def test_reports_that_show_no_passing_on_are_not_watched(empty: Desk) -> None:
    see(empty, DOMAIN, 1, passed_on=False)
    assert empty.abuse("learned", "list").lines() == ["nothing was seen"]


@pytest.mark.parametrize("how", ["token", "token in small letters", "domain"])
def test_one_domain_is_forgotten(taught: Desk, how: str) -> None:
    token = token_of(taught, DOMAIN)
    arguments = {"token": [token], "token in small letters": [token.lower()], "domain": ["--domain", DOMAIN]}[how]
    assert taught.abuse("learned", "forget", *arguments).lines() == [f"{token}: 5 sightings forgotten"]
    assert taught.abuse("learned", "forget", *arguments).lines() == [f"{token}: 0 sightings forgotten"]
    found = listed(taught)
    assert (found["learned"], len(found["watched"])) == ([], 1)


@pytest.mark.parametrize(
    ("arguments", "typed", "left"),
    [(["--all"], b"y\n", 0), (["--all", "--yes"], b"", 0), (["--all"], b"n\n", 1), (["--all"], b"", 1)],
)
def test_all_is_forgotten_when_it_is_meant(taught: Desk, arguments: list[str], typed: bytes, left: int) -> None:
    ran = taught.abuse("learned", "forget", *arguments, stdin=typed)
    assert len(listed(taught)["learned"]) == left
    if left:
        assert (ran.code != 0, ran.out) == (True, "")
    else:
        assert ran.lines() == ["all domains: 8 sightings forgotten"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["forget"], "give a token, --domain or --all"),
        (["forget", "D-7K2M9QX4T8BN31VZ", "--all"], "give a token, --domain or --all"),
        (["forget", "--domain", DOMAIN, "--all"], "give a token, --domain or --all"),
        (["forget", DOMAIN], "is not the token of a domain"),
        (["forget", "R-7K2M9Q"], "is not the token of a domain"),
        (["forget", "--domain", "localhost"], "not a domain that somebody registered"),
        (["list", "--domain", ""], "not a domain that somebody registered"),
        (["list", "--domain", "192.0.2.7"], "not a domain that somebody registered"),
        (["list", "--domain", "a b\x00.example"], "not a domain that somebody registered"),
    ],
)
def test_wrong_use_changes_nothing_and_says_what_is_wrong(empty: Desk, arguments: list[str], problem: str) -> None:
    see(empty, DOMAIN, 1)
    ran = empty.abuse("learned", *arguments)
    assert ran.code == 2
    assert problem in " ".join(ran.err.split())
    assert len(listed(empty)["watched"]) == 1
