"""Names of signing keys (``selector._domainkey.domain``) that wait for being looked up. Few, whatever mail brings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert as insert_or

from abuse_pipeline.store.room import Room, chunks
from abuse_pipeline.store.schema import wanted_keys

MOST_WANTED: Final = 1_000
"""More names than this never wait: who signs with ever new selectors must not fill the table."""

_LONGEST_NAME: Final = 253
_ADVISORY_LOCK: Final = 0x41424B59  # "ABKY"


class WantedKeys(Room):
    def want_keys(self, names: Iterable[str], now: datetime) -> int:
        """Ask for the keys at the DNS names *names*, in a transaction of its own; gives how many are new.

        A name that waits already keeps its place. What goes beyond `MOST_WANTED` names in all is left out, and so is
        what cannot be a DNS name (empty, over 253 characters). Not to be called inside `completing`.
        """
        wanted = [name for name in dict.fromkeys(names) if 0 < len(name) <= _LONGEST_NAME]
        if not wanted:
            return 0
        column, added = wanted_keys.c.name, 0
        with self._database.writing() as transaction:
            if self._database.name == "postgresql":  # else two workers could both fill the last places
                transaction.run(select(text(f"pg_advisory_xact_lock({_ADVISORY_LOCK})")))
            room = MOST_WANTED - int(transaction.value(select(func.count()).select_from(wanted_keys)))
            for some in chunks(wanted):
                known = {row.name for row in transaction.rows(select(column).where(column.in_(some)))}
                new = [{"name": name, "wanted_at": now} for name in some if name not in known][: room - added]
                if new:
                    transaction.run(insert_or(wanted_keys).on_conflict_do_nothing(), new)
                added += len(new)
        return added

    def wanted_keys(self, limit: int) -> tuple[str, ...]:
        """Names that wait, the longest waiting first."""
        query = select(wanted_keys.c.name).order_by(wanted_keys.c.wanted_at, wanted_keys.c.name).limit(limit)
        with self._database.reading() as transaction:
            return tuple(row.name for row in transaction.rows(query))

    def drop_wanted_keys(self, names: Sequence[str]) -> None:
        """These wait no more: they were looked up, or never will be."""
        with self._database.writing() as transaction:
            for some in chunks(names):
                transaction.run(delete(wanted_keys).where(wanted_keys.c.name.in_(some)))
