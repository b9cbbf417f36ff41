"""`abuse triage`: its numbers against a count in plain Python, its periods in the provider's zone, its formats."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import contract_shapes
import pytest
from abuse_command import SAMPLES
from conftest import Desk

from abuse_pipeline.model import Channel, Envelope
from abuse_pipeline.settings import load_settings
from abuse_pipeline.store import open_store
from abuse_pipeline.store.records import Arrival

# (the column of the report, where the store has it)
_OF_SUBMISSION = ("channel", "status", "format", "language")
_OF_INCIDENT = {
    "category": "category", "type": "type", "severity": "severity", "network": "network", "customer": "customer",
    "confidence": "confidence", "holder": "holder_kind",
}  # fmt: skip
_COUNTS = ("incidents", "submissions", "cases")
_JST = timedelta(hours=9)


def _rows(desk: Desk) -> list[dict[str, Any]]:
    """One row an incident, or a submission without one, read from the store's file by hand."""
    with closing(sqlite3.connect(desk.folder / "var" / "abuse.db")) as store:
        store.row_factory = sqlite3.Row
        submissions = [dict(row) for row in store.execute("SELECT * FROM submissions")]
        incidents = [dict(row) for row in store.execute("SELECT * FROM incidents")]
    rows = []
    for submission in submissions:
        mine = [incident for incident in incidents if incident["submission"] == submission["id"]]
        for incident in mine or [None]:
            row = {name: submission[name] for name in _OF_SUBMISSION}
            row |= {name: incident[column] if incident else None for name, column in _OF_INCIDENT.items()}
            row["disposition"] = (incident or submission)["disposition"]
            row["submission"], row["case"] = submission["id"], incident["case_id"] if incident else None
            at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=submission["received_at"])
            row["day"] = (at + _JST).date().isoformat()
            row["is_incident"] = incident is not None
            rows.append(row)
    return rows


def _counted(rows: list[dict[str, Any]], by: tuple[str, ...]) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    return {
        key: (len(mine), len({row["submission"] for row in mine}), len({row["case"] for row in mine} - {None}))
        for key, mine in groups.items()
    }


def _grouped(document: dict[str, Any], by: tuple[str, ...]) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    return {
        tuple(group[name] for name in by): (group["incidents"], group["submissions"], group["cases"])
        for group in document["groups"]
    }


@pytest.mark.parametrize(
    "by",
    ["disposition", "day", "channel", "status", "format", "language", "category", "type", "severity", "network",
     "customer", "confidence", "holder", "day,customer,type", "format,disposition,status"],
)  # fmt: skip
def test_groups_are_what_a_plain_count_gives(filled: Desk, by: str) -> None:
    columns = tuple(by.split(","))
    document = filled.json("triage", "--by", by)
    assert document["by"] == list(columns)
    assert _grouped(document, columns) == _counted(_rows(filled), columns)
    sizes = [group["incidents"] for group in document["groups"]]
    assert sizes == sorted(sizes, reverse=True), "most first"


def test_totals_are_what_a_plain_count_gives(filled: Desk) -> None:
    rows = _rows(filled)
    statuses = Counter({row["submission"]: row["status"] for row in rows}.values())
    shown = filled.json("triage")["submissions"]
    assert shown["received"] == sum(statuses.values())
    assert {name: shown[name] for name in ("done", "staff", "pending", "duplicate")} == {
        name: statuses[name] for name in ("done", "staff", "pending", "duplicate")
    }
    assert shown["incidents"] == sum(row["is_incident"] for row in rows)
    assert len(filled.json("triage")["staff"]) == statuses["staff"]


def test_the_document_carries_cases_and_held_messages_in_their_own_shapes(own: Desk) -> None:
    id = own.json("outbox", "list", "--kind", "notice")["outbox"][0]["id"]
    own.abuse("outbox", "hold", id, "--reason", "x")
    document = own.json("triage")
    contract_shapes.cases({"cases": document["cases"]})
    contract_shapes.outbox({"outbox": document["held"]})
    assert [item["id"] for item in document["held"]] == [id]
    assert document["cases"] == own.json("cases", "list")["cases"]
    assert document["timezone"] == "Asia/Tokyo"


def test_json_is_the_same_by_option_by_format_and_in_a_file(filled: Desk, tmp_path: Path) -> None:
    by_option, by_format = filled.json("triage"), filled.abuse("triage", "--format", "json").document()
    assert filled.abuse("triage", "--format", "json", "--output", tmp_path / "t.json").out == ""
    assert by_option == by_format == json.loads((tmp_path / "t.json").read_text("utf-8"))


def test_csv_and_parquet_hold_the_groups(filled: Desk, tmp_path: Path) -> None:
    import polars

    groups = filled.json("triage", "--by", "customer,type")["groups"]
    text = filled.abuse("triage", "--by", "customer,type", "--format", "csv").out
    read = list(csv.DictReader(io.StringIO(text)))
    assert read == [{name: "" if value is None else str(value) for name, value in group.items()} for group in groups]
    assert text.splitlines()[0] == "customer,type,incidents,submissions,cases"
    file = tmp_path / "t.parquet"
    assert filled.abuse("triage", "--by", "customer,type", "--format", "parquet", "--output", file).out == ""
    assert polars.read_parquet(file).to_dicts() == groups
    assert filled.abuse("triage", "--by", "customer,type", "--format", "csv", "--output", tmp_path / "t.csv").code == 0
    assert (tmp_path / "t.csv").read_text("utf-8") == text


def test_the_table_can_be_kept_in_a_file(filled: Desk, tmp_path: Path) -> None:
    shown = filled.abuse("triage").out
    assert filled.abuse("triage", "--output", tmp_path / "t.txt").out == ""
    assert (tmp_path / "t.txt").read_text("utf-8") == shown
    assert "by disposition" in shown
    assert "open cases, worst first" in shown


def test_an_empty_store_is_a_report_too(empty: Desk) -> None:
    document = empty.json("triage")
    assert document["submissions"]["received"] == 0
    assert (document["groups"], document["staff"], document["cases"], document["held"]) == ([], [], [], [])
    assert empty.abuse("triage").code == 0
    assert empty.abuse("triage", "--format", "csv").out == "disposition,incidents,submissions,cases\n"


def test_reports_that_wait_for_long_make_one_ask_for_the_service(empty: Desk) -> None:
    at = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)
    store = open_store(load_settings(empty.config).store, lambda: at)
    store.accept([Arrival(Channel.SMTP, Envelope(), b"%d" % number, at) for number in range(2)])
    store.close()
    assert "abuse run" not in empty.abuse("triage", now="2026-11-20T14:08:12+09:00").err
    ran = empty.abuse("triage", "--json", now="2026-11-20T14:08:13+09:00")
    assert ran.document()
    warning = "2 reports wait to be worked on, the oldest since 2026-11-20 14:03 (Asia/Tokyo): is `abuse run` running?"
    assert f"abuse: warning: {warning}" in ran.err.splitlines()


# When each report came in: either side of midnight and of the first of the month, in Japan.
_ARRIVALS = {
    "2026-10-31T14:59:59Z": "2026-10-31",
    "2026-10-31T15:00:00Z": "2026-11-01",
    "2026-11-19T14:59:59Z": "2026-11-19",
    "2026-11-19T15:00:00Z": "2026-11-20",
    "2026-11-20T14:59:59Z": "2026-11-20",
    "2026-11-20T15:00:00Z": "2026-11-21",
    "2026-11-30T14:59:59Z": "2026-11-30",
    "2026-11-30T15:00:00Z": "2026-12-01",
}


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk that took in one report at each of `_ARRIVALS`."""
    from abuse_pipeline.shipped import write_configuration

    desk = Desk(tmp_path_factory.mktemp("dated"))
    write_configuration(desk.folder)
    raw = (SAMPLES / "prose" / "no-headers.eml").read_bytes()
    for number, at in enumerate(_ARRIVALS):
        different = raw + b"\r\n%d\r\n" % number
        assert desk.abuse("ingest", "-", stdin=different, now=at).code == 0
    return desk


def _received(desk: Desk, *options: str, now: str = "2026-11-21T12:00:00+09:00") -> Counter[str]:
    ran = desk.abuse("triage", "--json", "--by", "day", *options, now=now)
    document = ran.document()
    assert isinstance(document, dict)
    assert sum(group["submissions"] for group in document["groups"]) == document["submissions"]["received"]
    return Counter({group["day"]: group["submissions"] for group in document["groups"]})


def test_days_are_those_of_the_provider_s_zone(dated: Desk) -> None:
    assert _received(dated) == Counter(_ARRIVALS.values())


@pytest.mark.parametrize(
    ("options", "days"),
    [
        ("--since 2026-11-20 --until 2026-11-20", ["2026-11-20"]),
        ("--since 2026-11-20", ["2026-11-20", "2026-11-21", "2026-11-30", "2026-12-01"]),
        ("--until 2026-11-19", ["2026-10-31", "2026-11-01", "2026-11-19"]),
        ("--since 2026-11 --until 2026-11", ["2026-11-01", "2026-11-19", "2026-11-20", "2026-11-21", "2026-11-30"]),
        ("--since 2026-10 --until 2026-10", ["2026-10-31"]),
        ("--since 2026-12", ["2026-12-01"]),
        ("--since today", ["2026-11-21", "2026-11-30", "2026-12-01"]),
        ("--since today --until today", ["2026-11-21"]),
        ("--since yesterday --until yesterday", ["2026-11-20"]),
        ("--since 2026-11-20T00:00:00 --until 2026-11-21T00:00:00", ["2026-11-20"]),
        ("--since 2026-11-19T15:00:00Z --until 2026-11-20T15:00:00Z", ["2026-11-20"]),
        ("--since 36h --until today", ["2026-11-20", "2026-11-21"]),
        ("--since 2027-01", []),
    ],
)
def test_a_period_is_cut_at_midnight_in_japan(dated: Desk, options: str, days: list[str]) -> None:
    expected = Counter(day for day in _ARRIVALS.values() if day in days)
    assert _received(dated, *options.split()) == expected


def test_a_report_at_1500_utc_is_of_the_next_day_in_japan(dated: Desk) -> None:
    document = dated.json("triage", "--since", "2026-11-20", "--until", "2026-11-20")
    assert (document["since"], document["until"]) == ("2026-11-19T15:00:00Z", "2026-11-20T15:00:00Z")
    assert document["submissions"]["received"] == 2


def test_another_zone_has_other_days(dated: Desk, tmp_path: Path) -> None:
    import shutil

    desk = Desk(tmp_path / "desk")
    shutil.copytree(dated.folder, desk.folder)
    desk.settings('timezone = "Asia/Tokyo"', 'timezone = "UTC"')
    assert _received(desk) == Counter(at[:10] for at in _ARRIVALS)
