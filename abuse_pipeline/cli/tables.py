"""Plain tables for the terminal, with wide (Japanese) characters aligned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from abuse_pipeline.cli.chain import printable
from abuse_pipeline.cli.common import line_width, print_line
from abuse_pipeline.store.records import CaseRecord

_PROSE_WIDTH = 12
_PROSE = ("why", "reason")
"""Columns that may take several lines; ids and times that are cut in two cannot be copied."""


CASE_COLUMNS = ("case", "customer", "kind", "severity", "count", "last")


def case_row(case: CaseRecord, zone: ZoneInfo) -> tuple[object, ...]:
    """One case under `CASE_COLUMNS`; it fits 80 columns."""
    kind = f"{case.category}/{case.type}"
    return case.id, case.customer, kind, case.severity.value, case.incidents, minute(case.last_at, zone)[:10]


def minute(at: datetime, zone: ZoneInfo) -> str:
    """``2026-11-20 14:03``."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print *rows* under *columns*, or the sentence *empty* when there are none."""
    for line in table_lines(columns, rows, empty):
        print_line(line)


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> list[str]:
    """The lines of the table, as wide as the terminal, COLUMNS, or a generous page in a pipe."""
    if not rows:
        return [empty]
    cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in rows]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name not in _PROSE)
    for row in cells:
        table.add_row(*map(Text, row))
    text = StringIO()
    width = max(line_width(), _least_width(columns, cells))
    Console(file=text, width=width, highlight=False, force_terminal=True, color_system="standard").print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]


def _least_width(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """What must not be wrapped, with a strip beside it for prose: a narrower terminal shows long lines, whole."""
    widths = [max(cell_len(row[position]) for row in ([*columns], *cells)) for position in range(len(columns))]
    fixed = sum(width for name, width in zip(columns, widths, strict=True) if name not in _PROSE)
    prose = _PROSE_WIDTH if any(name in _PROSE for name in columns) else 0
    return fixed + prose + 2 * len(columns)
