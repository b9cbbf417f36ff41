"""Rounding and grouping: what a notice says about when and how often, so that no line of it is one recipient's.

A time to the second, or a count of one, is a join key with the sender's own log (FACTS D9, D17, D32). Facts about mail
and content show the day; a finer period only when the notice, and that line of it, rest on enough reporters.
An attack keeps the minute, which the customer needs to find it, but never the target.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from abuse_pipeline.model import IPAddress, IPNetwork, Language, NoticeFact
from abuse_pipeline.notices.locations import shown_location
from abuse_pipeline.notices.requests import NoticeRequest, TimePrecision
from abuse_pipeline.notices.words import kind_in_words

MAXIMUM_ROWS = 30


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a notice. period "": the time is not known. volume "": no count may be given."""

    address: str
    kind: str
    period: str
    volume: str = ""
    port: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class _Key:
    ip: IPAddress
    network: IPNetwork | None
    kind: str
    about: str
    at: datetime | None
    precision: TimePrecision
    location: str


_Groups = dict[_Key, list[NoticeFact]]
_PrecisionRule = Callable[[NoticeFact, NoticeRequest], TimePrecision]


def notice_rows(request: NoticeRequest) -> tuple[tuple[Row, ...], int]:
    """The rows to show, oldest first, at most `MAXIMUM_ROWS`, and how many more there are."""
    groups = _grouped(request)
    ordered = sorted(groups.items(), key=lambda item: _order(item[0]))
    rows = tuple(_row(key, facts, request) for key, facts in ordered)
    return rows[:MAXIMUM_ROWS], max(0, len(rows) - MAXIMUM_ROWS)


def _grouped(request: NoticeRequest) -> _Groups:
    """Group at the allowed precision; a group too small for a finer period falls back to its day."""
    fine = _collect(request, request.facts, _allowed_precision)
    small = [f for key, facts in fine.items() if not _large_enough(key, facts, request) for f in facts]
    large = {key: facts for key, facts in fine.items() if _large_enough(key, facts, request)}
    for key, facts in _collect(request, small, lambda *_: "day").items():
        large.setdefault(key, []).extend(facts)
    return large


def _collect(request: NoticeRequest, facts: Iterable[NoticeFact], precision_of: _PrecisionRule) -> _Groups:
    groups: _Groups = defaultdict(list)
    for fact in facts:
        groups[_key(fact, request, precision_of(fact, request))].append(fact)
    return groups


def _allowed_precision(fact: NoticeFact, request: NoticeRequest) -> TimePrecision:
    if fact.about == "attack":
        return "minute"
    return request.time_precision if request.reporters >= request.minimum_reporters else "day"


def _large_enough(key: _Key, facts: list[NoticeFact], request: NoticeRequest) -> bool:
    return key.precision == "day" or key.about == "attack" or len(facts) >= request.minimum_reporters


def _key(fact: NoticeFact, request: NoticeRequest, precision: TimePrecision) -> _Key:
    return _Key(
        ip=fact.ip,
        network=fact.network,
        kind=kind_in_words(fact.category, fact.type, fact.about, request.customer.language),
        about=fact.about,
        at=_rounded(fact.moment.at.astimezone(request.zone), precision) if fact.moment else None,
        precision=precision,
        location=shown_location(fact.location) if fact.about == "content" and fact.location else "",
    )


def _rounded(at: datetime, precision: TimePrecision) -> datetime:
    at = at.replace(second=0, microsecond=0)
    if precision == "minute":
        return at
    at = at.replace(minute=0)
    return at if precision == "hour" else at.replace(hour=0, fold=0)


def _row(key: _Key, facts: list[NoticeFact], request: NoticeRequest) -> Row:
    language = request.customer.language
    ports = {f.port for f in facts if f.port is not None} if key.about == "attack" else set()
    return Row(
        address=_address(key, language),
        kind=key.kind,
        period=_period(key.at, key.precision, language) if key.at else "",
        volume=_volume(len(facts), request),
        port=str(next(iter(ports))) if len(ports) == 1 else "",
        location=key.location,
    )


def _address(key: _Key, language: Language) -> str:
    if key.network is None or key.network.num_addresses == 1:
        return str(key.ip)
    return f"{key.ip}（{key.network}）" if language == "ja" else f"{key.ip} ({key.network})"


def _period(at: datetime, precision: TimePrecision, language: Language) -> str:
    if language == "ja":
        day = f"{at.year}年{at.month}月{at.day}日"
        return {"day": day, "hour": f"{day} {at.hour}時台", "minute": f"{day} {at.hour}時{at.minute:02}分"}[precision]
    day = f"{at:%Y-%m-%d}"
    return {"day": day, "hour": f"{day}, {at:%H}:00 to {at:%H}:59", "minute": f"{day} {at:%H:%M}"}[precision]


def _volume(count: int, request: NoticeRequest) -> str:
    """A band, never a number, and none at all where it would speak of fewer than the minimum of reporters."""
    if request.reporters < request.minimum_reporters or count < request.minimum_reporters:
        return ""
    bands = ("1件", "2〜9件", "10件以上") if request.customer.language == "ja" else ("1", "2 to 9", "10 or more")
    return bands[0] if count == 1 else bands[1] if count < 10 else bands[2]


def _order(key: _Key) -> tuple[str, int, int, str, str]:
    at = key.at.isoformat() if key.at else ""
    return at, key.ip.version, int(key.ip), key.kind, key.location
