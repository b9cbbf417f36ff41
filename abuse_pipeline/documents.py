"""The JSON that commands print: DESIGN.md, "Contracts that users and tests rely on", field by field.

A reporter is a pseudonym here. Keys are in the order of the contract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from abuse_pipeline.assess import Assessment
from abuse_pipeline.model import (
    Disposition,
    Holder,
    JudgedHop,
    JudgedIncident,
    Moment,
    Origin,
    Outgoing,
    Status,
)
from abuse_pipeline.store.records import CaseEvent, CaseRecord, OutgoingRecord

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Labels:
    """What a submission is called outside. case ids stand at the position of their incident."""

    submission: str | None
    source: str | None
    digest: str
    status: Status
    reporter: str | None = None
    cases: tuple[str | None, ...] = ()
    duplicate_of: str | None = None


def utc_text(at: datetime) -> str:
    """``2026-11-20T05:03:12Z``: whole seconds, as no mail header tells more."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def local_text(at: datetime, zone: ZoneInfo) -> str:
    """``2026-11-20T14:03:12+09:00``."""
    return at.astimezone(zone).replace(microsecond=0).isoformat()


def report_document(
    labels: Labels, assessment: Assessment, outgoing: Sequence[tuple[str | None, Outgoing]], zone: ZoneInfo
) -> Document:
    """One submission, as `abuse explain --json` and each line of `abuse ingest --json` show it."""
    cases = labels.cases or (None,) * len(assessment.incidents)
    incidents = [incident_document(j, case, zone) for j, case in zip(assessment.incidents, cases, strict=True)]
    return {
        **_head(labels),
        "format": assessment.format,
        "language": assessment.language,
        "reporter": labels.reporter,
        "disposition": assessment.disposition.value,
        "incidents": incidents,
        "outgoing": [outgoing_document(id, message) for id, message in outgoing],
    }


def duplicate_document(labels: Labels) -> Document:
    """A duplicate has no incidents and no outgoing messages of its own."""
    return {
        **_head(labels),
        "format": None,
        "language": None,
        "reporter": None,
        "disposition": Disposition.NONE.value,
        "incidents": [],
        "outgoing": [],
    }


def _head(labels: Labels) -> Document:
    return {
        "submission": labels.submission,
        "source": labels.source,
        "digest": labels.digest,
        "status": labels.status.value,
        "duplicate_of": labels.duplicate_of,
    }


def incident_document(judged: JudgedIncident, case: str | None, zone: ZoneInfo) -> Document:
    return {
        "category": judged.incident.category,
        "type": judged.incident.type,
        "origin": origin_document(judged.origin, zone),
        "holder": holder_document(judged.holder),
        "disposition": judged.decision.disposition.value,
        "reasons": list(judged.decision.reasons),
        "severity": judged.decision.severity.value,
        "case": case,
    }


def origin_document(origin: Origin, zone: ZoneInfo) -> Document:
    at, at_local, precision = _moment(origin.moment, zone)
    return {
        "ip": str(origin.ip) if origin.ip is not None else None,
        "port": origin.port,
        "at": at,
        "at_local": at_local,
        "precision": precision,
        "confidence": origin.confidence.value,
        "witness": origin.witness,
        "reason": origin.reason,
    }


def holder_document(holder: Holder) -> Document:
    return {
        "kind": holder.kind.value,
        "network": str(holder.network) if holder.network is not None else None,
        "customer": holder.customer,
        "reason": holder.reason,
    }


def outgoing_document(id: str | None, outgoing: Outgoing) -> Document:
    return {"id": id, "kind": outgoing.kind, "state": outgoing.state.value, "reason": outgoing.reason}


def trace_document(origin: Origin, zone: ZoneInfo) -> Document:
    """What `abuse trace --json` prints."""
    return {"origin": origin_document(origin, zone), "hops": [hop_document(judged) for judged in origin.hops]}


def hop_document(judged: JudgedHop) -> Document:
    hop = judged.hop
    return {
        "index": hop.index,
        "helo": hop.helo,
        "rdns": hop.rdns,
        "ip": str(hop.ip) if hop.ip is not None else None,
        "port": hop.port,
        "by": hop.by,
        "protocol": hop.protocol,
        "authenticated": hop.authenticated,
        "at": utc_text(hop.stamped_at.at) if hop.stamped_at is not None else None,
        "verdict": judged.verdict.value,
        "reason": judged.reason,
    }


def evidence_document(judged: JudgedIncident) -> Document:
    """The reported message's own fields in clear, for `abuse explain --evidence`: the caller holds the file already."""
    message = judged.incident.message
    fields = {name: message.header(name) if message is not None else None for name in ("From", "To", "Subject", "Date")}
    return {
        **{name.lower(): value for name, value in fields.items()},
        "feedback_type": judged.incident.feedback_type,
    }


def outbox_document(records: Sequence[OutgoingRecord]) -> Document:
    """What `abuse outbox list --json` prints."""
    return {
        "outbox": [
            {
                "id": record.id,
                "kind": record.kind,
                "state": record.state.value,
                "case": record.case,
                "customer": record.customer,
                "reporter": record.reporter,
                "submissions": list(record.submissions),
                "due_at": utc_text(record.due_at),
                "reason": record.reason,
            }
            for record in records
        ]
    }


def cases_document(cases: Sequence[CaseRecord]) -> Document:
    """What `abuse cases list --json` prints."""
    return {"cases": [_case(case) for case in cases]}


def case_document(case: CaseRecord, history: Sequence[CaseEvent], messages: Sequence[OutgoingRecord]) -> Document:
    """What `abuse cases show --json` prints: the case, its notices and its history, oldest first."""
    events = [{"at": utc_text(e.at), "who": e.who, "action": e.action, "text": e.text} for e in history]
    return {**_case(case), "assignee": case.assignee, **outbox_document(messages), "history": events}


def _case(case: CaseRecord) -> Document:
    return {
        "id": case.id,
        "customer": case.customer,
        "category": case.category,
        "type": case.type,
        "state": case.state,
        "severity": case.severity.value,
        "incidents": case.incidents,
        "first_at": utc_text(case.first_at),
        "last_at": utc_text(case.last_at),
    }


def _moment(moment: Moment | None, zone: ZoneInfo) -> tuple[str | None, str | None, str | None]:
    if moment is None:
        return None, None, None
    return utc_text(moment.at), local_text(moment.at, zone), moment.precision
