"""The clock as an argument, so that a test or a demo can say what time it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime

from abuse_pipeline.errors import ConfigurationError

Clock = Callable[[], datetime]
"""Gives an aware datetime in UTC."""


def system_clock() -> datetime:
    return datetime.now(UTC)


def clock_from_environment() -> Clock:
    """The system clock, or the instant that ``ABUSE_NOW`` (ISO 8601 with offset) fixes.

    Raises ConfigurationError when ``ABUSE_NOW`` cannot be read.
    """
    fixed = os.environ.get("ABUSE_NOW")
    if not fixed:
        return system_clock
    try:
        now = datetime.fromisoformat(fixed)
    except ValueError:
        now = None
    if now is None or now.tzinfo is None:
        raise ConfigurationError(
            f"{fixed!r} is not an ISO 8601 time with an offset",
            where="ABUSE_NOW",
            todo="write it like 2026-11-20T14:03:12+09:00",
        )
    instant = now.astimezone(UTC)
    return lambda: instant
