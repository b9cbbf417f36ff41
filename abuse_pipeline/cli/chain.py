"""A Received chain as people read it: newest first, from whom to whom with the reason, the origin at the bottom."""

from __future__ import annotations

import textwrap
from zoneinfo import ZoneInfo

import click

from abuse_pipeline.model import JudgedHop, Moment, Origin, Verdict

_NARROWEST = 20
_COLOURS = {
    Verdict.RECIPIENT_SIDE: "bright_black",
    Verdict.HANDOVER: "green",
    Verdict.BELIEVED: "green",
    Verdict.CLAIMED: "yellow",
    Verdict.BROKEN: "red",
    Verdict.UNREADABLE: "red",
}


def chain_lines(origin: Origin, zone: ZoneInfo, width: int) -> list[str]:
    """Each hop with its verdict and reason, then the origin and its time in *zone*. Sentences are folded at *width*."""
    lines = [line for judged in origin.hops for line in _hop_lines(judged, zone, width)]
    return [*lines, *_origin_lines(origin, zone, width)]


def _hop_lines(judged: JudgedHop, zone: ZoneInfo, width: int) -> list[str]:
    hop = judged.hop
    peer = str(hop.ip) if hop.ip is not None else "-"
    verdict = click.style(f"{judged.verdict.value:<14}", fg=_COLOURS[judged.verdict])
    mark = "=>" if judged.verdict is Verdict.HANDOVER else "  "
    name = printable(hop.rdns or hop.helo or "-")
    return [
        f"{mark} {hop.index:>2} {verdict} {peer} ({name})",
        f"      -> {printable(hop.by or '-')}, {when(hop.stamped_at, zone)}",
        *(f"      {click.style(line, dim=True)}" for line in folded(printable(judged.reason), width - 6)),
    ]


def _origin_lines(origin: Origin, zone: ZoneInfo, width: int) -> list[str]:
    reason = folded(printable(origin.reason), width - 8)
    if origin.ip is None:
        return ["origin: unknown", *(f"        {line}" for line in reason)]
    port = f" port {origin.port}" if origin.port is not None else ""
    address = click.style(str(origin.ip), bold=True)
    return [
        f"origin: {address}{port} at {when(origin.moment, zone)} ({origin.confidence.value})",
        *(f"        {line}" for line in reason),
    ]


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
