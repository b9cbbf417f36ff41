"""`abuse triage`: the report for staff."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abuse_pipeline.cli.common import command, desk_and_store, json_option, print_json, print_line, the_clock
from abuse_pipeline.errors import AbuseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from abuse_pipeline.reports.triage import TriageReport

_SHOWN = 15


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
        _print_table(report) if output is None else _write(output, _table_text(report).encode())
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
        rows = store.triage_rows(period.since, period.until)
        return build_report(rows, store.cases(state="open"), store.outgoing(state=OutgoingState.HELD), by, period)


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


def _table_text(report: TriageReport) -> str:
    import contextlib
    import io

    buffer = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(buffer):
        _print_table(report)
    buffer.flush()
    raw = buffer.buffer
    assert isinstance(raw, io.BytesIO), "made so above"
    return raw.getvalue().decode("utf-8")


def _print_table(report: TriageReport) -> None:
    from abuse_pipeline.cli.tables import print_table

    zone = report.period.zone
    s = report.submissions
    print_line(f"{s['received']} reports with {s['incidents']} incidents{_between(report)}")
    print_line(f"{s['done']} done, {s['staff']} wait for staff, {s['pending']} in work, {s['duplicate']} duplicates")
    _head(f"waiting for a person ({len(report.staff)})")
    print_table(
        ("since", "submission", "format", "why"),
        [(_short(r["received_at"], zone), r["submission"], r["format"], r["reason"]) for r in report.staff[:_SHOWN]],
        "nothing",
    )
    _more(len(report.staff))
    _head(f"held messages ({len(report.held)})")
    print_table(("id", "kind", "case", "why"), [(m.id, m.kind, m.case, m.reason) for m in report.held[:_SHOWN]], "none")
    _more(len(report.held))
    _head(f"open cases, worst first ({len(report.cases)})")
    print_table(
        ("case", "customer", "kind", "severity", "incidents", "last"),
        [
            (c.id, c.customer, f"{c.category}/{c.type}", c.severity.value, c.incidents, _short(c.last_at, zone))
            for c in report.cases[:_SHOWN]
        ],
        "none",
    )
    _more(len(report.cases))
    _head("by " + ", ".join(report.by))
    print_table(report.groups.columns, report.groups.rows(), "nothing came in")


def _between(report: TriageReport) -> str:
    zone = report.period.zone
    since = f" since {_short(report.period.since, zone)}" if report.period.since else ""
    until = f" until {_short(report.period.until, zone)}" if report.period.until else ""
    return f"{since}{until} ({zone})"


def _short(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _head(text: str) -> None:
    print_line("")
    print_line(click.style(text, bold=True))


def _more(number: int) -> None:
    if number > _SHOWN:
        print_line(f"… and {number - _SHOWN} more; --format json shows all")
