"""The reply to a reporter: an honest answer that names no customer, quotes nothing and promises no date (RFC 3834)."""

from __future__ import annotations

import re
from dataclasses import replace

from abuse_pipeline.model import Disposition, Language
from abuse_pipeline.notices.envelope import Letter, Mailbox, one_line, plain_message_ids, write_letter
from abuse_pipeline.notices.notice import LOOP_HEADER, checked_token
from abuse_pipeline.notices.render import render
from abuse_pipeline.notices.requests import ReplyRequest, ReplySection

_ANSWERED = (
    Disposition.NOTIFY_CUSTOMER,
    Disposition.WRITTEN_PROCEDURE,
    Disposition.ASK_REPORTER,
    Disposition.REFER_GROUP,
    Disposition.REFER_ELSEWHERE,
)
_REFERRALS = (Disposition.REFER_GROUP, Disposition.REFER_ELSEWHERE)
_MOST_REFERENCES = 20
_MOST_ADDRESSES = 10

_SUBJECTS: dict[Language, dict[Disposition | None, str]] = {
    "ja": {
        Disposition.NOTIFY_CUSTOMER: "迷惑行為のご申告を受け付けました",
        Disposition.WRITTEN_PROCEDURE: "書面によるお手続きのご案内",
        Disposition.ASK_REPORTER: "迷惑行為のご申告について（追加情報のお願い）",
        Disposition.REFER_GROUP: "迷惑行為のご申告について（お問い合わせ先のご案内）",
        Disposition.REFER_ELSEWHERE: "迷惑行為のご申告について（お問い合わせ先のご案内）",
        None: "迷惑行為のご申告について",
    },
    "en": {
        Disposition.NOTIFY_CUSTOMER: "We have received your abuse report",
        Disposition.WRITTEN_PROCEDURE: "How to file your request in writing",
        Disposition.ASK_REPORTER: "Your abuse report: we need more information",
        Disposition.REFER_GROUP: "Your abuse report: where to send it",
        Disposition.REFER_ELSEWHERE: "Your abuse report: where to send it",
        None: "Your abuse report",
    },
}


def compose_reply(request: ReplyRequest) -> bytes:
    """The finished reply: RFC 5322, CRLF line ends, 7-bit clean, the same bytes for the same request.

    Raises ValueError when there is no section, when a section has a disposition that is not answered (`staff`, `none`),
    or when the token, the message id or an address cannot stand in a header field.
    """
    sections = _in_order(request.sections)
    kinds = {section.disposition for section in sections}
    subject = _SUBJECTS[request.language][sections[0].disposition if len(kinds) == 1 else None]
    return write_letter(
        Letter(
            sender=Mailbox(request.provider.abuse_address, request.provider.name),
            recipient=Mailbox(request.to_address),
            subject=f"{subject} [{checked_token(request.token)}]",
            date=request.date.astimezone(request.zone),
            message_id=request.message_id,
            language=request.language,
            body=render("reply", request.language, _values(request, sections)),
            extra=(*_thread(request), ("Auto-Submitted", "auto-replied"), (LOOP_HEADER, "1")),
        )
    )


def all_subjects() -> tuple[str, ...]:
    """Every subject, for the list of common property."""
    return tuple(text for table in _SUBJECTS.values() for text in table.values())


def _in_order(sections: tuple[ReplySection, ...]) -> tuple[ReplySection, ...]:
    """Weightiest first, each answer once: a report of fifty messages to one network gets one paragraph, and what is
    missing in any of them is asked together."""
    if not sections or any(section.disposition not in _ANSWERED for section in sections):
        raise ValueError("a reply needs sections, each with a disposition that is answered")
    missing = tuple(dict.fromkeys(kind for section in sections for kind in section.missing))
    alike = (replace(s, missing=missing if s.disposition is Disposition.ASK_REPORTER else ()) for s in sections)
    unique = dict.fromkeys(alike)
    return tuple(sorted(unique, key=lambda section: _ANSWERED.index(section.disposition)))


def _values(request: ReplyRequest, sections: tuple[ReplySection, ...]) -> dict[str, object]:
    postal = request.provider.postal_address
    return {
        "provider": one_line(request.provider.name),
        "abuse_address": request.provider.abuse_address,
        "postal_lines": [one_line(line) for line in postal.splitlines() if line.strip()] if postal else [],
        "sections": [_section(section, addresses) for section, addresses in _by_answer(sections)],
        "several": len({section.disposition for section in sections}) > 1,
        "missing": sorted({str(kind) for section in sections for kind in section.missing}),
        "to_be_worked_on": any(section.disposition not in _REFERRALS for section in sections),
        "token": request.token,
    }


def _by_answer(sections: tuple[ReplySection, ...]) -> list[tuple[ReplySection, list[str]]]:
    """Each answer once, with the addresses that it is about; a referral alone names them."""
    answers: dict[ReplySection, list[str]] = {}
    for section in sections:
        addresses = answers.setdefault(replace(section, address=None), [])
        if section.address is not None and section.disposition in _REFERRALS:
            addresses.append(str(section.address))
    return [(section, list(dict.fromkeys(addresses))) for section, addresses in answers.items()]


def _section(section: ReplySection, addresses: list[str]) -> dict[str, object]:
    group = section.group_company
    return {
        "disposition": str(section.disposition),
        "company": one_line(group.name) if group else "",
        "company_contact": one_line(group.abuse_contact) if group else "",
        "contact": _contact(section.abuse_contact),
        "addresses": addresses[:_MOST_ADDRESSES],
        "more": max(0, len(addresses) - _MOST_ADDRESSES),
    }


def _contact(contact: str | None) -> str:
    """A contact as a registry gave it, when it is a mail address or a web address and nothing more."""
    text = (contact or "").strip()
    fit = re.fullmatch(r"(?:https?://|mailto:)?[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]{3,250}", text)
    return text.removeprefix("mailto:") if fit else ""


def _thread(request: ReplyRequest) -> tuple[tuple[str, str], ...]:
    """In-Reply-To and References (RFC 5322 section 3.6.4), as far as the report gave real message ids."""
    parent = plain_message_ids([request.in_reply_to or ""])
    earlier = plain_message_ids(request.references)
    chain = tuple(dict.fromkeys((*earlier, *parent)))
    chain = chain[:1] + chain[1:][-_MOST_REFERENCES:]
    fields = (("In-Reply-To", parent), ("References", chain))
    return tuple((name, "\r\n ".join(ids)) for name, ids in fields if ids)
