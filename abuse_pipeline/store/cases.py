"""Cases as staff work on them. Every change is written into a history that only grows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from sqlalchemy import Row, and_, select, update

from abuse_pipeline.errors import UnknownRecord, WrongState
from abuse_pipeline.model import Confidence, Disposition, HolderKind, Moment, Severity
from abuse_pipeline.store import codec
from abuse_pipeline.store.database import Transaction
from abuse_pipeline.store.records import CaseEvent, CaseRecord, CaseState, IncidentRecord
from abuse_pipeline.store.room import Room, add_history
from abuse_pipeline.store.schema import cases, history, incidents, submissions


class Cases(Room):
    def cases(
        self,
        state: CaseState | None = None,
        customer: str | None = None,
        category: str | None = None,
        type: str | None = None,
        assignee: str | None = None,
    ) -> tuple[CaseRecord, ...]:
        """The cases that fit every filter given, the one with the latest incident first."""
        filters = {"state": state, "customer": customer, "category": category, "type": type, "assignee": assignee}
        wanted = [cases.c[name] == value for name, value in filters.items() if value is not None]
        with self._database.reading() as transaction:
            rows = transaction.rows(select(cases).where(*wanted).order_by(cases.c.last_at.desc(), cases.c.id))
        return tuple(case_record(row._mapping) for row in rows)

    def case(self, id: str) -> CaseRecord:
        """Raises UnknownRecord."""
        with self._database.reading() as transaction:
            return case_record(_found(transaction.row(select(cases).where(cases.c.id == id)), id)._mapping)

    def case_history(self, id: str) -> tuple[CaseEvent, ...]:
        """Oldest first. Raises UnknownRecord."""
        with self._database.reading() as transaction:
            _found(transaction.row(select(cases.c.id).where(cases.c.id == id)), id)
            return events_of(transaction, id)

    def incidents_of_case(self, id: str) -> tuple[IncidentRecord, ...]:
        """The incidents that the case gathers, in the order in which they came in; empty for an unknown case."""
        return self._incidents(incidents.c.case_id == id)

    def incidents_of_submission(self, id: str) -> tuple[IncidentRecord, ...]:
        """In the order of the report."""
        return self._incidents(incidents.c.submission == id)

    def cases_of_submission(self, id: str) -> tuple[str | None, ...]:
        """The case of each incident of the report, in its order; None where an incident has none."""
        return tuple(incident.case for incident in self.incidents_of_submission(id))

    def _incidents(self, which: Any) -> tuple[IncidentRecord, ...]:
        query = select(incidents, submissions.c.reporter, submissions.c.received_at)
        query = query.join(submissions, submissions.c.id == incidents.c.submission).where(which)
        with self._database.reading() as transaction:
            rows = transaction.rows(query.order_by(submissions.c.received_at, submissions.c.id, incidents.c.position))
        return tuple(_incident_record(row) for row in rows)

    def note_case(self, id: str, who: str, text: str) -> CaseRecord:
        """Write *text* into the case's history. Raises UnknownRecord."""
        return self._change(id, (who, "note", text), {})

    def assign(self, id: str, who: str, text: str) -> CaseRecord:
        """Give the case to the member of staff named *text*; "" gives it back. Raises UnknownRecord."""
        return self._change(id, (who, "assigned", text), {"assignee": text or None})

    def close_case(self, id: str, who: str, text: str) -> CaseRecord:
        """Close the case for the reason *text*. Raises UnknownRecord; WrongState when it is closed."""
        return self._change(id, (who, "closed", text), {"state": "closed"})

    def reopen_case(self, id: str, who: str, text: str) -> CaseRecord:
        """Open a closed case again for the reason *text*.

        Raises UnknownRecord; WrongState when it is open, or when the same customer has a newer open case of this kind.
        """
        return self._change(id, (who, "reopened", text), {"state": "open"})

    def _change(self, id: str, event: tuple[str, str, str], values: dict[str, Any]) -> CaseRecord:
        with self._database.writing() as transaction:
            found = _found(transaction.row(select(cases).where(cases.c.id == id).with_for_update()), id)
            if found.state == values.get("state"):
                raise WrongState(f"the case is {found.state} already", where=id)
            if values.get("state") == "open":
                _nothing_in_the_way(transaction, found)
            if values:
                transaction.run(update(cases).where(cases.c.id == id).values(values))
            add_history(transaction, id, self._clock(), event)
        return case_record({**found._mapping, **values})


def _nothing_in_the_way(transaction: Transaction, closed: Row[Any]) -> None:
    same = and_(*(cases.c[name] == closed._mapping[name] for name in ("customer", "category", "type")))
    other = transaction.value(select(cases.c.id).where(same, cases.c.state == "open"))
    if other is not None:
        raise WrongState(
            f"the customer has an open case of this kind already: {other}", where=closed.id, todo=f"work on {other}"
        )


def _found(row: Row[Any] | None, id: str) -> Row[Any]:
    if row is None:
        raise UnknownRecord("there is no case with this id", where=id, todo="see `abuse cases list`")
    return row


def case_record(row: Mapping[Any, Any]) -> CaseRecord:
    return CaseRecord(
        id=row["id"],
        customer=row["customer"],
        category=row["category"],
        type=row["type"],
        state=row["state"],
        severity=Severity(row["severity"]),
        incidents=row["incidents"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        assignee=row["assignee"],
    )


def events_of(transaction: Transaction, subject: str) -> tuple[CaseEvent, ...]:
    rows = transaction.rows(select(history).where(history.c.subject == subject).order_by(history.c.position))
    return tuple(CaseEvent(row.at, row.who, row.action, row.text) for row in rows)


def _incident_record(row: Row[Any]) -> IncidentRecord:
    return IncidentRecord(
        id=row.id,
        submission=row.submission,
        reporter=row.reporter,
        case=row.case_id,
        category=row.category,
        type=row.type,
        ip=None if row.origin_ip is None else ip_address(row.origin_ip),
        port=row.origin_port,
        moment=None if row.origin_at is None else Moment(row.origin_at, row.origin_precision),
        confidence=Confidence(row.confidence),
        holder=HolderKind(row.holder_kind),
        network=None if row.network is None else ip_network(row.network),
        customer=row.customer,
        disposition=Disposition(row.disposition),
        severity=Severity(row.severity),
        reasons=tuple(json.loads(row.reasons)),
        findings=codec.findings_from_json(row.findings),
    )
