"""`abuse ingest PATH...`: files through the same pipeline, to the end."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abuse_pipeline.cli.common import command, desk_and_store, note, print_line, the_clock

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@command("ingest", short_help="Take files, folders, mbox, Maildir, zip or - through the pipeline.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line for each submission.")
def ingest(paths: tuple[Path, ...], as_json: bool, config: Path) -> None:
    """Take files, folders, mbox, Maildir, zip or - (standard input) through the pipeline to the end.

    Exit 0 when everything is stored and finished, items for staff included; 1 when something could not be. Run it
    again then, or after an interruption: what was stored is finished, nothing is doubled.

    \b
    Example:
      abuse ingest reports/ old-reports.mbox
      abuse ingest --json - < report.eml
    """
    from abuse_pipeline.ingest import Done
    from abuse_pipeline.ingest import ingest as take
    from abuse_pipeline.intake.archives import read_sources

    counts: Counter[str] = Counter()
    problems = 0
    with desk_and_store(config) as (desk, store), _progress(paths) as advance:
        smtp = desk.settings.intake.smtp
        caps = {"max_message_bytes": smtp.max_message_bytes} if smtp is not None else {}
        found = chain.from_iterable(read_sources(str(path), desk.settings.archives, **caps) for path in paths)
        for answer in take(found, store, desk, the_clock()):
            if not isinstance(answer, Done):
                problems += 1
                note(f"abuse: {answer.source}: {answer.reason}")
                continue
            counts[_outcome(answer.document)] += 1
            advance(answer.size)
            if as_json:
                print_line(json.dumps(answer.document, ensure_ascii=False))
    if not as_json:
        _print_summary(counts, problems)
    if problems:
        sys.exit(1)


def _outcome(document: dict[str, Any]) -> str:
    return "duplicate" if document["status"] == "duplicate" else document["disposition"]


def _print_summary(counts: Counter[str], problems: int) -> None:
    print_line(f"{sum(counts.values())} taken in")
    for outcome, number in counts.most_common():
        print_line(f"  {number:>7}  {outcome}")
    if problems:
        print_line(f"  {problems:>7}  could not be taken in or finished; the lines above say why")


@contextmanager
def _progress(paths: tuple[Path, ...]) -> Iterator[Any]:
    """A progress bar on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]} reports"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("ingesting", total=_total_bytes(paths), done=0)
        yield lambda size: _advance(progress, task, size)


def _advance(progress: Progress, task: TaskID, size: int) -> None:
    done = progress.tasks[0].fields["done"] + 1
    progress.update(task, advance=size, done=done)


def _total_bytes(paths: tuple[Path, ...]) -> int | None:
    """How much there is to read; None for standard input, which does not say."""
    if any(str(path) == "-" for path in paths):
        return None
    files = chain.from_iterable(path.rglob("*") if path.is_dir() else (path,) for path in paths)
    return sum(file.stat().st_size for file in files if file.is_file()) or None
