"""The store as the rest of the house sees it: one object, put together from one part per noun."""

from __future__ import annotations

from abuse_pipeline.store.accepting import Accepting
from abuse_pipeline.store.cases import Cases
from abuse_pipeline.store.findings import Findings
from abuse_pipeline.store.identities import Identities
from abuse_pipeline.store.learning import Learning
from abuse_pipeline.store.outbox import Outbox
from abuse_pipeline.store.queue import Queue
from abuse_pipeline.store.reading import Reading
from abuse_pipeline.store.wanted_keys import WantedKeys


class Store(Accepting, Queue, Cases, Outbox, Findings, Identities, Reading, Learning, WantedKeys):
    """Made by `open_store`. Thread-safe; belongs to the process that opened it (open another one after a fork).

    Every method may raise StoreUnavailable. Texts that people write (reasons, notes) are stored as given.
    """

    def close(self) -> None:
        """Let go of all connections. Calling it twice is harmless."""
        self._database.close()
