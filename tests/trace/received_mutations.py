"""Received fields bent out of shape: by their grammar, by splicing two of them, by noise.

The choices come from outside, so that hypothesis can shrink them and atheris can be guided by them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

LONGEST = 20_000

Below = Callable[[int], int]
"""A choice: a number from 0 to one less than the argument."""

LINES = [
    line["received"]
    for file in sorted((Path(__file__).parent / "dialects").glob("*.toml"))
    for line in tomllib.loads(file.read_text(encoding="utf-8"))["line"]
]

_TOKEN = re.compile(r"\s+|[();<>\[\]@:,=]|[^\s();<>\[\]@:,=]+")
_CLAUSE = re.compile(r"(?:^|(?<=\s))(?=(?:from|by|with|id|for|via)\s)|(?=[(;])|(?<=\))", re.IGNORECASE)
# fmt: off
INSERTS = (
    " by ", " by mx.evil.example (Postfix) ", " from ", " with ", " with ESMTPSA ", " id ", " for ", " via ",
    " HTTP ", "(", ")", "[", "]", "<", ">", ";", ":", ",", ".", "@", '"', "\\", "=", "%", " ", "\t", "\r\n ", "()",
    "((", "))", ") (", "[192.0.2.66]", "(192.0.2.66)", "([192.0.2.66])", "(evil.example [192.0.2.66])",
    "[IPv6:2001:db8::66]", ":25", "192.0.2.66", "::ffff:192.0.2.66", "2002:c000:242::", "192.0.2.066", "192.0.2.256",
    "unknown", "localhost", "helo=", "(HELO x)", "(may be forged)", "(authenticated bits=0)",
    "(Authenticated sender: x@evil.example)", "(using TLSv1.3)", "(Postfix)", "(Exim 4.96)", "(8.15.2/8.15.2)",
    "(qmail 7 invoked by uid 0)", "Microsoft SMTP Server", "by", "for", "; Fri, 20 Nov 2026 14:03:12 +0900",
    "; Mon, 1 Jan 2001 00:00:00 +0000", " +0000 (JST)", " 24:00:00 ", " 23:59:60 ", " 31 Feb 2026 ", " -0000", " GMT",
    " m=+4955159.8067505", " UTC", "\x00", "\x07", "\x0b", "\x0c", "\x1c", "\x1f", "\x7f", "\x85", "\xa0", "\u3000",
    "\u2028", "\u200b", "\ufeff", "\udc80", "\uff08", "\uff3b", "\uff11\uff19\uff12", "\u0661", "\u0131d",
    "\u017fmtp", "\u212a", "\u3042", "e\u0301",
)
# fmt: on


def mutated_field(below: Below, lines: list[str] | None = None) -> str:
    """One of *lines* (those of the dialect files when None) after one to six mutations."""
    lines = lines or LINES
    text = lines[below(len(lines))]
    for _ in range(1 + below(6)):
        text = _MUTATIONS[below(len(_MUTATIONS))](text, below, lines)[:LONGEST]
    return text


def _pieces(text: str, below: Below) -> list[str]:
    """*text* cut into its tokens or its clauses and comments."""
    if below(2):
        return _TOKEN.findall(text)
    return [piece for piece in _CLAUSE.split(text) if piece]


def _swap(text: str, below: Below, lines: list[str]) -> str:
    pieces = _pieces(text, below)
    if len(pieces) < 2:
        return text
    one, other = below(len(pieces)), below(len(pieces))
    pieces[one], pieces[other] = pieces[other], pieces[one]
    return "".join(pieces)


def _repeat(text: str, below: Below, lines: list[str]) -> str:
    pieces = _pieces(text, below)
    if not pieces:
        return text
    at = below(len(pieces))
    times = (1, 1, 1, 2, 5, 50)[below(6)]
    return "".join([*pieces[: at + 1], *([pieces[at]] * times), *pieces[at + 1 :]])


def _delete(text: str, below: Below, lines: list[str]) -> str:
    pieces = _pieces(text, below)
    if pieces:
        del pieces[below(len(pieces))]
    return "".join(pieces)


def _insert(text: str, below: Below, lines: list[str]) -> str:
    pieces = _pieces(text, below)
    pieces.insert(below(len(pieces) + 1), INSERTS[below(len(INSERTS))])
    return "".join(pieces)


def _replace(text: str, below: Below, lines: list[str]) -> str:
    pieces = _pieces(text, below)
    if pieces:
        pieces[below(len(pieces))] = INSERTS[below(len(INSERTS))]
    return "".join(pieces)


def _borrow(text: str, below: Below, lines: list[str]) -> str:
    """A piece of another line at any place."""
    pieces, others = _pieces(text, below), _pieces(lines[below(len(lines))], below)
    if others:
        pieces.insert(below(len(pieces) + 1), others[below(len(others))])
    return "".join(pieces)


def _splice(text: str, below: Below, lines: list[str]) -> str:
    """The beginning of this line and the end of another."""
    other = lines[below(len(lines))]
    return text[: below(len(text) + 1)] + other[below(len(other) + 1) :]


def _noise(text: str, below: Below, lines: list[str]) -> str:
    """One character changed, as a byte that was hit would be."""
    at = below(len(text) + 1)
    return text[:at] + chr(below(256)) + text[at + below(2) :]


def _case(text: str, below: Below, lines: list[str]) -> str:
    pieces = _pieces(text, below)
    if pieces:
        at = below(len(pieces))
        pieces[at] = pieces[at].swapcase()
    return "".join(pieces)


_MUTATIONS = (_swap, _repeat, _delete, _insert, _insert, _replace, _borrow, _splice, _noise, _case)
