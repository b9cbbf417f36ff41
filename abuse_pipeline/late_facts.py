"""Facts that come after the case: looked up in the background, added to what is stored, and to replies still waiting.

Nothing here stands between a report and its case; a source that is down only means that a fact is missing.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from abuse_pipeline.assess import assess
from abuse_pipeline.clock import Clock
from abuse_pipeline.compose import Stamp, gated_reply
from abuse_pipeline.desk import Desk
from abuse_pipeline.enrichment import enrich
from abuse_pipeline.errors import WrongState
from abuse_pipeline.memory import memory_of
from abuse_pipeline.model import Finding, IPAddress, OutgoingState
from abuse_pipeline.privacy.pseudonyms import thread_token
from abuse_pipeline.store import Store

_BATCH = 50


async def add_late_facts(desk: Desk, store: Store, clock: Clock) -> int:
    """Look up a batch of addresses that processing asked for. Returns how many there were.

    Raises StoreUnavailable when the store does not answer.
    """
    wanted = await asyncio.to_thread(store.wanted_lookups, _BATCH)
    if not wanted:
        return 0
    now = clock()
    found = await enrich(wanted, desk.plugins.enrichers, desk.settings.enrich, store.finding_cache, now)
    for ip, findings in found.items():
        await asyncio.to_thread(_add, ip, findings, desk, store, now)
    return len(wanted)


def _add(ip: IPAddress, findings: tuple[Finding, ...], desk: Desk, store: Store, now: datetime) -> None:
    store.add_findings(ip, findings)
    if not any(finding.name == "abuse_contact" and finding.value for finding in findings):
        return
    for reply, submission in store.queued_replies_of_ip(ip):
        _rewrite(reply, submission, desk, store, now)


def _rewrite(reply: str, submission: str, desk: Desk, store: Store, now: datetime) -> None:
    """Write a waiting reply anew, now that the responsible network's contact is known.

    The path up to the decision is repeated instead of kept: it gives the same answer for the same bytes.
    """
    raw, envelope = store.raw_message(submission), store.envelope(submission)
    assessment = assess(raw, envelope, desk, now, memory_of(store, desk, now))
    token = thread_token(store.pseudonym_key, reply)
    outgoing = gated_reply(assessment, envelope, desk, Stamp(token, token, store.outgoing_record(reply).due_at))
    if outgoing is not None and outgoing.state is OutgoingState.QUEUED:
        try:
            store.replace_message(reply, outgoing.message)
        except WrongState:
            return  # it became due meanwhile and leaves as it is; the contact came too late
