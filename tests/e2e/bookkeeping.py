"""The books of a desk against what was sent to it: nothing lost, nothing doubled, everything as a lone report.

The desk's configuration lets a notice tell every minute (EVERYTHING_TOLD), and every report made has a minute of its
own: so the text of the notices itself shows that each incident was told once.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from desk_service import Desk, exported
from reports_made import Made

from abuse_pipeline.model import Status

EVERYTHING_TOLD: dict[str, dict[str, object]] = {
    "notices": {"minimum_reporters": 1, "time_precision": "minute", "delay": "2s"},
    "replies": {"per_sender_per_day": 1_000_000},
}
_MINUTE = re.compile(r"(\d{4})\D(\d\d?)\D(\d\d?)\D{1,3}(\d\d)\D(\d\d)")
_MORE = re.compile(r"(?:and|ほか) (\d+) (?:more|項目)")
_TOKYO = ZoneInfo("Asia/Tokyo")


def assert_books_balance(desk: Desk, sent: Collection[Made], answers: Mapping[int, str], out: Path) -> None:
    """answers: the submission's id that each 250 named, by number of the report. out: a folder for the export."""
    ids = _assert_each_is_there_once(desk, sent)
    assert {number: ids[number] for number in answers} == answers, "a 250 named another submission"
    _assert_incidents(desk, sent, ids)
    _assert_outbox(desk, sent, ids)
    _assert_told_once(desk, sent, out)


def _assert_each_is_there_once(desk: Desk, sent: Collection[Made]) -> dict[int, str]:
    """Gives the submission's id by the number of the report."""
    number_of = {"sha256:" + hashlib.sha256(report.raw).hexdigest(): report.number for report in sent}
    expected = {report.number: (Status.DONE, report.disposition) for report in sent}
    with desk.store() as store:
        found = store.submissions()
    assert Counter(number_of.get(record.digest) for record in found) == Counter(number_of.values())
    numbered = {number_of[record.digest]: record for record in found}
    wrong = {n: r for n, r in numbered.items() if (r.status, r.disposition) != expected[n]}
    assert not wrong
    return {number: record.id for number, record in numbered.items()}


def _assert_incidents(desk: Desk, sent: Collection[Made], ids: dict[int, str]) -> None:
    with desk.store() as store:
        found = {report.number: store.incidents_of_submission(ids[report.number]) for report in sent}
    wrong = {r.number for r in sent if len(found[r.number]) != (0 if r.disposition == "ask_reporter" else 1)}
    assert not wrong
    cases = desk.json("cases", "list", "--state", "all")["cases"]
    by_customer = Counter(report.customer for report in sent if report.customer)
    assert Counter({case["customer"]: case["incidents"] for case in cases}) == by_customer
    assert len(cases) == len(by_customer), "one open case for each customer and kind"


def _assert_outbox(desk: Desk, sent: Collection[Made], ids: dict[int, str]) -> None:
    """Every incident of a customer is covered by one notice, to that customer, and every report has one reply."""
    outbox = desk.json("outbox", "list")["outbox"]
    notices = Counter((s, m["customer"]) for m in outbox if m["kind"] == "notice" for s in m["submissions"])
    assert notices == Counter((ids[report.number], report.customer) for report in sent if report.customer)
    replies = Counter(s for m in outbox if m["kind"] == "reply" for s in m["submissions"])
    assert replies == Counter(ids.values())
    assert {message["state"] for message in outbox} == {"queued"}


def _assert_told_once(desk: Desk, sent: Collection[Made], out: Path) -> None:
    """By the text of the notices; one that has too many rows says how many more there are."""
    told: dict[str, Counter[datetime]] = {}
    more: Counter[str] = Counter()
    for message in exported(desk, out, "--kind", "notice").values():
        text = message.get_content()
        customer = re.search(r"\bC-\d+", text)
        assert customer is not None, text
        minutes = [datetime(*map(int, found), tzinfo=_TOKYO) for found in _MINUTE.findall(text)]  # type: ignore[misc]
        told.setdefault(customer[0], Counter()).update(minutes)
        more[customer[0]] += sum(map(int, _MORE.findall(text)))
    for customer_key in {report.customer for report in sent if report.customer}:
        happened = Counter(report.at for report in sent if report.customer == customer_key)
        untold = happened - told[customer_key]
        assert not told[customer_key] - happened, "told twice, or never happened"
        assert untold.total() == more[customer_key], "never told"
