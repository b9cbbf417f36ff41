"""Keys of well-known relays' signatures, looked up in the background, so that later reports can be checked with them.

Nothing here stands between a report and its case; a key that does not come only means that a signature is not checked.
"""

from __future__ import annotations

import asyncio

from abuse_pipeline.clock import Clock
from abuse_pipeline.desk import Desk
from abuse_pipeline.signatures import findings_of, look_up_keys
from abuse_pipeline.signatures.keys import SOURCE
from abuse_pipeline.store import Store

_BATCH = 50


async def fetch_wanted_keys(desk: Desk, store: Store, clock: Clock) -> int:
    """Look up a batch of the keys that processing asked for, and keep the answers. Returns how many there were.

    Asks nobody when `enrich.offline` is set or `trace.verify_signatures` is not. Raises StoreUnavailable when the store
    does not answer.
    """
    enrich = desk.settings.enrich
    if enrich.offline or not desk.settings.trace.verify_signatures:
        return 0
    wanted = await asyncio.to_thread(store.wanted_keys, _BATCH)
    if not wanted:
        return 0
    answers = await look_up_keys(wanted, enrich.nameservers, enrich.timeout)
    now = clock()
    for name, answer in answers.items():
        keep = enrich.keep if answer.problem is None else enrich.keep_failures
        findings = findings_of(name, answer, now)
        await asyncio.to_thread(store.finding_cache.put, SOURCE, name, findings, now + keep)
    await asyncio.to_thread(store.drop_wanted_keys, wanted)
    return len(wanted)
