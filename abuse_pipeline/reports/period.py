"""The period of a report, as people say it: ``yesterday``, ``7d``, ``2026-11``, ``2026-11-20``, an ISO time."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from abuse_pipeline.settings import parse_duration


def parse_since(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The first instant of the period that *text* names, in the provider's *zone*. Raises ValueError."""
    return _period(text, now, zone)[0]


def parse_until(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The first instant after the period that *text* names: ``2026-11-20`` is taken in. Raises ValueError."""
    return _period(text, now, zone)[1]


def _period(text: str, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The period [start, end) that *text* names; an instant is an empty period."""
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    word = text.strip().lower()
    if word == "today":
        return midnight, _days_later(midnight, 1)
    if word == "yesterday":
        return _days_later(midnight, -1), midnight
    if re.fullmatch(r"\d+\s*[smhd]", word):
        then = now - parse_duration(word)
        return then, then
    if found := re.fullmatch(r"(\d{4})-(\d{2})", word):
        year, month = int(found[1]), int(found[2])
        start = datetime(year, month, 1, tzinfo=zone)
        return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
        start = datetime.fromisoformat(word).replace(tzinfo=zone)
        return start, _days_later(start, 1)
    return _instant(text, zone)


def _instant(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is not a period; write today, yesterday, 7d, 2026-11, 2026-11-20 or an ISO time"
        ) from None
    instant = instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)
    return instant, instant


def _days_later(midnight: datetime, days: int) -> datetime:
    """Midnight *days* later on the wall clock of its zone, also across a change of summer time."""
    return midnight + timedelta(days=days)
