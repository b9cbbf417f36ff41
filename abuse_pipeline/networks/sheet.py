"""A CSV text as the operator writes it -> rows of checked values, each with its line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from abuse_pipeline.networks.problems import Problems, Suggestions


class CsvFile(NamedTuple):
    """The whole text of one list, and the name by which the operator knows it."""

    text: str
    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """read: text without surrounding white space -> value; raises ValueError saying what is wrong with the text.

    optional: the header may leave the column out; its cells then read as empty text.
    """

    name: str
    read: Callable[[str], Any]
    optional: bool = False


class Row(NamedTuple):
    """values: column name -> what `Column.read` gave. texts: the same cells as written, for error messages."""

    line: int
    values: dict[str, Any]
    texts: dict[str, str]


def read_rows(file: CsvFile, columns: Sequence[Column], problems: Problems) -> Iterator[Row] | None:
    """Rows without a problem, one by one; what is wrong with the others is added to *problems*.

    None when the header itself is wrong: then no row can be understood.
    """
    lines = _cells(file, problems)
    header = next(lines, None)
    if header is None:
        wanted = ",".join(column.name for column in columns)
        problems.add(file.name, f"has no header row; the first line must be {wanted}")
        return None
    names = header[1]
    if not _header_fits(file, header, columns, problems):
        return None
    return _rows(file, names, lines, columns, problems)


def _cells(file: CsvFile, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Line by line: a quote that is never closed then spoils one row and not the rest of the file."""
    for number, line in enumerate(file.text.removeprefix("\ufeff").split("\n"), start=1):
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        try:
            cells = next(csv.reader([content], strict=True))
        except csv.Error as error:
            problems.add(file.name, f"is not CSV: {error}; a row stands on one line", line=number)
            continue
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield number, cells


def _header_fits(file: CsvFile, header: tuple[int, list[str]], columns: Sequence[Column], problems: Problems) -> bool:
    line, names = header
    known = [column.name for column in columns]
    suggestions = Suggestions(known)
    fits = True
    for position, name in enumerate(names):
        if name not in known:
            problems.add(file.name, f"is no column of this list{suggestions.nearest(name)}", line=line, value=name)
            fits = False
        elif name in names[:position]:
            problems.add(file.name, "is there twice", line=line, column=name)
            fits = False
    for column in columns:
        if not column.optional and column.name not in names:
            problems.add(file.name, f"the header has no column {column.name!r}", line=line)
            fits = False
    return fits


def _rows(
    file: CsvFile,
    names: list[str],
    lines: Iterator[tuple[int, list[str]]],
    columns: Sequence[Column],
    problems: Problems,
) -> Iterator[Row]:
    for line, cells in lines:
        if len(cells) != len(names):
            # A row cut short would turn a lease into an assignment without end: never fill it up.
            problems.add(file.name, f"has {len(cells)} fields, the header has {len(names)}", line=line)
            continue
        texts = dict(zip(names, cells, strict=True))
        values: dict[str, Any] = {}
        for column in columns:
            text = texts.setdefault(column.name, "")
            try:
                values[column.name] = column.read(text)
            except ValueError as error:
                problems.add(file.name, str(error), line=line, column=column.name, value=text)
        if len(values) == len(columns):
            yield Row(line, values, texts)
