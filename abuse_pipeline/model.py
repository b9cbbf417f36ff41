"""The nouns that travel between the rooms: frozen values, no behaviour beyond what follows from their fields.

Times are aware datetimes in UTC. Addresses are `ipaddress` objects. An absence carries its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from abuse_pipeline.mail import Mail

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

Precision = Literal["second", "minute"]
Language = Literal["ja", "en"]


class Channel(StrEnum):
    """How a submission came in."""

    SMTP = "smtp"
    FOLDER = "folder"
    CLI = "cli"


class Status(StrEnum):
    """Where a submission stands. `STAFF`: finished as far as a program can, waiting for a person."""

    PENDING = "pending"
    DONE = "done"
    DUPLICATE = "duplicate"
    STAFF = "staff"


class Confidence(StrEnum):
    """Why an originating address is believed; DESIGN.md, "Trace: who do we believe?"."""

    WITNESSED = "witnessed"
    RELAYED = "relayed"
    REPORTED = "reported"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What the tracer makes of one hop."""

    RECIPIENT_SIDE = "recipient_side"
    HANDOVER = "handover"
    BELIEVED = "believed"
    CLAIMED = "claimed"
    BROKEN = "broken"
    UNREADABLE = "unreadable"


class HolderKind(StrEnum):
    """Whose address it is. `OURS` with no customer means nobody or several held it; the reason says which."""

    OURS = "ours"
    GROUP = "group"
    ELSEWHERE = "elsewhere"
    SPECIAL = "special"
    UNKNOWN = "unknown"


class Disposition(StrEnum):
    """What is to happen, weightiest first: the order decides which one a report with several incidents shows."""

    NOTIFY_CUSTOMER = "notify_customer"
    STAFF = "staff"
    WRITTEN_PROCEDURE = "written_procedure"
    ASK_REPORTER = "ask_reporter"
    REFER_GROUP = "refer_group"
    REFER_ELSEWHERE = "refer_elsewhere"
    NONE = "none"


class Severity(StrEnum):
    """How much harm an incident of this kind does; members in rising order."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class OutgoingState(StrEnum):
    QUEUED = "queued"
    HELD = "held"
    SENT = "sent"
    FAILED = "failed"


class Missing(StrEnum):
    """What a report lacks; each has its paragraph in the reply to the reporter (policy 003)."""

    HEADERS = "headers"
    TIME = "time"
    ZONE = "zone"
    ADDRESS = "address"
    PORT = "port"


@dataclass(frozen=True, slots=True)
class Envelope:
    """RFC 5321 envelope of a submission; for files, `mail_from` is None and there are no recipients.

    mail_from: address without brackets; "" is the null reverse-path. peer: address of the SMTP client.
    """

    mail_from: str | None = None
    rcpt_to: tuple[str, ...] = ()
    peer: str | None = None
    helo: str | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """The raw bytes as taken in, by reference: the bytes themselves stay in the vault.

    digest: ``sha256:`` and 64 hexadecimal digits. source: the path as given, ``#n`` for the n-th of an archive.
    """

    id: str
    received_at: datetime
    channel: Channel
    digest: str
    envelope: Envelope = Envelope()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant and how finely its source told it."""

    at: datetime
    precision: Precision = "second"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reported, in clear. Lives in the vault and in memory while a report is worked on; never printed."""

    address: str | None = None
    name: str | None = None

    def __repr__(self) -> str:
        return "Identity(…)"


@dataclass(frozen=True, slots=True)
class Incident:
    """One alleged act, as a parser found it: claims, not conclusions.

    category, type: XARF v4 words. message: the reported message (or its headers alone) when the report carries one.
    source_*: what the report's own fields claim; source_time_problem says why a stated time could not be used.
    staff_reason: set when this incident must not act by itself (auth-failure, RFC 6591; contradictory fields).
    missing: what the parser knows the report lacks.
    """

    category: str
    type: str
    message: Mail | None = None
    source_ip: IPAddress | None = None
    source_port: int | None = None
    source_time: Moment | None = None
    source_time_problem: str | None = None
    urls: tuple[str, ...] = ()
    feedback_type: str | None = None
    staff_reason: str | None = None
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a parser makes of a submission.

    disposition and reasons: set when the report as a whole has no incident to act on (a bounce, a question to ask).
    machine: the report was written by a program; nobody reads an acknowledgement (RFC 3834 section 2).
    """

    format: str
    incidents: tuple[Incident, ...] = ()
    disposition: Disposition | None = None
    reasons: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    machine: bool = False


@dataclass(frozen=True, slots=True)
class Hop:
    """One Received field. `index` 0 is the newest. An unreadable part is None, with the reason in `defects`.

    authenticated: the line says that the client logged in. envelope_addresses: needles, never output.
    """

    index: int
    raw: str
    helo: str | None = None
    rdns: str | None = None
    ip: IPAddress | None = None
    port: int | None = None
    by: str | None = None
    protocol: str | None = None
    queue_id: str | None = None
    authenticated: bool = False
    stamped_at: Moment | None = None
    defects: tuple[str, ...] = ()
    envelope_addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """A relay's signature that verifies over the message as we have it: DKIM (RFC 6376) or ARC (RFC 8617).

    remote_ip: for ARC, the one client address that the relay's sealed Authentication-Results name; else None.
    """

    kind: Literal["dkim", "arc"]
    domain: str
    selector: str
    remote_ip: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class JudgedHop:
    """A hop with what the tracer makes of it, and why."""

    hop: Hop
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The originating address as far as it can be established.

    witness: the host that recorded it. moment: what that host stamped, never the Date field.
    """

    ip: IPAddress | None
    confidence: Confidence
    reason: str
    port: int | None = None
    moment: Moment | None = None
    witness: str | None = None
    hops: tuple[JudgedHop, ...] = ()

    @classmethod
    def unknown(cls, reason: str, hops: tuple[JudgedHop, ...] = ()) -> Origin:
        return cls(ip=None, confidence=Confidence.UNKNOWN, reason=reason, hops=hops)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who held an address at a moment.

    network: the prefix of ours or of the group company that covers the address. group: key of the group company.
    missing: what more the question must say before it can be answered (a port on a shared address, a time).
    """

    kind: HolderKind
    reason: str
    network: IPNetwork | None = None
    customer: str | None = None
    group: str | None = None
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact that an enricher adds. subject: the address or name asked about. value: text fit for staff, or None
    with the reason of the failure in `problem`."""

    source: str
    name: str
    subject: str
    value: str | None
    as_of: datetime
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to happen with one incident, and why, in sentences for staff."""

    disposition: Disposition
    reasons: tuple[str, ...]
    severity: Severity = Severity.LOW
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedIncident:
    """An incident with everything the desk established about it."""

    incident: Incident
    origin: Origin
    holder: Holder
    decision: Decision
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Customer:
    """One row of customers.csv."""

    key: str
    name: str
    notice_address: str
    language: Language = "ja"


@dataclass(frozen=True, slots=True)
class GroupCompany:
    """One row of group_companies.csv: a sister provider, named in replies with its public contact only."""

    key: str
    name: str
    abuse_contact: str


@dataclass(frozen=True, slots=True)
class NoticeFact:
    """What a notice may say about one incident: our own network facts and the kind of abuse, nothing of the report.

    This is the allow-list of promise 1: a notice is rendered from these fields and from nothing else.
    about: what the incident rests on. "mail" times are rounded, "attack" keeps the minute, "content" gives `location`.
    location: host and path on the customer's own host, only for `about == "content"`.
    """

    category: str
    type: str
    about: Literal["mail", "attack", "content"]
    ip: IPAddress
    network: IPNetwork | None
    moment: Moment | None
    port: int | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A finished message on its way to the outbox. `message` is complete RFC 5322 bytes with CRLF line ends."""

    kind: Literal["notice", "reply"]
    message: bytes = field(repr=False)
    state: OutgoingState = OutgoingState.QUEUED
    reason: str | None = None
