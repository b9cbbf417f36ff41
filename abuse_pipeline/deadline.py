"""A time limit for work in the main thread of a process, so that no input holds a worker for ever."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from abuse_pipeline.errors import LimitExceeded

_AGAIN_SECONDS = 1.0


@contextmanager
def time_limit(limit: timedelta) -> Iterator[None]:
    """Raise LimitExceeded inside the block when it runs longer than *limit*.

    It fires again every second until the block is left: code that turns every exception into "failed, go on" cannot
    outlast it. Only the main thread receives signals; elsewhere the supervisor's kill is the limit (service.py).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(_signal: int, _frame: FrameType | None) -> None:
        raise LimitExceeded(f"it took longer than {limit.total_seconds():g} s", todo="a person has to look at it")

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, limit.total_seconds(), _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
