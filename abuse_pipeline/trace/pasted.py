"""Header text that a person pasted -> the fields it holds (RFC 5322 section 2.2), whatever the way to us did to it.

How lines are read. The margin is where the first field of the block begins, behind its quote marks and its blanks:

- What stands further in than the margin continues the field before, whatever it says: RFC 5322 section 2.2.3.
- What stands at the margin and looks like a field, a name with a colon, begins one.
- Anything else at the margin is a continuation that lost its blanks.
- A blank line ends the block, except where blank lines stand between all fields, or between all lines.
- The first block with a Received field counts. Prose around it is left out.

A sender can write `Received:` into his HELO, and a line can break there or inside an address. So what could be one
field or two, or reads as another address or time when a word was cut, becomes one Received field that no reader
understands (`NOT_ONE_FIELD`). The tracer stops there, and no wrong address is believed.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from abuse_pipeline.charsets import decode
from abuse_pipeline.errors import LimitExceeded
from abuse_pipeline.trace.received import read_hop

LARGEST: Final = 10_000_000
"""Bytes, and characters, of what is pasted."""

MOST_LINES: Final = 100_000
NOT_ONE_FIELD: Final = "(the pasted lines do not show where this field begins and ends)"
"""Stands before the text of such a field. A Received field that begins with a comment like this is unreadable."""

_BLANKS: Final = " \t\r\f\v\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_UNSEEN: Final = "\ufeff\u200b-\u200f\u2060\u00ad"
_LEAD: Final = re.compile(rf"[{_BLANKS}{_UNSEEN}]*+")
_MARK: Final = re.compile(rf"[{_BLANKS}{_UNSEEN}]*+[>＞|｜]")
_MARKS: Final = re.compile(rf"(?:[{_BLANKS}{_UNSEEN}]*+[>＞|｜])*+[{_BLANKS}{_UNSEEN}]*+")
_QUOTES: Final = (">", "＞", "|", "｜")
_MOST_BREAKS: Final = 60
_SEEN: Final = re.compile(rf"[{_BLANKS}]")
_WIDTHS: Final = {"\t": 8, "\u3000": 2}

_RECEIVED: Final = re.compile(r"received[ \t]*[:：]", re.IGNORECASE)
_NAMED: Final = re.compile(r"([A-Za-z][A-Za-z0-9_.-]{0,75}):(?!//)", re.ASCII)
_SHORT_NAMES: Final = frozenset({"bcc", "cc", "comments", "date", "from", "keywords", "organization", "priority"}) | {
    *("sender", "subject", "to")
}
_RECEIVED_INSIDE: Final = re.compile(r"(?<![\w-])received[ \t]*[:：]", re.IGNORECASE)
_PUNCTUATION: Final = re.compile(r"[();]")
_TIME: Final = re.compile(r"\d{1,2}:\d{2}", re.ASCII)
_DATE: Final = re.compile(r"(?:\d{1,2} \w{3} \d{4}|\d{4}-\d\d-\d\d) \d{1,2}:\d{2}:\d{2}", re.ASCII)
_STAMP: Final = re.compile(r";\s{0,9}(?:\w{3},\s{0,9})?\d{1,2} \w{3} \d{2,4} {1,2}\d{1,2}:\d{2}", re.ASCII)
_MADE_BY_A_PROGRAM: Final = re.compile(r"[0-9()\[\];<>@=]", re.ASCII)


def pasted_text(raw: bytes) -> str:
    """*raw* as text: UTF-16 with or without its mark, else what the bytes look like. Never raises."""
    if raw.startswith(BOM_UTF8):
        return raw[3:].decode("utf-8", "replace")
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    sample = raw[:4000]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) > len(sample) // 8 and min(even, odd) * 4 < max(even, odd):
        return raw.decode("utf-16-be" if even > odd else "utf-16-le", "replace")
    return decode(raw, "utf-8", guess=True)


def pasted_headers(text: str) -> tuple[tuple[str, str], ...]:
    """The fields of the first header block in *text* that holds a Received field: (name, value), in their order.

    Values are unfolded, with a single blank where a line was broken, and otherwise as they stand. No such block: ().
    Linear time. Raises LimitExceeded for more than `LARGEST` characters or `MOST_LINES` lines.

    >>> pasted_headers("> Received: from a.example\\n> by mx.example; Fri, 20 Nov 2026 14:03:12 +0900")
    (('Received', 'from a.example by mx.example; Fri, 20 Nov 2026 14:03:12 +0900'),)
    """
    block, _ = _first_chain(_all_lines(text))
    return block.fields() if block is not None else ()


def received_outside(text: str) -> int:
    """How many lines of *text* begin with `Received:`, behind quote marks, and are not in what `pasted_headers` gives.

    Raises LimitExceeded as that does.
    """
    lines = _all_lines(text)
    _, inside = _first_chain(lines)
    return sum(_RECEIVED.match(line.bare) is not None for at, line in enumerate(lines) if at not in inside)


def mentions_received(text: str) -> bool:
    """Whether `Received:` stands anywhere in *text*."""
    return _RECEIVED_INSIDE.search(text) is not None


@dataclass(frozen=True, slots=True)
class _Line:
    """One line that is not blank. apart: blank lines stand above it."""

    raw: str
    apart: bool

    @property
    def bare(self) -> str:
        """Without quote marks and blanks around."""
        return self.raw[_end(_MARKS, self.raw) :].strip()


def _all_lines(text: str) -> list[_Line]:
    if len(text) > LARGEST:
        raise LimitExceeded(f"is longer than {LARGEST // 1_000_000} MB", todo="paste the header of the mail alone")
    return list(_lines(text))


def _first_chain(lines: Sequence[_Line]) -> tuple[_Block | None, range]:
    """The first block with a Received field, and which lines it took."""
    block: _Block | None = None
    start = 0
    for at, line in enumerate(lines):
        if block is not None and not block.take(line):
            if block.has_received:
                return block, range(start, at)
            block = None
        if block is None and _field_of(line.bare) is not None:
            block, start = _Block(lines, at), at
    found = block if block is not None and block.has_received else None
    return found, range(start, len(lines)) if found else range(0)


def _lines(text: str) -> Iterator[_Line]:
    """The lines of *text*. A carriage return breaks them only where nothing else does: a HELO may hold one."""
    breaks = next((mark for mark in "\n\r\u2028" if mark in text), "\n")
    if text.count(breaks) >= MOST_LINES:
        raise LimitExceeded(f"has more than {MOST_LINES:,} lines", todo="paste the header of the mail alone")
    apart = True
    for raw in text.split(breaks):
        if _end(_MARKS, raw) == len(raw):
            apart = True
            continue
        yield _Line(raw, apart)
        apart = False


def _end(pattern: re.Pattern[str], text: str, start: int = 0) -> int:
    found = pattern.match(text, start)
    return found.end() if found is not None else start


def _field_of(text: str) -> tuple[str, str] | None:
    """Name and value where *text* begins as a field does: `Received:`, a usual name, or one with a dash or a blank."""
    received = _RECEIVED.match(text)
    if received is not None:
        return text[:8], text[received.end() :].strip()
    named = _NAMED.match(text)
    if named is None:
        return None
    name, rest = named[1], text[named.end() :]
    if not rest or _SEEN.match(rest) or "-" in name or name.lower() in _SHORT_NAMES:
        return name, rest.strip()
    return None


@dataclass(frozen=True, slots=True)
class _Margin:
    """Where the fields of a block begin: behind so many quote marks and blanks."""

    marks: int
    indent: int

    @classmethod
    def of(cls, raw: str) -> _Margin:
        marks = sum(raw.count(mark, 0, _end(_MARKS, raw)) for mark in _QUOTES)
        return cls(marks, _place(raw, marks)[1])


def _place(raw: str, marks: int) -> tuple[int, int, str]:
    """Behind at most *marks* quote marks: how many there are, how far in the text stands, and the text."""
    at = found = 0
    while found < marks and (mark := _MARK.match(raw, at)) is not None:
        at, found = mark.end(), found + 1
    start = _end(_LEAD, raw, at)
    indent = sum(_WIDTHS.get(blank, 1) for blank in _SEEN.findall(raw, at, start))
    return found, indent, raw[start:].strip()


@dataclass(slots=True)
class _Field:
    """A field while its lines are read. follows_open: it begins where the Received field before is not complete.
    bare: for each of its pieces, whether it is a further line that lost its blanks."""

    name: str
    pieces: list[str]
    follows_open: bool = False
    bare: list[bool] = field(default_factory=lambda: [False])
    _depth: int = 0
    _dated: bool | None = None
    _tail: str = ""

    def __post_init__(self) -> None:
        self._watch(self.pieces[0])

    @property
    def is_received(self) -> bool:
        return self.name.lower() == "received"

    @property
    def is_open(self) -> bool:
        """A Received field whose date, or the end of a comment, has yet to come."""
        return self.is_received and (self._depth > 0 or not self._dated)

    @property
    def text(self) -> str:
        return " ".join(piece for piece in self.pieces if piece)

    def add(self, text: str, *, bare: bool) -> None:
        self.pieces.append(text)
        self.bare.append(bare)
        self._watch(text)

    def _watch(self, text: str) -> None:
        """`_dated`: None before a semicolon outside comments, then whether a time follows the last one."""
        if not self.is_received:
            return
        since = 0
        for found in _PUNCTUATION.finditer(text):
            if found[0] == "(":
                self._depth += 1
            elif found[0] == ")":
                self._depth = max(self._depth - 1, 0)
            elif self._depth == 0:
                self._dated, since = False, found.end()
        if self._dated is None:
            text = f"{self._tail} {text}"
            self._dated, self._tail = _DATE.search(text) is not None or None, text[-40:]
        elif not self._dated and _TIME.search(text, since) is not None:
            self._dated = True

    def drop_prose(self) -> None:
        """Take off what a person wrote right below: the text of a program ends in digits or brackets."""
        while self.bare[-1] and not self.is_open and not _ends_a_field(self.pieces[-1]):
            self.pieces.pop()
            self.bare.pop()


def _ends_a_field(text: str) -> bool:
    """Whether a program can have ended a Received field with *text*: a date, a remark, the name of a zone."""
    return _MADE_BY_A_PROGRAM.search(text) is not None or (len(text) < 6 and text.isalpha() and text.isascii())


class _Block:
    """A header block while its lines are read. Mutable: it lives for one paste."""

    def __init__(self, lines: Sequence[_Line], at: int) -> None:
        named = _field_of(lines[at].bare)
        assert named is not None
        self._fields = [_Field(named[0], [named[1]])]
        self._margin = _margin(lines, at)
        self._cut_off = _cut_off(lines, at)
        self._refolded = False
        self._fields_touch = self._lines_touch = False
        self.has_received = self._fields[0].is_received

    def take(self, line: _Line) -> bool:
        """Read one more line; False when it belongs to this block no more."""
        marks, indent, text = _place(line.raw, self._margin.marks)
        further_in = marks == self._margin.marks and indent > self._margin.indent
        moved = not further_in and (marks != self._margin.marks or text[0] in _QUOTES)
        named = None if further_in else _field_of(line.bare)
        if line.apart and not self._goes_on(is_field=named is not None, further_in=further_in):
            return False
        if not self.has_received and self._was_a_heading(moved, line):
            return False
        self._lines_touch = self._lines_touch or not line.apart
        if named is not None:
            self._fields_touch = self._fields_touch or not line.apart
            self._begin_field(*named)
        else:
            self._fields[-1].add(text, bare=not further_in)
        self._refolded = self._refolded or (moved and self.has_received)
        return True

    def _goes_on(self, *, is_field: bool, further_in: bool) -> bool:
        """Whether a blank line is only spacing: it stands between all fields, or between all lines."""
        if is_field:
            return not self._fields_touch
        return not self._lines_touch and (further_in or self._fields[-1].is_open)

    def _was_a_heading(self, moved: bool, line: _Line) -> bool:
        """Whether the chain begins only here: quoted otherwise, or below a single word with a colon."""
        first = self._fields[0]
        heading = len(self._fields) == 1 and not first.text and "-" not in first.name
        return _RECEIVED.match(line.bare) is not None and (moved or heading)

    def _begin_field(self, name: str, value: str) -> None:
        self._fields.append(_Field(name, [value], follows_open=self._fields[-1].is_open))
        self.has_received = self.has_received or self._fields[-1].is_received

    def fields(self) -> tuple[tuple[str, str], ...]:
        """The fields; those of which it cannot be told where they begin and end in one, behind `NOT_ONE_FIELD`."""
        self._fields[-1].drop_prose()
        groups: list[list[_Field]] = []
        for each in self._fields:
            if each.follows_open:
                groups[-1].append(each)
            else:
                groups.append([each])
        refolded, alone = self._is_refolded(), len(groups) == 1
        top = [("Received", f"{NOT_ONE_FIELD} {self._cut_off}")] if self._cut_off else []
        return (*top, *(_told(group, refolded=refolded, alone=alone) for group in groups))

    def _is_refolded(self) -> bool:
        """Whether line breaks prove nothing here: a further line stands at the margin, or none stands further in."""
        first = next(at for at, each in enumerate(self._fields) if each.is_received)
        chain = self._fields[first:]
        folded = any(len(each.pieces) > 1 for each in chain)
        return self._refolded or not folded or any(any(each.bare) for each in chain)


def _told(group: Sequence[_Field], *, refolded: bool, alone: bool) -> tuple[str, str]:
    """One field as it is told; alone: the block has no other that would show where fields begin."""
    first = group[0]
    text = " ".join([first.text, *(f"{each.name}: {each.text}" for each in group[1:])])
    doubtful = len(group) > 1
    if first.is_received and not doubtful:
        inside = any(_RECEIVED.match(piece) for piece in first.pieces[1:])
        one_line = alone and _RECEIVED_INSIDE.search(text) is not None
        doubtful = (inside and refolded) or one_line or _may_be_torn(first)
    return first.name, f"{NOT_ONE_FIELD} {text}" if doubtful else text


def _may_be_torn(received: _Field) -> bool:
    """Whether the field says another address, port or time when one of its lines broke inside a word."""
    breaks = [at for at, bare in enumerate(received.bare) if bare]
    if not breaks or len(breaks) > _MOST_BREAKS:
        return bool(breaks)
    told = read_hop(0, received.text)
    for at in breaks:
        whole = read_hop(0, " ".join(received.pieces[:at]) + " ".join(received.pieces[at:]))
        pairs = ((told.ip, whole.ip), (told.port, whole.port), (told.stamped_at, whole.stamped_at))
        if any(one != other for one, other in pairs if one is not None and other is not None):
            return True
    return False


def _margin(lines: Sequence[_Line], at: int) -> _Margin:
    """The margin of the block that begins with line *at*: its own, or that of the lines below where the selection
    began behind its quote mark or its indentation."""
    own = _Margin.of(lines[at].raw)
    below = _touching(lines, at + 1)
    if not below or own.marks or own.indent:
        return own
    if all(line.raw[0] in _QUOTES for line in below):
        margins = [_Margin.of(line.raw) for line in below]
        marks = min(margin.marks for margin in margins)
        return _Margin(marks, min(_place(line.raw, marks)[1] for line in below))
    indents = [_place(line.raw, 0)[1] for line in below]
    least = min(indents)
    firsts = [line.bare for line, indent in zip(below, indents, strict=True) if indent == least]
    shows = all(map(_field_of, firsts)) and sum(_RECEIVED.match(text) is not None for text in firsts) > 1
    return _Margin(0, least) if shows else own


def _touching(lines: Sequence[_Line], start: int) -> Sequence[_Line]:
    """The lines from *start* on down to the next blank one."""
    end = start
    while end < len(lines) and not lines[end].apart:
        end += 1
    return lines[start:end]


def _cut_off(lines: Sequence[_Line], at: int) -> str:
    """The end of a field whose beginning was not selected, right above line *at*: without it the chain would seem to
    begin one host further down."""
    above: list[str] = []
    while at > 0 and not lines[at].apart and len(above) < 20:
        at -= 1
        above.insert(0, lines[at].bare)
    text = " ".join(above)
    return text if _STAMP.search(text) else ""
