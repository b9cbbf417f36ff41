"""Rounding and grouping: what a notice says about when, where from and how often, so that no line is one recipient's.

A time to the second, a count of one, or an IPv6 address made for one message is a join key with the sender's own log
(FACTS D9, D17, D32). Facts about mail and content show the day, and mail over IPv6 the /64; a line tells more only when
that line itself rests on enough independent reporters. How many the whole notice has is no help: four complaints of
other days do not hide the one reporter of this hour. An attack keeps the minute, which the customer needs to find it,
but never the target.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address, IPv6Network

from abuse_pipeline.model import IPAddress, Language, NoticeFact
from abuse_pipeline.notices.locations import shown_location
from abuse_pipeline.notices.requests import NoticeRequest, ReportedFact, TimePrecision
from abuse_pipeline.notices.words import kind_in_words

MAXIMUM_ROWS = 30
_SENDERS_NETWORK = 64  # what one IPv6 host has to itself (RFC 4291 section 2.5.1): it can use an address per recipient


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a notice. period "": the time is not known. volume "": no count may be given.

    within: `address` is a prefix that holds the address.
    """

    address: str
    kind: str
    period: str
    within: bool = False
    volume: str = ""
    port: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class _Key:
    source: IPAddress | IPv6Network
    kind: str
    about: str
    at: datetime | None
    precision: TimePrecision
    location: str


_Groups = dict[_Key, list[ReportedFact]]
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
    large = {key: facts for key, facts in fine.items() if _large_enough(key, facts, request)}
    small = [fact for key, facts in fine.items() if key not in large for fact in facts]
    for key, facts in _collect(request, small, lambda *_: "day").items():
        large.setdefault(key, []).extend(facts)
    return large


def _collect(request: NoticeRequest, facts: Iterable[ReportedFact], precision_of: _PrecisionRule) -> _Groups:
    shown = _well_known_sources(request)
    groups: _Groups = defaultdict(list)
    for reported in facts:
        fact = reported.fact
        groups[_key(fact, _source(fact, shown), request, precision_of(fact, request))].append(reported)
    return groups


def _allowed_precision(fact: NoticeFact, request: NoticeRequest) -> TimePrecision:
    return "minute" if fact.about == "attack" else request.time_precision


def _large_enough(key: _Key, facts: Iterable[ReportedFact], request: NoticeRequest) -> bool:
    return key.precision == "day" or key.about == "attack" or _enough(facts, request)


def _enough(facts: Iterable[ReportedFact], request: NoticeRequest) -> bool:
    """Whether *facts* rest on the minimum of independent reporters, however many reports those wrote."""
    return len({reporter for fact in facts for reporter in fact.reporters}) >= request.minimum_reporters


def _well_known_sources(request: NoticeRequest) -> frozenset[IPAddress]:
    """The IPv6 addresses that enough independent reporters saw: none of them was made for one recipient."""
    by_address: dict[IPAddress, list[ReportedFact]] = defaultdict(list)
    for reported in request.facts:
        if isinstance(reported.fact.ip, IPv6Address):
            by_address[reported.fact.ip].append(reported)
    return frozenset(ip for ip, facts in by_address.items() if _enough(facts, request))


def _source(fact: NoticeFact, shown: frozenset[IPAddress]) -> IPAddress | IPv6Network:
    if fact.about != "mail" or not isinstance(fact.ip, IPv6Address) or fact.ip in shown:
        return fact.ip
    length = max(_SENDERS_NETWORK, fact.network.prefixlen if fact.network is not None else 0)
    return fact.ip if length == fact.ip.max_prefixlen else IPv6Network((fact.ip, length), strict=False)


def _key(fact: NoticeFact, source: IPAddress | IPv6Network, request: NoticeRequest, precision: TimePrecision) -> _Key:
    return _Key(
        source=source,
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


def _row(key: _Key, facts: list[ReportedFact], request: NoticeRequest) -> Row:
    ports = {f.fact.port for f in facts if f.fact.port is not None} if key.about == "attack" else set()
    return Row(
        address=str(key.source),
        kind=key.kind,
        period=_period(key.at, key.precision, request.customer.language) if key.at else "",
        within=isinstance(key.source, IPv6Network),
        volume=_volume(facts, request),
        port=str(next(iter(ports))) if len(ports) == 1 else "",
        location=key.location,
    )


def _period(at: datetime, precision: TimePrecision, language: Language) -> str:
    if language == "ja":
        day = f"{at.year}年{at.month}月{at.day}日"
        return {"day": day, "hour": f"{day} {at.hour}時台", "minute": f"{day} {at.hour}時{at.minute:02}分"}[precision]
    day = f"{at:%Y-%m-%d}"
    return {"day": day, "hour": f"{day}, {at:%H}:00 to {at:%H}:59", "minute": f"{day} {at:%H:%M}"}[precision]


def _volume(facts: list[ReportedFact], request: NoticeRequest) -> str:
    """A band, never a number, and none at all where it would speak of fewer than the minimum of reporters."""
    if not _enough(facts, request):
        return ""
    count = sum(fact.number for fact in facts)
    bands = ("1件", "2〜9件", "10件以上") if request.customer.language == "ja" else ("1", "2 to 9", "10 or more")
    return bands[0] if count == 1 else bands[1] if count < 10 else bands[2]


def _order(key: _Key) -> tuple[str, int, int, str, str]:
    at = key.at.isoformat() if key.at else ""
    first = key.source.network_address if isinstance(key.source, IPv6Network) else key.source
    return at, first.version, int(first), key.kind, key.location
