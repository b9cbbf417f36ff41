"""What the desk remembers, along the whole path: hosts that reports taught, with a real store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from abuse_pipeline.desk import Desk, build_desk
from abuse_pipeline.model import Channel, Confidence, Disposition, Envelope, HolderKind
from abuse_pipeline.pipeline import Processed, process
from abuse_pipeline.settings import load_settings
from abuse_pipeline.shipped import write_configuration
from abuse_pipeline.store import Store, open_store
from abuse_pipeline.store.records import Arrival

START = datetime(2026, 11, 2, 3, tzinfo=UTC)
FILTER = "203.0.113.9"


@dataclass
class World:
    desk: Desk
    store: Store
    now: datetime = START

    def clock(self) -> datetime:
        return self.now

    def report(self, reporter: str, client: str, relay: str = FILTER, domain: str = "kaisha.example") -> Processed:
        """Take in one report of *reporter* about a mail that *relay* passed on from *client*; half a day goes by."""
        self.now += timedelta(hours=12)
        sent = format_datetime(self.now - timedelta(minutes=5))
        spam = EmailMessage()
        spam["Received"] = (
            f"from gw.filter.example (gw.filter.example [{relay}]) by mail.{domain} (Postfix) with ESMTP id 1; {sent}"
        )
        spam["Received"] = (
            f"from pc.example (unknown [{client}]) by gw.filter.example (Postfix) with ESMTP id 2; {sent}"
        )
        spam["From"], spam["To"], spam["Subject"] = "x@spam.example", f"{reporter}@{domain}", "win"
        spam.set_content("spam\n")
        report = EmailMessage()
        report["From"], report["To"] = f"{reporter}@{domain}", "abuse@hosting.example.jp"
        report["Subject"], report["Message-ID"] = "spam", f"<{self.now.timestamp()}@{domain}>"
        report.set_content("Please stop this.\n")
        report.add_attachment(spam)
        self.store.accept([Arrival(Channel.CLI, Envelope(), report.as_bytes(), self.now)])
        (claim,) = self.store.claim("test", 1, timedelta(minutes=1))
        return process(claim, self.store, self.desk, self.clock)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    write_configuration(tmp_path)
    settings = load_settings(tmp_path / "abuse.toml")
    made = World(build_desk(settings), None)  # type: ignore[arg-type]  # the store needs the clock of the world
    made.store = open_store(settings.store, made.clock)
    yield made
    made.store.close()


def teach(world: World) -> None:
    for number in range(5):
        processed = world.report(["hanako", "jiro"][number % 2], f"8.20.{number}.7")
        (judged,) = processed.assessment.incidents
        assert (str(judged.origin.ip), judged.origin.confidence) == (FILTER, Confidence.WITNESSED)
        assert judged.decision.disposition is Disposition.REFER_ELSEWHERE


def test_after_some_reports_the_filter_in_front_is_no_longer_blamed(world: World) -> None:
    teach(world)
    processed = world.report("hanako", "192.0.2.7")
    (judged,) = processed.assessment.incidents
    assert (str(judged.origin.ip), judged.origin.confidence) == ("192.0.2.7", Confidence.CLAIMED)
    assert (judged.holder.kind, judged.holder.customer) == (HolderKind.UNKNOWN, None)
    assert judged.decision.disposition is Disposition.STAFF
    assert [sent.outgoing.kind for sent in processed.outgoing if sent.outgoing.kind == "notice"] == []


def test_what_was_learned_of_one_domain_says_nothing_of_another(world: World) -> None:
    teach(world)
    (judged,) = world.report("hanako", "192.0.2.7", domain="other.example").assessment.incidents
    assert (str(judged.origin.ip), judged.origin.confidence) == (FILTER, Confidence.WITNESSED)


def test_what_was_learned_is_kept_up_by_later_reports_and_can_be_forgotten(world: World) -> None:
    teach(world)
    token = world.store.domain_token("kaisha.example")
    before = len(world.store.sightings_of(token, START))
    world.report("jiro", "192.0.2.16")
    newest = world.store.sightings_of(token, START)[-1]
    assert len(world.store.sightings_of(token, START)) == before + 1
    assert (newest.relay, newest.client) == (ip_address(FILTER), ip_address("192.0.2.16"))
    assert world.store.forget_sightings(token) == before + 1
    (judged,) = world.report("hanako", "192.0.2.7").assessment.incidents
    assert str(judged.origin.ip) == FILTER


def test_a_customer_of_ours_is_never_learned_away(world: World) -> None:
    """He forwards for the reporters, or sends much with forged tails: either way he is asked."""
    for number in range(12):
        (judged,) = world.report(
            ["hanako", "jiro"][number % 2], f"8.20.{number}.7", relay="192.0.2.7"
        ).assessment.incidents
        assert str(judged.origin.ip) == "192.0.2.7"
        assert judged.decision.disposition is Disposition.NOTIFY_CUSTOMER


def test_learning_can_be_switched_off(world: World, tmp_path: Path) -> None:
    config = tmp_path / "abuse.toml"
    text = config.read_text(encoding="utf-8")
    assert "#learn_after = 5" in text
    config.write_text(text.replace("#learn_after = 5", "learn_after = 0"), encoding="utf-8")
    world.desk = build_desk(load_settings(config))
    teach(world)
    (judged,) = world.report("hanako", "192.0.2.7").assessment.incidents
    assert str(judged.origin.ip) == FILTER
    assert world.store.sightings_of(world.store.domain_token("kaisha.example"), START) == ()
