"""Date texts of mail and reports -> instants (RFC 5322 sections 3.3 and 4.3, RFC 3339, ctime, Japanese notation).

A time that cannot be read, or that does not say its zone, is `UnreadableTime` with the reason: never a guess, for a
customer is found by the moment. Zone names are read only where they have one meaning: `CST` (America and China), `IST`
(India, Israel, Ireland), `BST` (Britain and Bangladesh) and single military letters, which RFC 822 had the wrong way
round (RFC 5322 section 4.3), are refused. The other American names are read as RFC 5322 defines them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from abuse_pipeline.model import Moment

__all__ = ["UnreadableTime", "parse_date"]

_LONGEST_TEXT: Final = 20_000
_LONGEST_DATE: Final = 120
_YEARS: Final = range(1980, 2100)

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        start=1,
    )
    for name in names
}

_ZONES: Final = {
    "z": 0, "ut": 0, "utc": 0, "gmt": 0, "wet": 0,
    "jst": 540, "kst": 540, "日本時間": 540, "日本標準時": 540,
    "est": -300, "edt": -240, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480, "pdt": -420,
    "akst": -540, "akdt": -480, "hst": -600,
    "cet": 60, "cest": 120, "met": 60, "mest": 120, "mesz": 120, "west": 60, "eet": 120, "eest": 180,
    "hkt": 480, "sgt": 480, "awst": 480, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780,
}  # fmt: skip
"""Minutes east of Greenwich. Names with two meanings, or whose offset changed over the years (MSK), are not here."""

_NAMES_OF_JST: Final = dict.fromkeys(
    (
        *("asia/tokyo", "japan", "jst-9", "tokyo standard time", "japan standard time"),
        *("東京標準時", "東京 標準時", "日本 標準時"),
    ),
    540,
)
"""What the time zone database, POSIX (`JST-9` is nine hours *east*) and Windows call it. Japan has no summer time."""

_JST_BESIDE: Final = re.compile(r"jst[+-]?0?9(?::?00)?", re.ASCII)
"""Beside an offset or a zone `JST+9` means what it seems to; as the zone itself it could be POSIX, nine hours west."""

_BRACKETS: Final = str.maketrans("()", "  ")

_AMBIGUOUS: Final = frozenset({"cst", "ist", "bst", "ast", "sst", "amt", "gst", "ect", "msk", "msd", "brt", "art"})

_ELSEWHERE_TOO: Final = frozenset({"est", "edt", "cdt", "mst", "mdt", "pst", "pdt", "west"})
"""American names (and one European) that hosts in Australia, Malaysia and the Philippines write beside offsets of
their own: `+1100 (EST)`. Beside an offset they contradict nothing."""

_TIME: Final = (
    r"(?P<hour>\d{1,2})[:.時](?P<minute>\d{1,2})(?:分?(?:[:.]|(?<=分))(?P<second>\d{1,2})秒?(?:[.,]\d{1,9})?|分)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?(?![A-Za-z]))?"
)
_ZONE: Final = r"(?: ?(?P<zone>[^\s\d].{0,40}))?"

_DAY_NAME: Final = r"(?:(?:[A-Za-z]{2,12}|[日月火水木金土](?:曜日?)?)\.?,? ?)?,? ?"
_RFC_DAY: Final = r"(?P<day>\d{1,2})[ -]?(?P<month>[A-Za-z]{3,9}|\d{1,2}月)\.?,?[ -]?(?P<year>\d{2,4}),? (?:at )?"
_CTIME_DAY: Final = r"(?:[A-Za-z]{2,12}\.?,? )?(?P<month>[A-Za-z]{3,9})\.? (?P<day>\d{1,2}),? "
_CTIME_ZONE: Final = r"(?: (?P<zone_before>[A-Za-z]{1,5}|[A-Z]{0,3}[+-]\d{2}:?\d{2}))?"
_ISO_DAY: Final = r"(?P<year>\d{4})(?P<dash>[-/.])(?P<month>\d{1,2})(?P=dash)(?P<day>\d{1,2})(?:[Tt ,]|, )"
_BASIC_DAY: Final = r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})[Tt ]"
_BASIC_TIME: Final = r"(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2}))?"
_JAPANESE_DAY: Final = r"(?P<year>\d{4})年 ?(?P<month>\d{1,2})月 ?(?P<day>\d{1,2})日 ?(?:[日月火水木金土]曜日? ?)?"

_SHAPES: Final = tuple(
    re.compile(shape, re.ASCII)
    for shape in (
        f"{_DAY_NAME}{_RFC_DAY}{_TIME}{_ZONE}",  # Fri, 20 Nov 2026 14:03:12 +0900
        f"{_CTIME_DAY}{_TIME}{_CTIME_ZONE} (?P<year>[0-9]{{4}}){_ZONE}",  # Fri Nov 20 14:03:12 JST 2026
        f"{_CTIME_DAY}(?P<year>[0-9]{{4}}),? (?:at )?{_TIME}{_ZONE}",  # Fri Nov 20 2026 14:03:12 GMT+0900
        f"{_ISO_DAY}{_TIME}{_ZONE}",  # 2026-11-20T14:03:12+09:00, 2026/11/20 14:03 JST
        f"{_BASIC_DAY}{_BASIC_TIME}{_ZONE}",  # 20261120T050312Z
        f"{_JAPANESE_DAY}{_TIME}{_ZONE}",  # 2026年11月20日 14時3分12秒 JST
    )
)

# What nine of ten Received fields end in, read without further ado: the other shapes give the same for it.
_USUAL: Final = re.compile(
    r"\s*(?:[A-Z][a-z]{2}, )?(?P<day>\d{1,2}) (?P<month>[A-Z][a-z]{2}) (?P<year>\d{4})"
    r" (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) (?P<zone>[+-]\d{4})(?: \((?P<comment>[A-Za-z0-9+-]{1,10})\))?",
    re.ASCII,
)

_MONOTONIC: Final = re.compile(r" m=[+-]\d{1,12}\.\d{1,9}$", re.ASCII)
"""Go's other clock, written behind the time."""

_OFFSET: Final = re.compile(
    r"(?P<name>GMT|UTC|UT)? ?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?"
    r"(?: (?P<comment>[A-Za-z][A-Za-z0-9/_+-]{0,39}(?: [A-Za-z]{1,12}){0,3}))?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UnreadableTime:
    """Why a text is no instant. The reason never repeats the text, which may hold anything."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def parse_date(text: str) -> Moment | UnreadableTime:
    """The instant that *text* names, in UTC, or why it names none.

    Reads every RFC 5322 date (obsolete forms too), ctime, RFC 3339 and Japanese dates; ``24:00`` is the next midnight,
    second 60 the first second of the next minute. Without seconds the precision is "minute". ``-0000`` is Universal
    Time whose zone is unknown (RFC 5322 section 3.3), so its instant is known. A missing zone gives
    ``UnreadableTime("no zone")``; two zones that contradict each other, ``+0000 (JST)``, are unreadable too. A wrong
    weekday is tolerated. Never raises; time is linear in the text.

    >>> str(parse_date("Fri, 20 Nov 2026 14:03:12 JST").at)
    '2026-11-20 05:03:12+00:00'
    """
    if len(text) > _LONGEST_TEXT:
        return UnreadableTime("too long for a date")
    usual = _USUAL.fullmatch(text)
    if usual is not None:
        comment = usual["comment"]
        return _usual_moment(usual) or _moment({**usual.groupdict(), "half": None}, (comment,) if comment else ())
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    plain, comments = without_comments(text)
    plain = " ".join(plain.split())
    if not plain:
        return UnreadableTime("no date")
    if len(plain) > _LONGEST_DATE:
        return UnreadableTime("too long for a date")
    plain = _MONOTONIC.sub("", plain)
    for shape in _SHAPES:
        found = shape.fullmatch(plain)
        if found is not None:
            return _moment(found.groupdict(), comments)
    return UnreadableTime("not a date of a known form")


def _usual_moment(usual: re.Match[str]) -> Moment | None:
    """What `_moment` gives for a plain date; None for 24:00, second 60 and whatever has to be refused with a reason."""
    day, month, year, hour, minute, second, zone, comment = usual.groups()
    east = _usual_offset(zone, comment)
    number = _MONTHS.get(month.lower())
    if isinstance(east, UnreadableTime) or int(year) not in _YEARS or number is None:
        return None
    try:
        return Moment(datetime(int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=UTC) - east)
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _usual_offset(zone: str, comment: str | None) -> timedelta | UnreadableTime:
    """`_offset` with a memory: few zones stand in most dates."""
    return _offset(zone, (comment,) if comment else ())


def without_comments(text: str) -> tuple[str, tuple[str, ...]]:
    """*text* without its RFC 5322 comments (they nest), and the outermost comments."""
    if "(" not in text:
        return text, ()
    plain: list[str] = []
    comments: list[str] = []
    depth, kept = 0, 0
    for bracket in re.finditer(r"[()]", text):
        at = bracket.start()
        if bracket.group() == "(":
            if depth == 0:
                plain.append(text[kept:at])
                kept = at + 1
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                comments.append(text[kept:at])
                kept = at + 1
    if depth == 0:
        plain.append(text[kept:])
    return " ".join(plain), tuple(comments)


def _moment(parts: dict[str, str | None], comments: tuple[str, ...]) -> Moment | UnreadableTime:
    zone = _offset(parts.get("zone_before") or parts["zone"], comments)
    if isinstance(zone, UnreadableTime):
        return zone
    year = _year(parts["year"] or "")
    month = _month(parts["month"] or "")
    if year not in _YEARS:
        return UnreadableTime("the year is absurd")
    if month is None:
        return UnreadableTime("no such month")
    local = _local_time(year, month, parts)
    if isinstance(local, UnreadableTime):
        return local
    return Moment(local - zone, "minute" if parts["second"] is None else "second")


def _local_time(year: int, month: int, parts: dict[str, str | None]) -> datetime | UnreadableTime:
    """The wall-clock time, marked UTC until the offset is taken off."""
    hour, minute, second = int(parts["hour"] or 0), int(parts["minute"] or 0), int(parts["second"] or 0)
    half = parts.get("half")
    if half:
        if not 1 <= hour <= 12:
            return UnreadableTime("no such time of day")
        hour = hour % 12 + (12 if half in "Pp" else 0)
    midnight_after = (hour, minute, second) == (24, 0, 0)
    if not (hour < 24 or midnight_after) or minute > 59 or second > 60:
        return UnreadableTime("no such time of day")
    try:
        if hour < 24 and second < 60:
            return datetime(year, month, int(parts["day"] or 0), hour, minute, second, tzinfo=UTC)
        midnight = datetime(year, month, int(parts["day"] or 0), tzinfo=UTC)
    except ValueError:
        return UnreadableTime("no such day")
    return midnight + timedelta(hours=hour, minutes=minute, seconds=second)


def _year(digits: str) -> int:
    """RFC 5322 section 4.3: two digits from 50 on, and three digits, count from 1900."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _month(text: str) -> int | None:
    text = text.removesuffix("月")
    if text.isdecimal():
        return int(text) if 1 <= int(text) <= 12 else None
    return _MONTHS.get(text.lower())


def _offset(zone: str | None, comments: tuple[str, ...]) -> timedelta | UnreadableTime:
    """How far *zone* is east of Greenwich. A zone named only in a comment, `14:03:12 (JST)`, is named all the same."""
    if zone is None:
        named = {minutes for comment in comments if (minutes := _minutes_of(_plain_words(comment))) is not None}
        if len(named) == 1:
            return _agreed(timedelta(minutes=named.pop()), comments)
        return UnreadableTime("no zone")
    if len(zone) == 5 and zone[1:].isdecimal() and zone[0] in "+-":
        return _agreed(_east(zone[0], int(zone[1:3]), int(zone[3:])), comments)
    minutes = _minutes_of(zone.lower())
    if minutes is not None:
        return _agreed(timedelta(minutes=minutes), comments)
    if zone.lower() in _AMBIGUOUS or (len(zone) == 1 and zone.isalpha()):
        return UnreadableTime("the zone name is ambiguous")
    found = _OFFSET.fullmatch(zone)
    if found is None:
        return UnreadableTime("unknown zone")
    if found["comment"]:
        comments = (*comments, found["comment"])
    return _agreed(_east(found["sign"], int(found["hours"]), int(found["minutes"] or 0)), comments)


def _agreed(zone: timedelta | UnreadableTime, comments: tuple[str, ...]) -> timedelta | UnreadableTime:
    """*zone*, unless another stands beside it, `+0000 (JST)`: then nobody knows which is right, and nine hours more or
    less may name another customer."""
    for comment in comments:
        beside = _named_beside(_plain_words(comment))
        if beside is not None and beside != zone:
            return UnreadableTime("two zones stand there that contradict each other")
    return zone


def _named_beside(comment: str) -> timedelta | UnreadableTime | None:
    minutes = 540 if _JST_BESIDE.fullmatch(comment) else _minutes_of(comment)
    if minutes is not None:
        return timedelta(minutes=minutes) if comment not in _ELSEWHERE_TOO else None
    found = _OFFSET.fullmatch(comment)
    if found is None or found["comment"]:
        return None
    return _east(found["sign"], int(found["hours"]), int(found["minutes"] or 0))


def _minutes_of(name: str) -> int | None:
    return _ZONES.get(name, _NAMES_OF_JST.get(name))


def _plain_words(comment: str) -> str:
    """*comment* in small letters with single blanks, without brackets inside it: `東京 (標準時)` is `東京 標準時`."""
    return " ".join(comment.translate(_BRACKETS).split()).lower()


def _east(sign: str, hours: int, minutes: int) -> timedelta | UnreadableTime:
    if hours * 60 + minutes > 14 * 60 or minutes > 59:
        return UnreadableTime("the offset is absurd")
    east = hours * 60 + minutes
    return timedelta(minutes=-east if sign == "-" else east)
