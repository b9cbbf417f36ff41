"""Made-up arrivals, incidents and clocks for the store's tests, and the child processes that they start."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from abuse_pipeline.model import (
    Channel,
    Confidence,
    Decision,
    Disposition,
    Envelope,
    Finding,
    Holder,
    HolderKind,
    Identity,
    Incident,
    JudgedIncident,
    Moment,
    NoticeFact,
    Origin,
    Outgoing,
    OutgoingState,
    Severity,
    Status,
)
from abuse_pipeline.settings import StoreSettings
from abuse_pipeline.store import Store, UnitOfWork
from abuse_pipeline.store.records import Arrival, CaseRecord, Claim, Result

NOON = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
HOUR = timedelta(hours=1)
QUEUED, HELD, SENT, FAILED = OutgoingState.QUEUED, OutgoingState.HELD, OutgoingState.SENT, OutgoingState.FAILED
CHILD = Path(__file__).with_name("store_child.py")


@dataclass
class HandClock:
    """Stands still until a test moves it."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **step: float) -> None:
        self.now += timedelta(**step)


def arrival(raw: bytes = b"Subject: spam\r\n\r\n", to: str = "abuse@hosting.example.jp", **over: object) -> Arrival:
    fields: dict[str, object] = {
        "channel": Channel.SMTP,
        "envelope": Envelope("taro@reporter.example", (to,), "192.0.2.10", "mail.reporter.example"),
        "raw": raw,
        "received_at": NOON,
    }
    return Arrival(**{**fields, **over})  # type: ignore[arg-type]


def many(count: int, prefix: str = "message") -> list[Arrival]:
    later = timedelta(milliseconds=1)
    return [arrival(f"{prefix} {n}".encode(), received_at=NOON + n * later) for n in range(count)]


def judged(ip: str = "198.51.100.7", at: datetime = NOON, customer: str | None = "C-1042") -> JudgedIncident:
    return JudgedIncident(
        incident=Incident("messaging", "spam"),
        origin=Origin(
            ip_address(ip), Confidence.WITNESSED, "mx.reporter.example says so", 2525, Moment(at), "mx.reporter.example"
        ),
        holder=Holder(HolderKind.OURS, "assigned", ip_network("198.51.100.0/24"), customer),
        decision=Decision(Disposition.NOTIFY_CUSTOMER, ("the origin is witnessed",), Severity.MEDIUM),
    )


def fact(ip: str = "198.51.100.7", at: datetime = NOON) -> NoticeFact:
    return NoticeFact(
        "messaging", "spam", "mail", ip_address(ip), ip_network("198.51.100.0/24"), Moment(at, "minute"), 2525
    )


def finding(value: str | None = "host.example.jp", source: str = "reverse_dns", problem: str | None = None) -> Finding:
    return Finding(source, "name", "198.51.100.7", value, NOON, problem)


def claim_one(store: Store, raw: bytes, **over: object) -> Claim:
    """Accept a message and claim it."""
    (accepted,) = store.accept([arrival(raw, **over)])
    claim = store.claim_submission(accepted.submission, "worker", LEASE)
    assert claim is not None
    return claim


def record(unit: UnitOfWork, reporter: str = "taro@reporter.example", status: Status = Status.DONE) -> str:
    name = unit.record_report(Result("arf", "ja", Identity(reporter), Disposition.NOTIFY_CUSTOMER, "because", status))
    assert name is not None
    return name


def complete(store: Store, claim: Claim, reporter: str = "taro@reporter.example", at: datetime = NOON) -> str:
    """Process *claim* the way the pipeline does, notice included. Gives the notice's id."""
    with store.completing(claim) as unit:
        record(unit, reporter)
        case = unit.open_case("C-1042", "messaging", "spam", Severity.MEDIUM, at)
        unit.add_incident(0, judged(at=at), case.id, fact(at=at))
        return renew_notice(unit, case)


def a_notice(message: bytes, state: OutgoingState = QUEUED, reason: str | None = None) -> Outgoing:
    return Outgoing("notice", message, state, reason)


def a_reply(message: bytes, state: OutgoingState = QUEUED) -> Outgoing:
    return Outgoing("reply", message, state)


def renew_notice(unit: UnitOfWork, case: CaseRecord) -> str:
    taken_up = unit.queued_notice(case.id, unit.now)
    submissions = unit.submissions_of_case(case.id, taken_up.id if taken_up else None)
    return unit.put_notice(
        taken_up.id if taken_up else None,
        case,
        a_notice("\n".join(submissions).encode()),
        submissions,
        unit.now + HOUR,
    )


def child(task: str, settings: StoreSettings, **arguments: object) -> subprocess.Popen[str]:
    """Start `store_child.py` with one *task*; it answers with one JSON document on stdout."""
    job = json.dumps({"url": settings.url, "keys": str(settings.keys), "task": task, **arguments})
    return subprocess.Popen(
        [sys.executable, str(CHILD), job],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer_of(process: subprocess.Popen[str]) -> object:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out)
