"""The store: tables, the work queue and the vault, the same on SQLite and PostgreSQL.

`open_store` gives a `Store`; `records` says what goes in and comes out. SQLAlchemy is loaded at the first use of one of
the names below, so that commands which store nothing stay fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abuse_pipeline.store.opening import open_store
    from abuse_pipeline.store.store import Store
    from abuse_pipeline.store.unit import UnitOfWork

__all__ = ["Store", "UnitOfWork", "open_store"]

_HOMES = {"open_store": "opening", "Store": "store", "UnitOfWork": "unit"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
