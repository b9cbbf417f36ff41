"""THE path of a report: accept → read → parse → trace → attribute → decide → case → notice/reply → gate → outbox.

`process` takes one claimed submission to its end in one transaction, keyed by the submission: doing it twice changes
nothing, and being killed in the middle leaves the submission to the next worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from abuse_pipeline.assess import Assessment, assess
from abuse_pipeline.clock import Clock
from abuse_pipeline.compose import (
    NoticeMatter,
    Stamp,
    belongs_to,
    fact_of,
    gated_notice,
    gated_reply,
    needles_of,
    notice_due_at,
    status_of,
)
from abuse_pipeline.desk import Desk
from abuse_pipeline.memory import memory_of
from abuse_pipeline.model import (
    Confidence,
    Disposition,
    JudgedIncident,
    Outgoing,
    OutgoingState,
    Status,
)
from abuse_pipeline.notices import ReportedFact
from abuse_pipeline.privacy import Needle, needles_from_json, needles_to_json
from abuse_pipeline.privacy.pseudonyms import thread_token
from abuse_pipeline.signatures import wanted_keys
from abuse_pipeline.signatures.keys import SOURCE
from abuse_pipeline.store import Store, UnitOfWork
from abuse_pipeline.store.records import CaseFact, CaseRecord, Claim, QueuedNotice, Result

_DAY = timedelta(days=1)
# Where a person has yet to decide, the address may be the reporter's own server: nobody is asked about a reporter.
_WORTH_ASKING = (Disposition.NOTIFY_CUSTOMER, Disposition.REFER_ELSEWHERE)


@dataclass(frozen=True, slots=True)
class Sent:
    """One outgoing message as the outbox has it."""

    id: str
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Processed:
    """What became of one submission. cases: the case of each incident, None where it has none."""

    assessment: Assessment
    status: Status
    pseudonym: str | None
    cases: tuple[str | None, ...] = ()
    outgoing: tuple[Sent, ...] = ()


def process(claim: Claim, store: Store, desk: Desk, clock: Clock) -> Processed:
    """Take *claim* through the whole path.

    Raises LeaseLost when another worker has it by now, StoreUnavailable when the store does not take the result; in
    both cases nothing was changed.
    """
    now = clock()
    envelope = claim.submission.envelope
    assessment = assess(claim.raw, envelope, desk, now, memory_of(store, desk, now))
    _want_keys(assessment, store, desk, now)
    needles = needles_of(assessment, claim.raw, envelope, desk)
    status = status_of(assessment, envelope, desk)
    with store.completing(claim) as unit:
        pseudonym = unit.record_report(_result(assessment, status))
        unit.keep_needles(needles_to_json(needles))
        _learn(assessment, store, unit, desk)
        cases = _file(assessment, unit, desk)
        # The unit's own time: a notice that became due since `now` is closed, and takes up nothing more.
        work = _Work(claim, assessment, needles, store, unit, desk, unit.now)
        notices = [_notice(case, work) for case in {case.id: case for case in cases if case is not None}.values()]
        reply = _reply(pseudonym, work)
        sent = tuple(item for item in (*notices, reply) if item is not None)
    return Processed(assessment, status, pseudonym, tuple(case.id if case else None for case in cases), sent)


def _result(assessment: Assessment, status: Status) -> Result:
    return Result(
        format=assessment.format,
        language=assessment.language,
        reporter=assessment.reporter,
        disposition=assessment.disposition,
        reason="; ".join(assessment.reasons) or None,
        status=status,
    )


def _want_keys(assessment: Assessment, store: Store, desk: Desk, now: datetime) -> None:
    """Ask for the keys with which a relay's signature can be checked: they help the next report, not this one."""
    if desk.settings.enrich.offline or not desk.settings.trace.verify_signatures:
        return
    raws = [
        judged.incident.message.raw
        for judged in assessment.incidents
        if judged.incident.message is not None and judged.origin.confidence is Confidence.RELAYED
    ]
    names = {name for raw in raws for name in wanted_keys(raw, desk.rules.signers)}
    unknown = sorted(name for name in names if store.finding_cache.get(SOURCE, name, now) is None)
    if unknown:
        store.want_keys(unknown, now)


def _learn(assessment: Assessment, store: Store, unit: UnitOfWork, desk: Desk) -> None:
    teaching = assessment.teaching
    if teaching is not None and desk.settings.trace.learn_after > 0:
        unit.record_sighting(teaching.position, store.domain_token(teaching.domain), teaching.passage)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the writing half of the path works with."""

    claim: Claim
    assessment: Assessment
    needles: tuple[Needle, ...]
    store: Store
    unit: UnitOfWork
    desk: Desk
    now: datetime


def _file(assessment: Assessment, unit: UnitOfWork, desk: Desk) -> tuple[CaseRecord | None, ...]:
    """Keep the incidents, each that goes to a customer in the open case of that customer and kind.

    Cases are opened in the order of their keys, whatever the order in the report: workers then cannot wait for each
    other in a ring.
    """
    incidents = assessment.incidents
    cases: dict[int, CaseRecord] = {}
    for position in sorted(range(len(incidents)), key=lambda position: _case_key(incidents[position])):
        judged = incidents[position]
        customer, moment = judged.holder.customer, judged.origin.moment
        if fact_of(judged) is not None and customer is not None and moment is not None:
            kind = (judged.incident.category, judged.incident.type)
            cases[position] = unit.open_case(customer, *kind, judged.decision.severity, moment.at)
    for position, judged in enumerate(incidents):
        case = cases.get(position)
        if case is None:
            unit.add_incident(position, judged, None, None)
        else:
            # A customer who reports himself must not unlock what the notice tells of the others.
            independent = not belongs_to(desk.table.customers[case.customer], assessment.reporter)
            unit.add_incident(position, judged, case.id, fact_of(judged), independent)
        if judged.origin.ip is not None and judged.decision.disposition in _WORTH_ASKING:
            unit.want_lookup(judged.origin.ip)
    return tuple(cases.get(position) for position in range(len(incidents)))


def _case_key(judged: JudgedIncident) -> tuple[str, str, str]:
    return judged.holder.customer or "", judged.incident.category, judged.incident.type


def _notice(case: CaseRecord, work: _Work) -> Sent:
    """The case's notice, written anew from everything that no earlier notice has said.

    A notice that has not left yet takes up this report's facts; one that is held stays held until a person lets it go.
    """
    unit, desk, key = work.unit, work.desk, work.store.pseudonym_key
    queued = unit.queued_notice(case.id, work.now)
    enough = desk.settings.notices.minimum_reporters
    facts = unit.facts_of_case(case.id, queued.id if queued is not None else None, enough)
    id = queued.id if queued is not None else unit.new_id("notice")
    due_at = queued.due_at if queued is not None else notice_due_at(work.now, desk)
    matter = NoticeMatter(
        desk.table.customers[case.customer],
        _reported(facts),
        lambda message: _needles_for(message, case, queued, work),
        work.assessment.reporter,
    )
    outgoing = gated_notice(matter, desk, Stamp(thread_token(key, id), thread_token(key, case.id), due_at))
    if queued is not None and queued.held and outgoing.state is OutgoingState.QUEUED:
        outgoing = replace(outgoing, state=OutgoingState.HELD, reason=queued.reason)
    # A new notice covers everything unsaid, a queued one has what it covers already: this report is what is new.
    covers = (work.claim.submission.id,) if queued is not None else unit.submissions_of_case(case.id, None)
    unit.put_notice(id, case, outgoing, covers, due_at)
    return Sent(id, outgoing)


def _reported(facts: tuple[CaseFact, ...]) -> tuple[ReportedFact, ...]:
    """The facts with their reporters as bare numbers: not even a pseudonym goes to where notices are written."""
    voices = sorted({voice for fact in facts for voice in fact.voices})
    number = {voice: position for position, voice in enumerate(voices)}
    return tuple(ReportedFact(f.fact, f.number, frozenset(number[voice] for voice in f.voices)) for f in facts)


def _needles_for(message: bytes, case: CaseRecord, queued: QueuedNotice | None, work: _Work) -> Iterable[Needle]:
    """What *message* must be searched for: when it says just what the queued notice said, that was searched for the
    earlier reports' needles already, and only this report's are new. In an outbreak most reports change nothing."""
    if queued is not None and not queued.held and queued.message == message:
        return work.needles
    unit = work.unit
    kept = unit.needles_of(unit.submissions_of_case(case.id, queued.id if queued is not None else None))
    return dict.fromkeys(needle for text in kept.values() for needle in needles_from_json(text))


def _reply(pseudonym: str | None, work: _Work) -> Sent | None:
    """The answer to the reporter, unless they had enough of them today (RFC 3834 section 2)."""
    unit, replies = work.unit, work.desk.settings.replies
    if pseudonym is None or unit.replies_to_since(pseudonym, work.now - _DAY) >= replies.per_sender_per_day:
        return None
    id = unit.new_id("reply")
    due_at = work.now + replies.delay
    token = thread_token(work.store.pseudonym_key, id)
    outgoing = gated_reply(work.assessment, work.claim.submission.envelope, work.desk, Stamp(token, token, due_at))
    if outgoing is None:
        return None
    unit.put_reply(outgoing, due_at, id)
    return Sent(id, outgoing)
