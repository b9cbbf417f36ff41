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


def _known_to(store: Store, now: datetime):  # type: ignore[no-untyped-def]
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
