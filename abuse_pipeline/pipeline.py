"""THE path of a report: accept → read → parse → trace → attribute → decide → case → notice/reply → gate → outbox.

`process` takes one claimed submission to its end in one transaction, keyed by the submission: doing it twice changes
nothing, and being killed in the middle leaves the submission to the next worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from abuse_pipeline.assess import Assessment, assess
from abuse_pipeline.clock import Clock
from abuse_pipeline.compose import Stamp, fact_of, gated_notice, gated_reply, needles_of, status_of
from abuse_pipeline.desk import Desk
from abuse_pipeline.model import Finding, HolderKind, IPAddress, JudgedIncident, Outgoing, Status
from abuse_pipeline.privacy import needles_from_json, needles_to_json
from abuse_pipeline.store import Store, UnitOfWork
from abuse_pipeline.store.records import CaseRecord, Claim

_DAY = timedelta(days=1)


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
    assessment = assess(claim.raw, envelope, desk, now, known=_known_to(store, now))
    needles = needles_of(assessment, claim.raw, envelope, desk)
    status = status_of(assessment, envelope, desk)
    with store.completing(claim) as unit:
        pseudonym = unit.record_report(
            assessment.format,
            assessment.language,
            assessment.reporter,
            assessment.disposition,
            "; ".join(assessment.reasons) or None,
            status,
        )
        unit.keep_needles(needles_to_json(needles))
        cases = tuple(_file(position, judged, unit) for position, judged in enumerate(assessment.incidents))
        touched = {case.id: case for case in cases if case is not None}
        notices = [_notice(case, claim, unit, desk, now) for case in touched.values()]
        reply = _reply(assessment, pseudonym, claim, unit, desk, now)
        sent = tuple(item for item in (*notices, reply) if item is not None)
    return Processed(assessment, status, pseudonym, tuple(case.id if case else None for case in cases), sent)


def _known_to(store: Store, now: datetime) -> KnownFindings:
    def known(ip: IPAddress) -> tuple[Finding, ...]:
        return store.findings_of(ip, now)

    return known


def _file(position: int, judged: JudgedIncident, unit: UnitOfWork) -> CaseRecord | None:
    """Keep one incident, in the open case of its customer and kind when it goes to a customer."""
    case = None
    fact = fact_of(judged)
    if fact is not None and judged.holder.customer is not None:
        at = judged.origin.moment
        assert at is not None, "a decision to notify needs a time (triage.decide)"
        incident = judged.incident
        case = unit.open_case(judged.holder.customer, incident.category, incident.type, judged.decision.severity, at.at)
    unit.add_incident(position, judged, case.id if case else None, fact)
    if judged.origin.ip is not None and judged.holder.kind is not HolderKind.GROUP:
        unit.want_lookup(judged.origin.ip)
    return case


def _notice(case: CaseRecord, claim: Claim, store: Store, unit: UnitOfWork, desk: Desk, now: datetime) -> Sent:
    """The case's notice, written anew from everything that no earlier notice has said.

    A notice that has not left yet takes up this report's facts; one that a person holds stays held.
    """
    queued = unit.queued_notice(case.id, now)
    facts = unit.facts_of_case(case.id)
    id = queued.id if queued is not None else unit.new_id("N")
    due_at = queued.due_at if queued is not None else now + desk.settings.notices.delay
    submissions = tuple(dict.fromkeys(fact.submission for fact in facts))
    outgoing = gated_notice(
        [fact.fact for fact in facts],
        len({fact.reporter for fact in facts}),
        desk.table.customers[case.customer],
        _all_needles(submissions, unit),
        desk,
        Stamp(store.thread_token(id), store.thread_token(case.id), due_at),
    )
    if queued is not None and queued.held_by_staff and outgoing.state is OutgoingState.QUEUED:
        outgoing = replace(outgoing, state=OutgoingState.HELD, reason=queued.reason)
    unit.put_notice(id, case.id, case.customer, outgoing, submissions, due_at)
    return Sent(id, outgoing)


def _all_needles(submissions: Sequence[str], unit: UnitOfWork) -> list[Needle]:
    return [needle for text in unit.needles_of(submissions).values() for needle in needles_from_json(text)]


def _reply(
    assessment: Assessment, pseudonym: str | None, claim: Claim, store: Store, unit: UnitOfWork, desk: Desk, now: datetime
) -> Sent | None:
    """The answer to the reporter, unless they had enough of them today (RFC 3834 section 2)."""
    if pseudonym is None or unit.replies_to_since(pseudonym, now - _DAY) >= desk.settings.replies.per_sender_per_day:
        return None
    id = unit.new_id("A")
    due_at = now + desk.settings.replies.delay
    token = store.thread_token(id)
    outgoing = gated_reply(assessment, claim.submission.envelope, desk, Stamp(token, token, due_at))
    if outgoing is None:
        return None
    unit.put_reply(id, outgoing, due_at)
    return Sent(id, outgoing)
