"""A receiver on loopback, opened for the length of a block."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from intake_desk import NOW, Desk, MemoryStore, OpenDesk

from abuse_pipeline.intake.smtp import ReceiverLimits, start_smtp
from abuse_pipeline.intake.spool import Spool, SpoolLimits
from abuse_pipeline.settings import SmtpIntake


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def open_desk(store: MemoryStore) -> OpenDesk:
    """``async with open_desk(max_connections=3) as desk``: a receiver on loopback; keywords are settings."""

    @asynccontextmanager
    async def opened(
        limits: ReceiverLimits | None = None, spool_limits: SpoolLimits | None = None, **settings: Any
    ) -> AsyncIterator[Desk]:
        settings.setdefault("recipients", ("abuse@hosting.example.jp",))
        spool = Spool(store, spool_limits)
        receiver = await start_smtp(SmtpIntake(listen="127.0.0.1:0", **settings), spool, lambda: NOW, limits)
        desk = Desk(receiver, store, spool)
        try:
            yield desk
        finally:
            await desk.close()

    return opened
