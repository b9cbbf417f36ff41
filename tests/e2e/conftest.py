"""End-to-end tests run the real program: `abuse run` as a process, real sockets, real folders, real databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from desk_service import Desk, Service, make_desk
from own_postgres import postgres, postgres_url  # noqa: F401  fixtures


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk on SQLite, with the quick settings of `desk_service.QUICK`."""
    return make_desk(tmp_path / "desk")


@pytest.fixture
def run() -> Iterator[Callable[[Desk], Service]]:
    """Start `abuse run` for a desk; whatever it started is gone after the test."""
    with ExitStack() as stack:

        def start(desk: Desk) -> Service:
            service = Service(desk)
            stack.callback(service.end)
            return service

        yield start
