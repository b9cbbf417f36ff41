"""A Received chain as people read it: newest first, one line a hop, the origin at the bottom with its reason."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import click
from rich.cells import cell_len, get_character_cell_size

from abuse_pipeline.cli.common import line_width
from abuse_pipeline.model import Hop, JudgedHop, Moment, Origin, Verdict
from abuse_pipeline.trace.relays import confirmed_name

_NARROWEST = 20
_WIDEST_PADDING = 64
"""Where nothing is cut, one endless name must not push the columns of all other lines away."""

_LONGEST_NAME = 255
_HANG = "      "
_COLOURS = {
    Verdict.RECIPIENT_SIDE: "bright_black",
    Verdict.HANDOVER: "green",
    Verdict.BELIEVED: "green",
    Verdict.CLAIMED: "yellow",
    Verdict.BROKEN: "red",
    Verdict.UNREADABLE: "red",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Where the chain is printed.

    width: columns. cut: whether names are shortened and columns left out until a line fits; a pipe gets all of it.
    why: whether each hop is followed by its reason.
    """

    width: int
    cut: bool = True
    why: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    """One hop, as text. clock: the short form of its time, where one is unambiguous in this chain."""

    judged: JudgedHop
    client: str
    name: str
    by: str
    time: str
    clock: str
    delay: str


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which columns there are, and how far the names may be shortened; 0: that column is left out."""

    name: int
    by: int
    time: str = ""
    delay: bool = False


_PLANS = (
    _Plan(30, 24, "full", delay=True),
    _Plan(18, 18, "short", delay=True),
    _Plan(0, 16, "short", delay=True),
    _Plan(0, 16, "short"),
    _Plan(0, 16, delay=True),
    _Plan(0, 10),
    _Plan(0, 0),
)
"""From roomy to narrow. The client's name goes first: the line below usually says it again, as its writer."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Columns of each cell; 0 leaves the column out. cut: whether a longer cell is shortened."""

    index: int
    verdict: int
    client: int
    name: int
    by: int
    time: int
    delay: int
    short: bool
    cut: bool


def page_here(*, indent: int = 0, why: bool = False) -> Page:
    """The page of this process: its terminal, or as many columns as COLUMNS asks for; a pipe gets whole lines."""
    return Page(line_width() - indent, cut=sys.stdout.isatty() or bool(os.environ.get("COLUMNS")), why=why)


def chain_lines(origin: Origin, zone: ZoneInfo, page: Page) -> list[str]:
    """A title, each hop with its verdict, then the origin and its time in *zone* with the reason, folded to the page.

    A client's name in quotes is only what the client said of itself. The delay is how much later the hop above was
    stamped; with a minus its time runs backwards.
    """
    if not origin.hops:
        return _origin_lines(origin, zone, page.width)
    titles, rows = _titles(origin.hops, zone), _rows(origin.hops, zone)
    layout = _fitting([titles, *rows], page)
    source = _source(origin)
    lines = [click.style(_line(titles, layout, is_title=True), bold=True)]
    for row in rows:
        lines.append(_line(row, layout, is_source=row.judged is source))
        if page.why:
            reason = folded(printable(row.judged.reason, 1000), page.width - len(_HANG))
            lines += [f"{_HANG}{click.style(line, dim=True)}" for line in reason]
    return [*lines, *_origin_lines(origin, zone, page.width)]


def _source(origin: Origin) -> JudgedHop | None:
    """The hop that recorded the origin."""
    believed = [judged for judged in origin.hops if judged.verdict in (Verdict.HANDOVER, Verdict.BELIEVED)]
    return next((j for j in reversed(believed) if origin.ip is not None and j.hop.ip == origin.ip), None)


def _rows(hops: Sequence[JudgedHop], zone: ZoneInfo) -> list[_Row]:
    short, rows, above = _short_form(hops, zone), [], None
    for judged in hops:
        hop, moment = judged.hop, judged.hop.stamped_at
        rows.append(
            _Row(
                judged,
                client=str(hop.ip) if hop.ip is not None else "-",
                name=_client_name(hop),
                by=printable(hop.by or "-", _LONGEST_NAME),
                time=_at(moment, zone, "%Y-%m-%d %H:%M"),
                clock=_at(moment, zone, short),
                delay=_delay(moment, above),
            )
        )
        above = moment or above
    return rows


def _titles(hops: Sequence[JudgedHop], zone: ZoneInfo) -> _Row:
    """The heads of the columns; that of the times names the zone, and the day where all hops share it."""
    local = _local_times(hops, zone)
    names = {at.strftime("%Z") for at in local}
    name = names.pop() if len(names) == 1 else zone.key
    time = f"time ({name})" if local else "time"
    clock = f"{local[0]:%m-%d} {name}" if local and _short_form(hops, zone) == "%H:%M" else time
    return _Row(hops[0], "client", "name", "written by", time, clock, "delay")


def _client_name(hop: Hop) -> str:
    """The name that the writing host confirmed, or in quotes the one that the client says it has."""
    confirmed, said = confirmed_name(hop), hop.helo or hop.rdns
    if confirmed is not None:
        return confirmed
    return f'"{printable(said, _LONGEST_NAME)}"' if said else "-"


def _local_times(hops: Sequence[JudgedHop], zone: ZoneInfo) -> list[datetime]:
    return [judged.hop.stamped_at.at.astimezone(zone) for judged in hops if judged.hop.stamped_at is not None]


def _short_form(hops: Sequence[JudgedHop], zone: ZoneInfo) -> str:
    """As much of the date as the times of this chain do not share."""
    local = _local_times(hops, zone)
    if len({at.year for at in local}) > 1:
        return "%Y-%m-%d %H:%M"
    return "%m-%d %H:%M" if len({at.date() for at in local}) > 1 else "%H:%M"


def _at(moment: Moment | None, zone: ZoneInfo, shape: str) -> str:
    if moment is None:
        return "-"
    return moment.at.astimezone(zone).strftime(f"{shape}:%S" if moment.precision == "second" else shape)


def _delay(moment: Moment | None, above: Moment | None) -> str:
    """How much later the nearest hop above with a time was stamped: ``+3s``, ``-2h``; no finer than both told it."""
    if moment is None or above is None:
        return ""
    gap = above.at - moment.at
    sign, span = ("-", -gap) if gap < timedelta() else ("+", gap)
    seconds = int(span.total_seconds())
    if seconds < 120 and "minute" not in (moment.precision, above.precision):
        return f"{sign}{seconds}s"
    for unit, size, limit in (("m", 60, 7200), ("h", 3600, 172_800), ("d", 86_400, 1000 * 86_400)):
        if seconds < limit:
            return f"{sign}{seconds // size}{unit}"
    return f"{sign}{seconds // (365 * 86_400)}y"


def _fitting(rows: Sequence[_Row], page: Page) -> _Layout:
    """The roomiest layout whose lines fit the page, with the room that is left given to the names."""
    if not page.cut:
        return _layout(rows, _Plan(_WIDEST_PADDING, _WIDEST_PADDING, "full", delay=True), cut=False)
    layouts = [_layout(rows, plan, cut=True) for plan in _PLANS]
    chosen = next((layout for layout in layouts if _width(layout) <= page.width), layouts[-1])
    return _widened(chosen, rows, page.width - _width(chosen))


def _layout(rows: Sequence[_Row], plan: _Plan, *, cut: bool) -> _Layout:
    return _Layout(
        index=max(len(str(row.judged.hop.index)) for row in rows),
        verdict=max(len(row.judged.verdict.value) for row in rows),
        client=max(len(row.client) for row in rows),
        name=min(plan.name, _widest(row.name for row in rows)),
        by=min(plan.by, _widest(row.by for row in rows)),
        time=_widest(row.time if plan.time == "full" else row.clock for row in rows) if plan.time else 0,
        delay=max(len(row.delay) for row in rows) if plan.delay else 0,
        short=plan.time == "short",
        cut=cut,
    )


def _widest(texts: Iterator[str]) -> int:
    return max(map(cell_len, texts))


def _widened(layout: _Layout, rows: Sequence[_Row], spare: int) -> _Layout:
    """*layout* with the names as long as *spare* more columns allow; a short name leaves its room to the other."""
    name, by = (_widest(row.name for row in rows), _widest(row.by for row in rows))
    wanted_by = max(by - layout.by, 0) if layout.by else 0
    wanted_name = max(name - layout.name, 0) if layout.name else 0
    more_by = min(wanted_by, max(spare - wanted_name, spare // 2))
    more_name = min(wanted_name, spare - more_by)
    return replace(layout, name=layout.name + max(more_name, 0), by=layout.by + max(more_by, 0))


def _width(layout: _Layout) -> int:
    optional = (layout.name, layout.by + 3 if layout.by else 0, layout.time, layout.delay)
    return 3 + layout.index + 1 + layout.verdict + 2 + layout.client + sum(width + 2 for width in optional if width)


def _line(row: _Row, layout: _Layout, *, is_title: bool = False, is_source: bool = False) -> str:
    """One line of the table: the titles, or one hop. is_source: this hop recorded the origin."""
    verdict = row.judged.verdict
    mark = "=>" if verdict is Verdict.HANDOVER and not is_title else "  "
    index = "" if is_title else str(row.judged.hop.index)
    said = _padded("verdict" if is_title else verdict.value, layout.verdict)
    client, room = row.client, " " * (layout.client - len(row.client))
    cells = [
        said if is_title else click.style(said, fg=_COLOURS[verdict]),
        (click.style(client, bold=True) if is_source else client) + room,
        _name(row.name, layout.name, layout),
        f"{'  ' if is_title else '->'} {_name(row.by, layout.by, layout)}" if layout.by else "",
        _padded(row.clock if layout.short else row.time, layout.time) if layout.time else "",
        row.delay.rjust(layout.delay) if layout.delay else "",
    ]
    return f"{mark} {index:>{layout.index}} {'  '.join(cell for cell in cells if cell)}".rstrip()


def _name(text: str, width: int, layout: _Layout) -> str:
    if not width:
        return ""
    return _padded(shortened(text, width) if layout.cut else text, width)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def shortened(text: str, width: int) -> str:
    """*text* in at most *width* columns, with ``…`` in the middle: a host name tells most by its end."""
    if cell_len(text) <= width:
        return text
    head = _fill(text, (width - 1) // 3)
    tail = _fill(text[::-1], width - 1 - cell_len(head))[::-1]
    return f"{head}…{tail}"


def _fill(text: str, width: int) -> str:
    """As much of the beginning of *text* as fits into *width* columns."""
    used = 0
    for at, character in enumerate(text):
        used += get_character_cell_size(character)
        if used > width:
            return text[:at]
    return text


def _origin_lines(origin: Origin, zone: ZoneInfo, width: int) -> list[str]:
    reason = [f"        {line}" for line in folded(printable(origin.reason, 1000), width - 8)]
    if origin.ip is None:
        return [f"origin: {click.style('unknown', bold=True)}", *reason]
    port = f" port {origin.port}" if origin.port is not None else ""
    said = f"at {when(origin.moment, zone)} ({origin.confidence.value})"
    fits = len(f"origin: {origin.ip}{port} {said}") <= width
    address = f"origin: {click.style(str(origin.ip), bold=True)}{port}"
    return [*([f"{address} {said}"] if fits else [address, f"        {said}"]), *reason]


def folded(sentence: str, width: int) -> list[str]:
    """*sentence* in lines of *width* columns; words are not cut, so that addresses and ids can be copied."""
    return textwrap.wrap(sentence, max(width, _NARROWEST), break_long_words=False, break_on_hyphens=False)


def when(moment: Moment | None, zone: ZoneInfo) -> str:
    """``2026-11-20 14:03:12 JST``, without the seconds where the source gave none."""
    if moment is None:
        return "time unknown"
    shape = "%Y-%m-%d %H:%M:%S %Z" if moment.precision == "second" else "%Y-%m-%d %H:%M %Z"
    return moment.at.astimezone(zone).strftime(shape)


def printable(text: str, limit: int = 200) -> str:
    """Text of a message, safe for a terminal: control characters shown as escapes, bounded."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)
