"""The notice to a customer: what our own records and the kind of abuse say, and nothing of the report."""

from __future__ import annotations

import re

from abuse_pipeline.model import Language
from abuse_pipeline.notices.envelope import Letter, Mailbox, one_line, write_letter
from abuse_pipeline.notices.periods import notice_rows
from abuse_pipeline.notices.render import render
from abuse_pipeline.notices.requests import NoticeRequest

LOOP_HEADER = "X-Abuse-Desk"

_COMPANY = re.compile(
    r"株式会社|有限会社|合同会社|合資会社|合名会社|法人|組合|協会|機構|大学|学校|役所|病院|[（(][株有同][)）]"
)

_SUBJECTS: dict[Language, dict[str, str]] = {
    "ja": {
        "mail": "【要対応】迷惑メール送信に関するご確認のお願い",
        "attack": "【要対応】不正な通信に関するご確認のお願い",
        "content": "【要対応】掲載コンテンツに関するご確認のお願い",
        "mixed": "【要対応】迷惑行為（Abuse行為）に関するご確認のお願い",
    },
    "en": {
        "mail": "Action required: complaint about mail from your server",
        "attack": "Action required: complaint about traffic from your server",
        "content": "Action required: complaint about content on your server",
        "mixed": "Action required: abuse complaints about your server",
    },
}


def compose_notice(request: NoticeRequest) -> bytes:
    """The finished notice: RFC 5322, CRLF line ends, 7-bit clean, the same bytes for the same request.

    It is made of the fields of *request* alone. Raises ValueError when there is no fact to tell, or when the token, the
    message id or an address cannot stand in a header field.
    """
    if not request.facts:
        raise ValueError("a notice needs at least one fact")
    language = request.customer.language
    matter = _matter(request)
    token = checked_token(request.token)
    return write_letter(
        Letter(
            sender=Mailbox(request.provider.abuse_address, request.provider.name),
            recipient=Mailbox(request.customer.notice_address, request.customer.name),
            subject=f"{_SUBJECTS[language][matter]} [{token}]",
            date=request.date.astimezone(request.zone),
            message_id=request.message_id,
            language=language,
            body=render("notice", language, _values(request, matter)),
            extra=(("Auto-Submitted", "auto-generated"), (LOOP_HEADER, "1")),
        )
    )


def checked_token(token: str) -> str:
    """*token* when it is fit for a subject. Raises ValueError otherwise."""
    if not re.fullmatch(r"[A-Za-z0-9-]{1,40}", token):
        raise ValueError("a thread token is 1 to 40 letters, digits and hyphens")
    return token


def all_subjects() -> tuple[str, ...]:
    """Every subject, for the list of common property."""
    return tuple(text for table in _SUBJECTS.values() for text in table.values())


def _matter(request: NoticeRequest) -> str:
    """What subject and opening speak of. Mail that is complained about for what it carries (malware, a link to a false
    site) is not called unsolicited: nobody said so."""
    facts = [reported.fact for reported in request.facts]
    about = {fact.about for fact in facts}
    plain = all(fact.about != "mail" or fact.category == "messaging" for fact in facts)
    return next(iter(about)) if len(about) == 1 and plain else "mixed"


def _values(request: NoticeRequest, matter: str) -> dict[str, object]:
    rows, more = notice_rows(request)
    customer = one_line(request.customer.name)
    return {
        "provider": one_line(request.provider.name),
        "abuse_address": request.provider.abuse_address,
        "customer": customer,
        "customer_title": "御中" if _COMPANY.search(customer) else "様",
        "customer_key": one_line(request.customer.key),
        "about": sorted({reported.fact.about for reported in request.facts}),
        "advertising": any(reported.fact.category == "messaging" for reported in request.facts),
        "matter": matter,
        "rows": [{name: getattr(row, name) for name in row.__slots__} for row in rows],
        "located": any(row.location for row in rows),
        "more": more,
        "zone": _zone_name(request),
        "token": request.token,
    }


def _zone_name(request: NoticeRequest) -> str:
    """The zone in words: the Japanese reader expects 日本標準時(JST)."""
    if request.zone.key == "Asia/Tokyo":
        return "日本標準時（JST）" if request.customer.language == "ja" else "Japan Standard Time (JST, UTC+09:00)"
    return one_line(request.zone.key)
