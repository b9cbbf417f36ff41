"""What the store remembers, as `assess` uses it."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from abuse_pipeline.assess import Memory
from abuse_pipeline.desk import Desk
from abuse_pipeline.model import Finding, IPAddress
from abuse_pipeline.signatures.keys import SOURCE, answer_of
from abuse_pipeline.store import Store
from abuse_pipeline.store.learning import WINDOW
from abuse_pipeline.trace.learning import learned_relays


def memory_of(store: Store, desk: Desk, now: datetime) -> Memory:
    """The store's memory at *now*, for one report: each question is asked once.

    Its functions raise StoreUnavailable when the store does not answer.
    """

    @cache
    def findings(ip: IPAddress) -> tuple[Finding, ...]:
        return store.findings_of(ip, now)

    @cache
    def learned(domain: str) -> frozenset[IPAddress]:
        needed = desk.settings.trace.learn_after
        if needed == 0:
            return frozenset()
        sightings = store.sightings_of(store.domain_token(domain), now - WINDOW)
        return frozenset(standing.relay for standing in learned_relays(sightings, needed, desk.never_learned))

    @cache
    def key_of(name: str) -> str | None:
        return answer_of(store.finding_cache.get(SOURCE, name, now) or ()).key

    return Memory(findings, learned, key_of)
