"""Plain tables on the terminal, with wide (Japanese) characters aligned."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from abuse_pipeline.cli.chain import printable

_PIPE_WIDTH = 200


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print *rows* under *columns*, or the sentence *empty* when there are none."""
    console = Console(soft_wrap=False, highlight=False)
    if not console.is_terminal:
        columns_given = os.environ.get("COLUMNS", "")
        width = int(columns_given) if columns_given.isdigit() else _PIPE_WIDTH
        console = Console(width=width, highlight=False, no_color=True)
    if not rows:
        console.print(empty, markup=False)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
    console.print(table)
