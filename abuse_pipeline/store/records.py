"""What goes into the store and what comes out of it: frozen values.

Times are aware datetimes in UTC. A reporter is its pseudonym everywhere but in `Arrival` and in raw or rendered bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from abuse_pipeline.model import (
    Channel,
    Confidence,
    Disposition,
    Envelope,
    Finding,
    HolderKind,
    Identity,
    IPAddress,
    IPNetwork,
    Moment,
    NoticeFact,
    OutgoingState,
    Severity,
    Status,
    Submission,
)

CaseState = Literal["open", "closed"]
OutgoingKind = Literal["notice", "reply"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as it came in, before it is stored. source: the path as given, ``#n`` for the n-th of an archive."""

    channel: Channel
    envelope: Envelope = field(repr=False)
    raw: bytes = field(repr=False)
    received_at: datetime
    source: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What `Store.accept` made of one arrival; it is durable.

    duplicate_of: None for a new submission. Equal to `submission` when the same bytes came with the same envelope
    (nothing was stored); else the submission that first brought these bytes.
    """

    submission: str
    digest: str
    duplicate_of: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A submission that a worker holds until its lease runs out. attempts: how often it was claimed, this time too."""

    submission: Submission = field(repr=False)
    raw: bytes = field(repr=False)
    token: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a submission turned out to be. status: DONE or STAFF. reporter: goes to the vault."""

    format: str | None
    language: str | None
    reporter: Identity | None
    disposition: Disposition | None
    reason: str | None
    status: Status


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """Where a submission stands. reporter: pseudonym. format, language, disposition: None until it was processed."""

    id: str
    received_at: datetime
    channel: Channel
    digest: str
    status: Status
    duplicate_of: str | None = None
    format: str | None = None
    language: str | None = None
    reporter: str | None = None
    disposition: Disposition | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """Incidents of one kind at one customer. first_at, last_at: the earliest and latest incident."""

    id: str
    customer: str
    category: str
    type: str
    state: CaseState
    severity: Severity
    incidents: int
    first_at: datetime
    last_at: datetime
    assignee: str | None = None


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One line of a case's history, which only grows. who: a member of staff, or "desk" for the program."""

    at: datetime
    who: str
    action: str
    text: str


@dataclass(frozen=True, slots=True)
class QueuedNotice:
    """A notice that has not left yet and takes up later incidents of its case. reason: why it is held, when it is."""

    id: str
    message: bytes = field(repr=False)
    submissions: tuple[str, ...]
    due_at: datetime
    held: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """An outgoing message without its bytes. customer: None on a reply; reporter (pseudonym): None on a notice."""

    id: str
    kind: OutgoingKind
    state: OutgoingState
    case: str | None
    customer: str | None
    reporter: str | None
    submissions: tuple[str, ...]
    due_at: datetime
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CaseFact:
    """What a notice may state: a fact, how often it was reported, and by which independent reporters.

    voices: names that mean nothing outside, not all of them when there are very many.
    """

    fact: NoticeFact
    number: int
    voices: frozenset[str]


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """One incident as staff sees it; fields as in `Incident`, `Origin`, `Holder` and `Decision`."""

    id: str
    submission: str
    reporter: str | None
    case: str | None
    category: str
    type: str
    ip: IPAddress | None
    port: int | None
    moment: Moment | None
    confidence: Confidence
    holder: HolderKind
    network: IPNetwork | None
    customer: str | None
    disposition: Disposition
    severity: Severity
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of what there is. Keys are the values of `Status`, "open"/"closed", and (kind, state).

    claimed: pending submissions whose lease runs. oldest_pending: when the one that waits longest came in.
    """

    submissions: dict[str, int]
    cases: dict[str, int]
    outgoing: dict[tuple[str, str], int]
    claimed: int
    oldest_pending: datetime | None
