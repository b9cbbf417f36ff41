"""Ids that sort by the time they were made: a letter for the kind, 9 characters of milliseconds, 9 of randomness.

``S-`` submission, ``K-`` case (``C-`` is what providers call their customers), ``I-`` incident, ``N-`` notice,
``A-`` answer to a reporter.
"""

from __future__ import annotations

import secrets
import threading
from datetime import datetime
from typing import Literal

from abuse_pipeline.store.columns import to_micros

Kind = Literal["S", "K", "I", "N", "A"]

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_TIME_BITS = 45  # milliseconds until the year 3084
_RANDOM_BITS = 45


class IdMaker:
    """Ids of one process. Within one millisecond (or under a clock that stands still) they count upwards."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = (-1, 0)

    def new(self, kind: Kind, now: datetime) -> str:
        milliseconds = max(0, to_micros(now) // 1000)
        with self._lock:
            if milliseconds == self._last[0]:
                tail = (self._last[1] + 1) % (1 << _RANDOM_BITS)
            else:
                tail = secrets.randbits(_RANDOM_BITS)
            self._last = (milliseconds, tail)
        return f"{kind}-{_encode(milliseconds, _TIME_BITS)}{_encode(tail, _RANDOM_BITS)}"


def _encode(number: int, bits: int) -> str:
    return "".join(_DIGITS[(number >> shift) & 31] for shift in range(bits - 5, -1, -5))
