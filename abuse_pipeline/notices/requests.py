"""What a notice and a reply may be made of. These fields are the allow-list: nothing else reaches a template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from abuse_pipeline.model import Customer, Disposition, GroupCompany, IPAddress, Language, Missing, NoticeFact

TimePrecision = Literal["minute", "hour", "day"]


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    """Who we are. postal_address: where written requests go, several lines allowed; None leaves the sentence out."""

    name: str
    abuse_address: str
    postal_address: str | None = None


@dataclass(frozen=True, slots=True)
class ReportedFact:
    """A fact, how often it was reported, and who its independent reporters are: numbers that mean nothing beyond which
    of them are the same person. Never shown; a line of a notice tells more only when it rests on enough of them."""

    fact: NoticeFact
    number: int
    reporters: frozenset[int]


@dataclass(frozen=True, slots=True)
class NoticeRequest:
    """Everything that one notice to a customer is made of.

    token: the customer's own thread, never shown to a reporter.
    message_id: with or without angle brackets; without "@" it is completed with the provider's domain.
    date: aware. zone: the provider's zone; every time is shown in it.
    """

    provider: ProviderFacts
    customer: Customer
    facts: tuple[ReportedFact, ...]
    minimum_reporters: int
    time_precision: TimePrecision
    zone: ZoneInfo
    message_id: str
    date: datetime
    token: str


@dataclass(frozen=True, slots=True)
class ReplySection:
    """What one part of a reply says.

    missing: with `ask_reporter`. group_company: with `refer_group`. abuse_contact: with `refer_elsewhere`, the public
    contact of the responsible network when it is known. address: with the two referrals, the address in question; it is
    left out with every other disposition, where it could lead to a customer.
    """

    disposition: Disposition
    missing: tuple[Missing, ...] = ()
    group_company: GroupCompany | None = None
    abuse_contact: str | None = None
    address: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """Everything that one reply to a reporter is made of. It has no field that could name a customer.

    in_reply_to, references: message ids of the report; what is not a plain message id is left out.
    token: the reporter's own thread, never shown to a customer.
    """

    provider: ProviderFacts
    to_address: str
    language: Language
    sections: tuple[ReplySection, ...]
    message_id: str
    date: datetime
    zone: ZoneInfo
    token: str
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
