"""What staff need to see: what came in, what is open, what waits for a person, worst first.

The counting is polars' work; one row of the frame is one incident, or one submission without an incident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from abuse_pipeline.documents import local_text, utc_text
from abuse_pipeline.model import Severity
from abuse_pipeline.store.records import CaseRecord, OutgoingRecord

if TYPE_CHECKING:
    import polars

GROUPS = (
    "day", "channel", "status", "format", "language", "disposition", "category", "type", "severity", "network",
    "customer", "confidence", "holder",
)  # fmt: skip
"""What `--by` can group by. No column leads back to one reporter."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` up to, not including, `until`; None is open. Shown in `zone`."""

    since: datetime | None
    until: datetime | None
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class TriageReport:
    """submissions: counts of submissions. groups: the grouped frame. The rest is for people, worst first."""

    period: Period
    submissions: dict[str, int]
    by: tuple[str, ...]
    groups: polars.DataFrame
    staff: list[dict[str, Any]]
    cases: list[CaseRecord]
    held: list[OutgoingRecord]


def build_report(
    rows: Mapping[str, Sequence[Any]],
    cases: Sequence[CaseRecord],
    held: Sequence[OutgoingRecord],
    by: tuple[str, ...],
    period: Period,
) -> TriageReport:
    """Compute the report from the store's columns (`Store.triage_rows`)."""
    frame = _frame(rows, period.zone)
    return TriageReport(
        period=period,
        submissions=_submissions(frame),
        by=by,
        groups=_groups(frame, by),
        staff=_waiting_for_staff(frame),
        cases=worst_first(cases),
        held=list(held),
    )


def _frame(rows: Mapping[str, Sequence[Any]], zone: ZoneInfo) -> polars.DataFrame:
    import polars as pl

    frame = pl.DataFrame(rows, schema=_schema(rows), strict=False)
    return frame.with_columns(
        pl.col("received_at").dt.convert_time_zone(str(zone)).dt.date().cast(pl.String).alias("day")
    )


def _schema(rows: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    import polars as pl

    return {name: pl.Datetime("us", "UTC") if name == "received_at" else pl.String for name in rows}


def _submissions(frame: polars.DataFrame) -> dict[str, int]:
    """How many submissions there are, and where they stand. A submission with several incidents counts once."""
    import polars as pl

    once = frame.unique("submission")
    counts = dict(once.group_by("status").len().iter_rows())
    ours = ("done", "staff", "pending", "duplicate")
    return {
        "received": once.height,
        **{status: int(counts.get(status, 0)) for status in ours},
        "incidents": frame.filter(pl.col("category").is_not_null()).height,
    }


def _groups(frame: polars.DataFrame, by: tuple[str, ...]) -> polars.DataFrame:
    """One row a group: incidents (or submissions without one), submissions, and cases, most first."""
    import polars as pl

    return (
        frame.group_by(by)
        .agg(
            pl.len().alias("incidents"),
            pl.col("submission").n_unique().alias("submissions"),
            pl.col("case").drop_nulls().n_unique().alias("cases"),
        )
        .sort(["incidents", *by], descending=[True, *(False for _ in by)], nulls_last=True)
    )


def _waiting_for_staff(frame: polars.DataFrame) -> list[dict[str, Any]]:
    """Submissions that a person has to decide, oldest first, with the reason."""
    import polars as pl

    waiting = frame.filter(pl.col("status") == "staff").unique("submission", keep="first", maintain_order=True)
    return waiting.sort("received_at").select("submission", "received_at", "format", "disposition", "reason").to_dicts()


def worst_first(cases: Sequence[CaseRecord]) -> list[CaseRecord]:
    """Severest first, then those with most incidents, then those that have waited longest."""
    order = list(Severity)
    return sorted(cases, key=lambda case: (-order.index(case.severity), -case.incidents, case.first_at))


def triage_document(report: TriageReport) -> dict[str, Any]:
    """What `abuse triage --format json` prints. Columns only ever get added."""
    from abuse_pipeline.documents import cases_document, outbox_document

    since, until, zone = report.period.since, report.period.until, report.period.zone
    return {
        "since": utc_text(since) if since is not None else None,
        "until": utc_text(until) if until is not None else None,
        "timezone": str(zone),
        "submissions": report.submissions,
        "by": list(report.by),
        "groups": report.groups.to_dicts(),
        "staff": [_staff_item(row, zone) for row in report.staff],
        **cases_document(report.cases),
        "held": outbox_document(report.held)["outbox"],
    }


def _staff_item(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    at = row["received_at"]
    return {**row, "received_at": utc_text(at), "received_at_local": local_text(at, zone)}
