"""`abuse triage`: the report for staff."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abuse_pipeline.cli.common import command, desk_and_store, json_option, note, print_json, print_line, the_clock
from abuse_pipeline.errors import AbuseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zoneinfo import ZoneInfo

    from abuse_pipeline.reports.triage import TriageReport
    from abuse_pipeline.store.records import Counts

_SHOWN = 15
_LONG_PENDING = timedelta(minutes=5)
_STANDING = {"done": "done", "staff": "wait for staff", "pending": "in work", "duplicate": "seen before"}


@command("triage", short_help="The report for staff: what came in, what is open, worst first.")
@click.option("--since", metavar="TIME", help="From: today, yesterday, 7d, 2026-11, 2026-11-20 or an ISO time.")
@click.option("--until", metavar="TIME", help="Up to and including that day or month; an ISO time is not included.")
@click.option("--by", default="disposition", show_default=True, help="Group by these columns, separated by commas.")
@click.option("--format", "format_", type=click.Choice(["table", "json", "csv", "parquet"]), default="table",
              show_default=True, help="csv and parquet hold the groups; json holds everything.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of stdout.")
@json_option
def triage(
    since: str | None, until: str | None, by: str, format_: str, output: Path | None, as_json: bool, config: Path
) -> None:
    """The report for staff: what came in, what waits for a person, which cases are open, worst first.

    Can be grouped by day, channel, status, format, language, disposition, category, type, severity, network, customer,
    confidence and holder. Days are those of the provider's time zone.

    \b
    Example:
      abuse triage
      abuse triage --since 7d --by customer,type
      abuse triage --since 2026-11 --by day --format csv --output november.csv
    """
    report = _report(since, until, _columns(by), config)
    kind = "json" if as_json else format_
    if kind == "table":
        _show(_table(report), output)
    elif kind == "json" and output is None:
        from abuse_pipeline.reports.triage import triage_document

        print_json(triage_document(report))
    else:
        _write(output, _bytes(report, kind))


def _report(since: str | None, until: str | None, by: tuple[str, ...], config: Path) -> TriageReport:
    from abuse_pipeline.model import OutgoingState
    from abuse_pipeline.reports.period import parse_since, parse_until
    from abuse_pipeline.reports.triage import Period, build_report

    clock = the_clock()
    with desk_and_store(config) as (desk, store):
        zone, now = desk.settings.provider.zone, clock()
        period = Period(
            _time(since, "--since", parse_since, now, zone), _time(until, "--until", parse_until, now, zone), zone
        )
        _warn_of_a_standstill(store.counts(), now, zone)
        rows = store.triage_rows(period.since, period.until)
        return build_report(rows, store.cases(state="open"), store.outgoing(state=OutgoingState.HELD), by, period)


def _warn_of_a_standstill(counts: Counts, now: datetime, zone: ZoneInfo) -> None:
    """Of the whole store, whatever the period: what waits is in nobody's numbers yet."""
    from abuse_pipeline.cli.tables import minute

    oldest = counts.oldest_pending
    if oldest is not None and now - oldest > _LONG_PENDING:
        waiting = counts.submissions["pending"]
        since = f"the oldest since {minute(oldest, zone)} ({zone})"
        note(f"abuse: warning: {waiting} reports wait to be worked on, {since}: is `abuse run` running?")


def _time(
    text: str | None, option: str, parse: Callable[[str, datetime, ZoneInfo], datetime], now: datetime, zone: ZoneInfo
) -> datetime | None:
    try:
        return parse(text, now, zone) if text is not None else None
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _columns(by: str) -> tuple[str, ...]:
    from abuse_pipeline.reports.triage import GROUPS

    columns = tuple(dict.fromkeys(word.strip() for word in by.split(",") if word.strip()))
    unknown = [word for word in columns if word not in GROUPS]
    if unknown or not columns:
        raise click.BadParameter(
            f"{', '.join(unknown) or 'nothing'}: choose from {', '.join(GROUPS)}", param_hint="--by"
        )
    return columns


def _show(lines: list[str], output: Path | None) -> None:
    if output is not None:
        _write(output, click.unstyle("\n".join(lines) + "\n").encode("utf-8", "replace"))
        return
    for line in lines:
        print_line(line)


def _bytes(report: TriageReport, kind: str) -> bytes:
    import io
    import json

    from abuse_pipeline.reports.triage import triage_document

    if kind == "json":
        return (json.dumps(triage_document(report), ensure_ascii=False, indent=2) + "\n").encode()
    if kind == "csv":
        return report.groups.write_csv().encode()
    buffer = io.BytesIO()
    report.groups.write_parquet(buffer)
    return buffer.getvalue()


def _write(output: Path | None, data: bytes) -> None:
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise AbuseError(f"cannot be written: {error.strerror}", where=str(output)) from None


def _table(report: TriageReport) -> list[str]:
    """The whole report as lines for people."""
    from abuse_pipeline.cli.tables import CASE_COLUMNS, case_row, minute, table_lines

    zone = report.period.zone
    counts = report.submissions
    staff = [(minute(r["received_at"], zone), r["submission"], r["format"], _first(r["reason"])) for r in report.staff]
    held = [(message.id, message.kind, message.case, message.reason) for message in report.held]
    cases = [case_row(case, zone) for case in report.cases]
    return [
        f"{counts['received']} reports with {counts['incidents']} incidents{_between(report)}",
        ", ".join(f"{counts[key]} {words}" for key, words in _STANDING.items()),
        *_section("waiting for a person", ("since", "submission", "format", "why"), staff),
        *_section("held messages", ("id", "kind", "case", "why"), held),
        *_section("open cases, worst first", CASE_COLUMNS, cases),
        "",
        click.style("by " + ", ".join(report.by), bold=True),
        *table_lines(report.groups.columns, report.groups.rows(), "nothing came in"),
    ]


def _section(title: str, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> list[str]:
    from abuse_pipeline.cli.tables import table_lines

    more = len(rows) - _SHOWN
    return [
        "",
        click.style(f"{title} ({len(rows)})", bold=True),
        *table_lines(columns, rows[:_SHOWN], "none"),
        *([f"… and {more} more; --format json shows all"] if more > 0 else []),
    ]


def _between(report: TriageReport) -> str:
    from abuse_pipeline.cli.tables import minute

    zone = report.period.zone
    since = f" since {minute(report.period.since, zone)}" if report.period.since else ""
    until = f" until {minute(report.period.until, zone)}" if report.period.until else ""
    return f"{since}{until} ({zone})"


def _first(reasons: str | None) -> str:
    """The rule that decided; the others stand in `abuse triage --format json`."""
    return (reasons or "").partition("; ")[0]
