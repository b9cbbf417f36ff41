"""From decisions to finished messages: rebuilt from the allow-list of facts, then read by the leak gate.

Nothing of the report reaches a notice except through `fact_of`. The gate's answer decides between queued and held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Network
from typing import Literal

from abuse_pipeline.assess import Assessment
from abuse_pipeline.desk import Desk
from abuse_pipeline.model import (
    Confidence,
    Customer,
    Disposition,
    Envelope,
    HolderKind,
    Identity,
    Incident,
    JudgedIncident,
    Language,
    Moment,
    NoticeFact,
    Outgoing,
    OutgoingState,
    Status,
)
from abuse_pipeline.notices import (
    NoticeRequest,
    ReplyRequest,
    ReplySection,
    ReportedFact,
    compose_notice,
    compose_reply,
    may_reply,
)
from abuse_pipeline.privacy import CommonProperty, Needle, check_leaks, collect_needles, without_common
from abuse_pipeline.trace import registered_domain

WAITING_FOR_APPROVAL = "waits for approval by staff"

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What makes one message unlike another: its id in the outbox, the thread token its receiver sees, its date."""

    id: str
    token: str
    date: datetime


def fact_of(judged: JudgedIncident) -> NoticeFact | None:
    """What a notice may say about *judged*; None when it does not go to a customer."""
    incident, origin = judged.incident, judged.origin
    if judged.decision.disposition is not Disposition.NOTIFY_CUSTOMER or origin.ip is None:
        return None
    return NoticeFact(
        category=incident.category,
        type=incident.type,
        about=_about(incident),
        ip=origin.ip,
        network=judged.holder.network,
        moment=_to_the_minute(origin.moment),
        port=origin.port if origin.confidence is not Confidence.CLAIMED else None,
    )


def _about(incident: Incident) -> Literal["mail", "attack", "content"]:
    """What the incident rests on: a reported message, whatever it is accused of, is mail."""
    if incident.message is None and incident.category in ("connection", "infrastructure", "vulnerability"):
        return "attack"
    return "content" if incident.message is None and incident.category in ("content", "copyright") else "mail"


def _to_the_minute(moment: Moment | None) -> Moment | None:
    """No notice tells more than the minute, so no more is kept for one: the second is a key into a sender's log."""
    return None if moment is None else Moment(moment.at.replace(second=0, microsecond=0), "minute")


def notice_due_at(now: datetime, desk: Desk) -> datetime:
    """When a notice begun *now* is due: after `notices.delay`, at the next full hour.

    Its `Date` is this time. The very second, less a delay that the documentation gives, would be when a complaint came
    in: a sender who watches one recipient knows when that recipient read the mail.
    """
    at = now + desk.settings.notices.delay
    hour = at.replace(minute=0, second=0, microsecond=0)
    return hour if hour == at else hour + _HOUR


def status_of(assessment: Assessment, envelope: Envelope, desk: Desk) -> Status:
    """Done, or waiting for a person: also when we would have to ask the reporter and may not (RFC 3834), since nobody
    would ever look at it again."""
    if assessment.needs_staff:
        return Status.STAFF
    if assessment.disposition is not Disposition.ASK_REPORTER or assessment.mail is None:
        return Status.DONE
    machine = assessment.report is not None and assessment.report.machine
    answerable = not machine and may_reply(assessment.mail, envelope, desk.own_addresses).allowed
    return Status.DONE if answerable else Status.STAFF


def needles_of(assessment: Assessment, raw: bytes, envelope: Envelope, desk: Desk) -> tuple[Needle, ...]:
    """Everything in the submission that could identify its reporter.

    What is common property is told per message when the gate reads it; here only what is ours alone is left out.
    """
    return collect_needles(assessment.mail, raw, envelope, _common_of_provider(desk))


@dataclass(frozen=True, slots=True)
class NoticeMatter:
    """What one notice is about.

    needles_for: the needles that a message of these bytes has yet to be searched for; at first, those of every
    submission behind it. reporter: who sent the newest of them, to see whether they belong to the customer.
    """

    customer: Customer
    facts: tuple[ReportedFact, ...]
    needles_for: Callable[[bytes], Iterable[Needle]]
    reporter: Identity | None = None


def gated_notice(matter: NoticeMatter, desk: Desk, stamp: Stamp) -> Outgoing:
    """The notice of *matter*; held when the gate finds anything of a reporter in it, or when staff must look first."""
    notices = desk.settings.notices
    message = compose_notice(
        NoticeRequest(
            provider=desk.provider,
            customer=matter.customer,
            facts=matter.facts,
            minimum_reporters=notices.minimum_reporters,
            time_precision=notices.time_precision,
            zone=desk.settings.provider.zone,
            message_id=_message_id(desk, stamp),
            date=stamp.date,
            token=stamp.token,
        )
    )
    reason = _why_held(matter, message, desk)
    return Outgoing("notice", message, OutgoingState.HELD if reason else OutgoingState.QUEUED, reason)


def _why_held(matter: NoticeMatter, message: bytes, desk: Desk) -> str | None:
    verdict = check_leaks(message, without_common(matter.needles_for(message), _common_with(matter, desk)))
    if not verdict.passed:
        return f"leak gate: {verdict.reason}"
    if belongs_to(matter.customer, matter.reporter):
        return "the reporter's domain is the customer's own: a person has to decide whether a notice is safe"
    return WAITING_FOR_APPROVAL if desk.settings.notices.approval == "staff" else None


def belongs_to(customer: Customer, reporter: Identity | None) -> bool:
    """A customer's own employee or user reported: the leak gate takes the customer's domain for common property."""
    if reporter is None or not reporter.address:
        return False
    theirs = registered_domain(customer.notice_address.rpartition("@")[2])
    return theirs is not None and registered_domain(reporter.address.rpartition("@")[2]) == theirs


def gated_reply(assessment: Assessment, envelope: Envelope, desk: Desk, stamp: Stamp) -> Outgoing | None:
    """The answer to the reporter, or None when there is nothing to say or nobody whom we may answer (RFC 3834).

    The gate's mirror: a reporter never learns who the customer is (Telecommunications Business Act, article 4).
    """
    sections = reply_sections(assessment, desk)
    if not sections or assessment.mail is None or (assessment.report is not None and assessment.report.machine):
        return None
    permission = may_reply(assessment.mail, envelope, desk.own_addresses)
    if not permission.allowed or permission.to is None:
        return None
    message = compose_reply(
        ReplyRequest(
            provider=desk.provider,
            to_address=permission.to,
            in_reply_to=assessment.mail.header("Message-ID"),
            references=tuple((assessment.mail.header("References") or "").split()),
            language=reply_language(assessment, desk),
            sections=sections,
            message_id=_message_id(desk, stamp),
            date=stamp.date,
            zone=desk.settings.provider.zone,
            token=stamp.token,
        )
    )
    verdict = check_leaks(message, _needles_of_customers(assessment, desk))
    if not verdict.passed:
        return Outgoing("reply", message, OutgoingState.HELD, f"leak gate: {verdict.reason}")
    return Outgoing("reply", message)


def reply_language(assessment: Assessment, desk: Desk) -> Language:
    """The reporter's language where we speak it, else the first that we do; English for scripts we do not read."""
    ours = desk.settings.provider.languages
    if assessment.language == "ja" and "ja" in ours:
        return "ja"
    if assessment.language in ("en", "other") and "en" in ours:
        return "en"
    return ours[0]


_ANSWERED = (
    Disposition.NOTIFY_CUSTOMER,
    Disposition.ASK_REPORTER,
    Disposition.REFER_GROUP,
    Disposition.REFER_ELSEWHERE,
    Disposition.WRITTEN_PROCEDURE,
)


def reply_sections(assessment: Assessment, desk: Desk) -> tuple[ReplySection, ...]:
    """What the reply has to say: one section per distinct outcome, weightiest first."""
    if not assessment.incidents:
        missing = assessment.report.missing if assessment.report else ()
        answered = assessment.disposition in _ANSWERED
        return (ReplySection(assessment.disposition, missing),) if answered else ()
    sections = [_section_of(judged, desk) for judged in assessment.incidents]
    answered_sections = dict.fromkeys(section for section in sections if section.disposition in _ANSWERED)
    order = list(Disposition)
    return tuple(sorted(answered_sections, key=lambda section: order.index(section.disposition)))


def _section_of(judged: JudgedIncident, desk: Desk) -> ReplySection:
    group = desk.table.group_companies.get(judged.holder.group) if judged.holder.group else None
    contact = None
    if judged.holder.kind in (HolderKind.ELSEWHERE, HolderKind.SPECIAL):
        contact = next((f.value for f in judged.findings if f.name == "abuse_contact" and f.value), None)
    referral = judged.decision.disposition in (Disposition.REFER_GROUP, Disposition.REFER_ELSEWHERE)
    return ReplySection(
        disposition=judged.decision.disposition,
        missing=judged.decision.missing,
        group_company=group,
        abuse_contact=contact,
        # From the reporter's own report; without it, who reported several cannot tell which one is meant.
        address=judged.origin.ip if referral else None,
    )


def _message_id(desk: Desk, stamp: Stamp) -> str:
    return f"<{stamp.id}@{desk.settings.provider.abuse_address.rpartition('@')[2]}>"


def _common_of_provider(desk: Desk) -> CommonProperty:
    provider = desk.settings.provider
    strings = {provider.name, *desk.own_addresses, *(address.rpartition("@")[2] for address in desk.own_addresses)}
    return CommonProperty(frozenset(strings), frozenset(), ())


def _common_with(matter: NoticeMatter, desk: Desk) -> CommonProperty:
    """What the customer knows already: who they are, who we are, and which addresses they hold."""
    strings = _common_of_provider(desk).strings | _strings_of(matter.customer)
    facts = [reported.fact for reported in matter.facts]
    theirs = [fact.network for fact in facts if fact.network is not None]
    # A notice about mail shows these instead of the addresses in them.
    shown = [IPv6Network((fact.ip, 64), strict=False) for fact in facts if fact.ip.version == 6]
    return CommonProperty(strings, frozenset(fact.ip for fact in facts), tuple(dict.fromkeys([*theirs, *shown])))


def _strings_of(customer: Customer) -> frozenset[str]:
    address = customer.notice_address
    return frozenset({customer.key, customer.name, address, address.rpartition("@")[2]})


def _needles_of_customers(assessment: Assessment, desk: Desk) -> tuple[Needle, ...]:
    """What would tell a reporter which customer it was."""
    keys = {judged.holder.customer for judged in assessment.incidents if judged.holder.customer}
    customers = [desk.table.customers[key] for key in sorted(keys)]
    needles = [Needle(text, "the customer's data") for customer in customers for text in sorted(_strings_of(customer))]
    return without_common(needles, _common_of_provider(desk))
