"""Everything that processing one submission writes, in the one transaction that ends with "done".

On PostgreSQL `open_case` holds the case until the end, so two workers never write to one case at a time. Open the cases
of one submission in the order of (customer, category, type): workers then cannot wait for each other in a ring.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from abuse_pipeline.errors import StoreUnavailable, WrongState
from abuse_pipeline.model import (
    Identity,
    IPAddress,
    JudgedIncident,
    NoticeFact,
    Outgoing,
    OutgoingState,
    Severity,
    Status,
    Submission,
)
from abuse_pipeline.privacy.pseudonyms import person_address, pseudonym
from abuse_pipeline.store import codec
from abuse_pipeline.store.accepting import AT_ONCE
from abuse_pipeline.store.cases import case_record
from abuse_pipeline.store.database import Transaction
from abuse_pipeline.store.identities import keep_identity
from abuse_pipeline.store.ids import IdMaker
from abuse_pipeline.store.learning import keep_sighting
from abuse_pipeline.store.records import CaseFact, CaseRecord, OutgoingKind, QueuedNotice, Result
from abuse_pipeline.store.room import add_history, chunks
from abuse_pipeline.store.schema import (
    cases,
    incidents,
    outgoing,
    outgoing_submissions,
    submissions,
    vault_needles,
    vault_outgoing,
    vault_traces,
    wanted_lookups,
)
from abuse_pipeline.trace.learning import Passage

DESK = "desk"
"""Who acted, when it was the program."""

_SEVERITIES = list(Severity)
_VOICE_LENGTH = 26  # 130 bits: two people never share one


class UnitOfWork:
    """Made by `Store.completing`. now: the time of everything it writes. Every call may raise StoreUnavailable."""

    def __init__(
        self, transaction: Transaction, submission: Submission, now: datetime, key_and_ids: tuple[bytes, IdMaker]
    ) -> None:
        self._transaction = transaction
        self._submission, self._received_at = submission.id, submission.received_at
        self._key, self._ids = key_and_ids
        self._reporter: str | None = None
        self._voice: str | None = None
        self._recorded = False
        self._wanted: set[str] = set()
        self._sighted = False
        self.now = now

    def record_report(self, result: Result) -> str | None:
        """What the submission turned out to be; call it first. The reporter goes to the vault; gives the pseudonym,
        None when the reporter has neither address nor name."""
        if result.status not in (Status.DONE, Status.STAFF):
            raise ValueError(f"a processed submission is done or with staff, not {result.status}")
        self._reporter = keep_identity(self._transaction, self._key, result.reporter, self.now)
        self._voice = _voice_of(self._key, result.reporter)
        self._transaction.run(
            update(submissions)
            .where(submissions.c.id == self._submission)
            .values(
                format=result.format,
                language=result.language,
                reporter=self._reporter,
                disposition=result.disposition,
                reason=result.reason,
                status=result.status,
                finished_at=self.now,
                worker=None,
                token=None,
                lease_until=AT_ONCE,
            )
        )
        self._recorded = True
        return self._reporter

    def open_case(self, customer: str, category: str, type: str, severity: Severity, at: datetime) -> CaseRecord:
        """The open case of this customer and kind, made if there is none, with one incident more.

        at: when the incident was. Severity only rises.
        """
        kind = and_(
            cases.c.customer == customer, cases.c.category == category, cases.c.type == type, cases.c.state == "open"
        )
        found = self._transaction.row(select(cases).where(kind).with_for_update())
        if found is None:
            self._make_case({"customer": customer, "category": category, "type": type, "severity": severity}, at)
            found = self._transaction.row(select(cases).where(kind).with_for_update())
        if found is None:
            raise StoreUnavailable("the case was closed in this very moment", todo="try again")
        values = {
            "incidents": found.incidents + 1,
            "first_at": min(found.first_at, at),
            "last_at": max(found.last_at, at),
            "severity": max(Severity(found.severity), severity, key=_SEVERITIES.index),
        }
        self._transaction.run(update(cases).where(cases.c.id == found.id).values(values))
        return case_record({**found._mapping, **values})

    def _make_case(self, kind: dict[str, str], at: datetime) -> None:
        id = self._ids.new("K", self.now)
        row = {"id": id, **kind, "state": "open", "incidents": 0, "first_at": at, "last_at": at}
        made = insert_or(cases).on_conflict_do_nothing().returning(cases.c.id)
        if self._transaction.value(made, row) is not None:
            add_history(self._transaction, id, self.now, (DESK, "opened", f"first reported in {self._submission}"))

    def add_incident(
        self,
        position: int,
        judged: JudgedIncident,
        case_id: str | None,
        fact: NoticeFact | None,
        independent: bool = True,
    ) -> str:
        """Keep one incident; gives its id. position: its place in the report. fact: what a notice may say about it.

        independent: the reporter has nothing to do with the customer, so counts among those who make a notice tell
        more; ``taro+a@`` and ``taro+b@`` count as one, and the unnamed not at all.
        What the tracer says of the reporter's side (witness, reasons, hops) goes to the vault.
        """
        id = self._ids.new("I", self.now)
        row = _incident_row(judged)
        row |= {"id": id, "submission": self._submission, "position": position, "case_id": case_id}
        row["fact"] = None if fact is None else codec.fact_to_json(fact)
        row["voice"] = self._voice if independent and fact is not None else None
        row["awaits_findings"] = int(row["origin_ip"] in self._wanted)
        self._transaction.run(insert(incidents), row)
        trace = {
            "witness": judged.origin.witness,
            "reason": judged.origin.reason,
            "hops": [[hop.hop.index, hop.verdict.value, hop.reason] for hop in judged.origin.hops],
        }
        self._transaction.run(insert(vault_traces), {"incident": id, "trace": codec.dump(trace)})
        return id

    def want_lookup(self, ip: IPAddress) -> None:
        """Ask for late findings on *ip* for this submission's incidents; see `Store.wanted_lookups`."""
        self._wanted.add(str(ip))
        mine = and_(incidents.c.submission == self._submission, incidents.c.origin_ip == str(ip))
        self._transaction.run(update(incidents).where(mine).values(awaits_findings=1))

    def record_sighting(self, position: int, domain_token: str, passage: Passage) -> None:
        """Keep which host handed over the mail that incident *position* is about, for the domain of the reporter
        (`Store.domain_token`); see `Store.sightings_of`. It counts for the day on which the report came in.

        A report speaks once: only the first call counts. ``taro+a@`` and ``taro+b@`` are one reporter; of the unnamed
        nothing is kept.
        """
        if self._sighted or self._voice is None:
            return
        row = {"submission": self._submission, "position": position, "domain": domain_token}
        row |= {"reporter": self._voice, "seen_at": self._received_at}
        keep_sighting(self._transaction, row, passage)
        self._sighted = True

    def keep_needles(self, needles: str) -> None:
        """Put the needles of this submission into the vault, as `privacy.needles_to_json` wrote them."""
        self._transaction.run(insert(vault_needles), {"submission": self._submission, "needles": needles})

    def needles_of(self, submission_ids: Sequence[str]) -> dict[str, str]:
        """What `keep_needles` kept, by submission, this one included. A submission without needles is absent."""
        found: dict[str, str] = {}
        for some in chunks(submission_ids):
            rows = self._transaction.rows(select(vault_needles).where(vault_needles.c.submission.in_(some)))
            found.update((row.submission, row.needles) for row in rows)
        return found

    def queued_notice(self, case_id: str, now: datetime) -> QueuedNotice | None:
        """The notice of the case that takes up what is new: one that is queued and not due before *now*, else one that
        is held. What is due, sent or failed has left our hands and is never changed."""
        found = self._transaction.row(
            select(outgoing.c.id, outgoing.c.due_at, outgoing.c.state, outgoing.c.reason, vault_outgoing.c.message)
            .join(vault_outgoing, vault_outgoing.c.outgoing == outgoing.c.id)
            .where(outgoing.c.case_id == case_id, outgoing.c.kind == "notice", changeable(now))
            .order_by(case((outgoing.c.state == OutgoingState.QUEUED, 0), else_=1), outgoing.c.created_at.desc())
            .limit(1)
            .with_for_update(of=outgoing)
        )
        if found is None:
            return None
        held = found.state == OutgoingState.HELD
        submissions = self._submissions_of(found.id)
        return QueuedNotice(found.id, bytes(found.message), submissions, found.due_at, held, found.reason)

    def _submissions_of(self, outgoing_id: str) -> tuple[str, ...]:
        link = outgoing_submissions.c
        rows = self._transaction.rows(
            select(link.submission).where(link.outgoing == outgoing_id).order_by(link.submission)
        )
        return tuple(row.submission for row in rows)

    def facts_of_case(self, case_id: str, notice_id: str | None, most_voices: int = 20) -> tuple[CaseFact, ...]:
        """What the case's next notice has to say, oldest first: the facts of notice *notice_id* (`queued_notice`), of
        this unit, and of every incident that no other notice covers. Each fact is thus in one notice.

        Equal facts come once, with their number: an outbreak is thousands of them. most_voices: so many independent
        reporters of each fact are named; who asks whether there are five need not know ten thousand.
        """
        column = incidents.c
        counted = (
            select(column.fact, column.voice, func.count().label("number"), func.min(column.origin_at).label("first"))
            .where(self._unsaid(case_id, notice_id))
            .group_by(column.fact, column.voice)
            .subquery()
        )
        each = counted.c
        ranked = select(
            each.fact,
            each.voice,
            func.sum(each.number).over(partition_by=each.fact).label("number"),
            func.min(each.first).over(partition_by=each.fact).label("first"),
            func.row_number().over(partition_by=each.fact, order_by=each.voice.desc().nulls_last()).label("place"),
        ).subquery()
        query = select(ranked).where(ranked.c.place <= most_voices)
        facts: dict[str, tuple[int, set[str]]] = {}
        for row in self._transaction.rows(query.order_by(ranked.c.first, ranked.c.fact)):
            _, voices = facts.setdefault(row.fact, (int(row.number), set()))
            voices.update(() if row.voice is None else (row.voice,))
        return tuple(CaseFact(codec.fact_from_json(f), n, frozenset(v)) for f, (n, v) in facts.items())

    def submissions_of_case(self, case_id: str, notice_id: str | None) -> tuple[str, ...]:
        """The submissions behind `facts_of_case`, oldest first."""
        query = select(incidents.c.submission).distinct().where(self._unsaid(case_id, notice_id))
        return tuple(row.submission for row in self._transaction.rows(query.order_by(incidents.c.submission)))

    def _unsaid(self, case_id: str, notice_id: str | None) -> ColumnElement[bool]:
        link = outgoing_submissions.c
        covered = exists().where(
            link.outgoing == outgoing.c.id,
            link.submission == incidents.c.submission,
            outgoing.c.case_id == case_id,
            outgoing.c.id != (notice_id or ""),
        )
        return and_(incidents.c.case_id == case_id, incidents.c.fact.is_not(None), ~covered)

    def reporters_of_case(self, case_id: str) -> int:
        """How many different reporters the case has, this one included; the unnamed are not counted."""
        mine = select(incidents.c.submission).where(incidents.c.case_id == case_id)
        count = select(func.count(submissions.c.reporter.distinct())).where(submissions.c.id.in_(mine))
        return int(self._transaction.value(count))

    def new_id(self, kind: OutgoingKind) -> str:
        """An id for a message that names itself in its own header; give it to `put_notice` or `put_reply` then."""
        return self._ids.new("N" if kind == "notice" else "A", self.now)

    def put_notice(
        self, id: str | None, case: CaseRecord, notice: Outgoing, submissions: Sequence[str], due_at: datetime
    ) -> str:
        """Put a notice of *case* into the outbox; gives its id. An *id* that is there already is replaced.

        A replaced notice keeps its due time, so later incidents do not put it off for ever. One that is held stays
        held, whatever the state of *notice*: only staff lets it go. Raises WrongState when it is due, sent or failed.
        """
        id = id or self.new_id("notice")
        found = self._transaction.row(select(outgoing).where(outgoing.c.id == id).with_for_update())
        if found is None:
            self._insert(id, notice, {"case_id": case.id, "customer": case.customer}, due_at)
        else:
            self._replace(found, case.id, notice)
        link = insert_or(outgoing_submissions).on_conflict_do_nothing()
        rows = [{"outgoing": id, "submission": submission} for submission in dict.fromkeys(submissions)]
        if rows:
            self._transaction.run(link, rows)
        return id

    def _replace(self, found: Row[Any], case_id: str, notice: Outgoing) -> None:
        held = found.state == OutgoingState.HELD
        waits = found.state == OutgoingState.QUEUED and found.due_at > self.now
        if not (held or waits) or found.case_id != case_id:
            raise WrongState("this notice has left our hands or is of another case", where=found.id)
        values = {"state": notice.state, "reason": notice.reason}
        if held:
            new_reason = notice.reason if notice.state is OutgoingState.HELD else None
            values = {"state": OutgoingState.HELD, "reason": new_reason or found.reason}
        self._transaction.run(update(outgoing).where(outgoing.c.id == found.id).values(values))
        mine = vault_outgoing.c.outgoing == found.id
        self._transaction.run(update(vault_outgoing).where(mine).values(message=notice.message))

    def put_reply(self, reply: Outgoing, due_at: datetime, id: str | None = None) -> str:
        """Put the answer to this submission's reporter into the outbox; gives its id."""
        id = id or self.new_id("reply")
        self._insert(id, reply, {"reporter": self._reporter}, due_at)
        self._transaction.run(insert(outgoing_submissions), {"outgoing": id, "submission": self._submission})
        return id

    def _insert(self, id: str, new: Outgoing, about: dict[str, str | None], due_at: datetime) -> None:
        row = {"case_id": None, "customer": None, "reporter": None, **about}
        row |= {"id": id, "kind": new.kind, "state": new.state, "reason": new.reason}
        self._transaction.run(insert(outgoing), {**row, "due_at": due_at, "created_at": self.now})
        self._transaction.run(insert(vault_outgoing), {"outgoing": id, "message": new.message})

    def replies_to_since(self, pseudonym: str, since: datetime) -> int:
        """How many replies were made to this reporter from *since* on, sent or not, for the cap per day."""
        count = select(func.count()).select_from(outgoing)
        mine = and_(outgoing.c.kind == "reply", outgoing.c.reporter == pseudonym, outgoing.c.created_at >= since)
        return int(self._transaction.value(count.where(mine)))

    def finish(self) -> None:
        """Called at the end of the block. Raises ValueError when the report was never recorded."""
        if not self._recorded:
            raise ValueError("record_report was not called: the submission has no result")
        rows = [{"ip": ip, "wanted_at": self.now} for ip in sorted(self._wanted)]
        if rows:
            self._transaction.run(insert_or(wanted_lookups).on_conflict_do_nothing(), rows)


def _voice_of(key: bytes, reporter: Identity | None) -> str | None:
    """As whom a reporter counts: a pseudonym of the mailbox. The prefix holds a character that no address has."""
    if reporter is None or not (reporter.address or reporter.name):
        return None
    mailbox = person_address(reporter.address) if reporter.address else f"name:\n{reporter.name}"
    return pseudonym(key, f"voice:\n{mailbox}", _VOICE_LENGTH)


def changeable(now: datetime) -> ColumnElement[bool]:
    """Outgoing messages that have not left our hands: held, or queued for later than *now*."""
    waits = and_(outgoing.c.state == OutgoingState.QUEUED, outgoing.c.due_at > now)
    return or_(outgoing.c.state == OutgoingState.HELD, waits)


def _incident_row(judged: JudgedIncident) -> dict[str, Any]:
    origin, holder, decision = judged.origin, judged.holder, judged.decision
    return {
        "category": judged.incident.category,
        "type": judged.incident.type,
        "origin_ip": None if origin.ip is None else str(origin.ip),
        "origin_port": origin.port,
        "origin_at": None if origin.moment is None else origin.moment.at,
        "origin_precision": None if origin.moment is None else origin.moment.precision,
        "confidence": origin.confidence,
        "holder_kind": holder.kind,
        "network": None if holder.network is None else str(holder.network),
        "customer": holder.customer,
        "disposition": decision.disposition,
        "severity": decision.severity,
        "reasons": codec.dump(decision.reasons),
        "findings": codec.findings_to_json(judged.findings),
    }
