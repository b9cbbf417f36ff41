"""A Received field taken apart at its own words: FROM clause, BY clause, date (RFC 5321 section 4.4).

HELO and envelope may hold a ` by `, brackets, or a semicolon with a date behind it. Where that leaves two ways to part
a field, the parts in doubt are left out, and `defects` says why.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from abuse_pipeline.model import IPAddress, Moment
from abuse_pipeline.networks.addresses import parse_address
from abuse_pipeline.trace.dates import parse_date, without_comments

UNBALANCED: Final = "the brackets of its comments do not match"
SEVERAL_BY: Final = "more than one BY: the client may have written one of them"
SEVERAL_DATES: Final = "more than one date: the sender may have written one of them"

_TOKEN: Final = re.compile(r"[();]|[^\s();]+")
_FLAT: Final = re.compile(r"\([^()]*\)|[^\s()]+")
_FROM_HELO: Final = re.compile(r"(from) ([^\s()]+)(?= |$)", re.IGNORECASE)
_SAYS_BY: Final = frozenset({"by", "By", "BY", "bY"})
_MAIL_MARKS: Final = frozenset('<>@"')
_LOCAL: Final = re.compile(
    r"\((?:\w{1,20} \d{1,20} (?:messnum \d{1,20} )?invoked|nullmailer pid|Haraka outbound\)|from )", re.IGNORECASE
)
_LITERAL: Final = re.compile(r"(?:IPv6:)?[0-9A-Fa-f:.]{2,45}", re.IGNORECASE)
# SendGrid and some relays leave the semicolon out; Go adds its monotonic clock
_DATE_AT_END: Final = re.compile(
    r" ((?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d(?:\.\d{1,9})? [+-]\d{4}(?: \([A-Z]{3,4}\))?"
    r"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? [+-]\d{4} UTC)(?: m=[+-]\d{1,12}\.\d{1,9})?$",
    re.ASCII,
)
_LONGEST_DATE_AT_END: Final = 100
_ID_AT_END: Final = re.compile(r" (id) ([0-9A-F]{8,16}\.[0-9A-F]{8,16}\.[0-9A-F]{1,16})$", re.ASCII)  # Courier
_MOST_DATES: Final = 8
# What any MTA's own date holds, readable or not; a year may also stand in a comment: `bits=2048`.
_LIKE_A_TIME: Final = re.compile(r"\d[:.時]\d\d|\d{8}[Tt]\d{4}")
_LIKE_A_DATE: Final = re.compile(rf"{_LIKE_A_TIME.pattern}|(?<!\d)(?:19|20)\d\d(?!\d)")
# PowerMTA, sendmail at Sakura: `; Fri, 20 Nov 2026 14:03:12 +0900 (JST) (envelope-from <a@b.example>)`
_ENVELOPE_BEHIND: Final = re.compile(r"\((?:envelope-|[^()]*[<>@\"])")
_LONGEST_ADDRESS: Final = 80
"""With brackets, tag and zone identifier; `parse_address` takes no more."""


class Clauses(NamedTuple):
    """The parts of a field. Comments keep their brackets; white space is single blanks.

    client: what follows FROM, None when the field has none. by: what follows BY, the host first.
    """

    client: tuple[str, ...] | None
    by: tuple[str, ...]
    date: str | None
    defects: tuple[str, ...]


class _Parts(NamedTuple):
    """Words and comments before the date, the date, and what makes them doubtful."""

    tokens: list[str]
    date: str | None
    balanced: bool = True
    open_end: bool = False
    several_dates: bool = False


def address_of(text: str) -> IPAddress | None:
    """`parse_address` with a memory: a chain names the same hosts again and again. Long texts fill no memory."""
    return _remembered_address(text) if len(text) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=4096)
def _remembered_address(text: str) -> IPAddress | None:
    return parse_address(text)


def has_address(token: str) -> bool:
    """Whether an address stands anywhere in *token*, with a port (`192.0.2.7:25`) or without."""
    texts = [text for text in _LITERAL.findall(token) if len(text) > 2]
    return any(address_of(text) is not None or address_of(text.partition(":")[0]) is not None for text in texts)


def clauses_of(text: str) -> Clauses | None:
    """The parts of *text*, one field with single blanks; None when it begins with neither FROM nor BY.

    A comment that never ends has swallowed what the MTA wrote behind it: then no part is given.
    """
    tokens, date, balanced, open_end, several_dates = _split(text if ";" in text else _with_semicolon(text))
    if not tokens:
        return None
    late_id = _ID_AT_END.search(date, max(0, len(date) - 60)) if date else None
    if date and late_id:
        date, tokens = date[: late_id.start()], [*tokens, *late_id.groups()]
    first = tokens[0].lower()
    if date and not several_dates:
        date, several_dates = _without_envelope(date)
    defects = (*(() if balanced else (UNBALANCED,)), *((SEVERAL_DATES,) if several_dates else ()))
    if open_end and first in ("from", "by"):
        return Clauses(() if first == "from" else None, (), None, defects)
    if first == "by":
        return Clauses(None, tuple(tokens[1:]), date, defects)
    if first == "from":
        return _parted_at_by(tokens, date, defects)
    if _LOCAL.match(tokens[0]):
        by = tuple(tokens[2:]) if len(tokens) > 2 and tokens[1].lower() == "by" else ()
        return Clauses(None, by, date, defects)
    return None


def _parted_at_by(tokens: list[str], date: str | None, defects: tuple[str, ...]) -> Clauses:
    # The word after FROM is the HELO, whatever it is; a BY counts from the second on.
    places = [at for at, token in enumerate(tokens) if token in _SAYS_BY and at > 1 and not _is_uid(tokens, at)]
    end = places[0] if places else len(tokens)
    hidden = any(token[0] == "(" and _holds_a_field(token) for token in tokens[end + 1 :])
    if len(places) < 2 and not hidden:
        return Clauses(tuple(tokens[1:end]), tuple(tokens[end + 1 :]), date, defects)
    defects = (*defects, SEVERAL_BY)
    dividing = None if hidden else _dividing_by(tokens, places)
    if dividing == places[-1]:
        return Clauses(tuple(tokens[1:dividing]), tuple(tokens[dividing + 1 :]), date, defects)
    # A HELO behind the address (Exim, MX Logic) may hold the first BY, an envelope the last: no host, no dialect.
    hosts = {tokens[at + 1].lower() for at in places if at + 1 < len(tokens)}
    host = (tokens[end + 1],) if not hidden and len(hosts) == 1 else ()
    return Clauses(tuple(tokens[1:dividing]) if dividing is not None else (), host, date, defects)


def _holds_a_field(comment: str) -> bool:
    """Whether *comment* may be a client's, opened in its HELO and closed in an envelope address: the MTA's own FROM and
    BY clause are then inside it."""
    return " by " in comment and has_address(comment.rpartition(" by ")[0])


def _may_hide_a_date(comment: str) -> bool:
    """Whether *comment* may be a client's that hides the MTA's date: it has swallowed the client's address too, or was
    opened inside a comment of the MTA. What a client or sender wrote into one comment, `(HELO x; 5:00)`, hides none."""
    return "(" in comment[1:] or _holds_a_field(comment)


def _is_uid(tokens: list[str], at: int) -> bool:
    """Whether the BY at *at* names no host but whom qmail-scanner runs as: `by uid 89 with qmail-scanner-1.24`."""
    return tokens[at + 1 : at + 2] == ["uid"] and "".join(tokens[at + 4 : at + 5]).startswith("qmail-scanner-")


def _dividing_by(tokens: list[str], places: list[int]) -> int | None:
    """Which of several BY ends the FROM clause; None when that cannot be told.

    The client may have written the first ones in its HELO: the last is the MTA's. But where an envelope address stands
    between them, the sender may have written the last: then the first is the MTA's if the client's address ends there,
    and no address follows.
    """
    first, last = places[0], places[-1]
    between = tokens[first + 1 : last]
    if not any(token.lower() == "for" or "envelope-" in token or _MAIL_MARKS & {*token} for token in between):
        return last
    ends_there = first > 2 and has_address(tokens[first - 1]) and not any(map(has_address, tokens[first + 1 :]))
    return first if ends_there else None


def _with_semicolon(text: str) -> str:
    found = _DATE_AT_END.search(text, max(0, len(text) - _LONGEST_DATE_AT_END))
    return f"{text[: found.start()]}; {found[1]}" if found else text


def _split(text: str) -> _Parts:
    """Words and comments of *text* before the semicolon outside comments that begins its date, what follows it."""
    return _split_flat(text) or _split_nested(text)


def _split_flat(text: str) -> _Parts | None:
    """`_split` for the usual field, in which no comment is inside another; None for any other."""
    cut = text.rfind(";")
    head, date = (text[:cut], text[cut + 1 :]) if cut >= 0 else (text, None)
    start = _FROM_HELO.match(text)
    if start is None and head[:5].lower() == "from ":
        return None
    if start is not None and 0 <= cut < start.end():
        return None
    tokens = _FLAT.findall(head, start.end() if start else 0)
    comments = len([token for token in tokens if token[0] == "("])
    rest = head[start.end() :] if start else head
    if ";" in rest or not comments == rest.count("(") == rest.count(")") or (date and not _closed(date)):
        return None
    return _Parts([start[1], start[2], *tokens] if start else tokens, date)


def _closed(date: str) -> bool:
    return date.count("(") == date.count(")") <= 1 and date.find("(") <= date.find(")")


def _split_nested(text: str) -> _Parts:
    start = _FROM_HELO.match(text)
    tokens = [start[1], start[2]] if start else []
    depth, begin, balanced = 0, 0, True
    semicolons: list[tuple[int, int]] = []
    hidden: list[int] = []
    inside: list[int] = []
    for found in _TOKEN.finditer(text, start.end() if start else 0):
        token = found[0]
        if token == "(":
            if depth == 0:
                begin = found.start()
            depth += 1
        elif token == ")":
            if depth == 0:
                balanced = False
                continue
            depth -= 1
            if depth == 0:
                tokens.append(text[begin : found.end()])
                hidden += inside if inside and _may_hide_a_date(tokens[-1]) else ()
                inside = []
        elif token == ";":
            if depth == 0:
                semicolons.append((found.start(), len(tokens)))
            else:
                inside.append(found.start())
        elif depth == 0:
            tokens.append(token)
    date, words, several = _date_among(text, semicolons, hidden)
    return _Parts(tokens[:words], date, balanced and depth == 0, depth > 0, several)


def _date_among(text: str, semicolons: list[tuple[int, int]], hidden: list[int]) -> tuple[str | None, int | None, bool]:
    """What follows the semicolon that begins the date, the number of words before it, whether there are several dates.

    semicolons: where each stands outside comments, and the number of words before it. hidden: those in comments that
    may hide a date. `id A; for <b@c.example>; Fri, …` has one date. Where a client put another into its HELO, or a
    sender into an envelope address, nobody can tell which is the MTA's, whichever of them can be read: so the time
    counts only when nothing like one stands behind any other semicolon, for a comment opened in the HELO and closed in
    the envelope hides the MTA's own. Then no words are cut off (None): a BY behind the first date counts too.
    """
    if not semicolons:
        return None, None, False
    starts = sorted((*(at for at, _ in semicolons), *hidden))
    ends = dict(zip(starts, (*starts[1:], len(text)), strict=True))
    if len(semicolons) > _MOST_DATES or any(_LIKE_A_TIME.search(text, at, ends[at]) for at in hidden):
        return None, None, True
    outside = [*(at for at, _ in semicolons[1:]), len(text)]
    pieces = [(text[at + 1 : end], words) for (at, words), end in zip(semicolons, outside, strict=True)]
    dated = [piece for piece in pieces if len(pieces) > 1 and _LIKE_A_DATE.search(piece[0])]
    if len(dated) > 1 and not _one_instant([date for date, _ in dated]):
        return None, None, True
    return *(dated or pieces)[-1], False


def _one_instant(dates: list[str]) -> bool:
    moments = [parse_date(date) for date in dates]
    return all(isinstance(moment, Moment) and moment == moments[0] for moment in moments)


def _without_envelope(date: str) -> tuple[str, bool]:
    """*date* without the envelope behind it; whether an address there closes its comment, and goes on outside it.

    A zone in another comment that the sender opened, `"a)(JST)("@b.example`, is not the MTA's.
    """
    envelope = _ENVELOPE_BEHIND.search(date)
    if envelope is None:
        return date, False
    goes_on = bool(without_comments(date[envelope.start() :])[0].strip())
    return date[: envelope.start()], goes_on
