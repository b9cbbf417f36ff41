"""Requests to try notices and replies with, and the readable form of a finished message."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address, ip_network
from typing import Any
from zoneinfo import ZoneInfo

from abuse_pipeline.model import Customer, Disposition, GroupCompany, Missing, Moment, NoticeFact
from abuse_pipeline.notices import NoticeRequest, ProviderFacts, ReplyRequest, ReplySection, ReportedFact

TOKYO = ZoneInfo("Asia/Tokyo")
PROVIDER = ProviderFacts("サンプルホスティング", "abuse@hosting.example.jp")
ENGLISH_PROVIDER = ProviderFacts("Example Hosting", "abuse@hosting.example.jp")
POSTAL = "〒100-0000\n東京都千代田区見本町1-2-3\nサンプルホスティング株式会社 宛"
JAPANESE = Customer("C-1042", "株式会社見本商事", "admin@mihon.example")
ENGLISH = Customer("C-7", "Example Corp", "noc@corp.example", "en")

SPAM = NoticeFact(
    category="messaging",
    type="spam",
    about="mail",
    ip=ip_address("192.0.2.7"),
    network=ip_network("192.0.2.0/28"),
    moment=Moment(datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)),
    port=43210,
)
ATTACK = replace(SPAM, category="connection", type="login_attack", about="attack", port=50022)
CONTENT = replace(
    SPAM,
    category="content",
    type="phishing",
    about="content",
    location="https://taro:pw@shop.mihon.example/bank/9f8e7d6c5b4a/login.html?u=taro%40reporter.example#taro",
)


def reported(*facts: NoticeFact, by: int) -> tuple[ReportedFact, ...]:
    """Each fact once, from *by* reporters in turn."""
    return tuple(ReportedFact(fact, 1, frozenset({number % by})) for number, fact in enumerate(facts))


def notice_request(*facts: NoticeFact, reporters: int = 1, **changes: Any) -> NoticeRequest:
    """reporters: how many there are behind *facts*, which came from them in turn."""
    request = NoticeRequest(
        provider=PROVIDER,
        customer=JAPANESE,
        facts=reported(*(facts or (SPAM,)), by=reporters),
        minimum_reporters=5,
        time_precision="hour",
        zone=TOKYO,
        message_id="n-1",
        date=datetime(2026, 11, 21, 6, tzinfo=UTC),
        token="K7Q2M9",
    )
    return replace(request, **changes)


def reply_request(*sections: ReplySection, **changes: Any) -> ReplyRequest:
    request = ReplyRequest(
        provider=PROVIDER,
        to_address="taro@reporter.example",
        language="ja",
        sections=sections,
        message_id="r-1",
        date=datetime(2026, 11, 21, 6, tzinfo=UTC),
        zone=TOKYO,
        token="T3X8",
        in_reply_to="<report-1@reporter.example>",
    )
    return replace(request, **changes)


ACKNOWLEDGE = ReplySection(Disposition.NOTIFY_CUSTOMER)
ASK = ReplySection(Disposition.ASK_REPORTER, (Missing.HEADERS,))
WRITTEN = ReplySection(Disposition.WRITTEN_PROCEDURE)
GROUP = ReplySection(
    Disposition.REFER_GROUP, group_company=GroupCompany("gx", "グループ例株式会社", "abuse@group.example")
)
ELSEWHERE = ReplySection(
    Disposition.REFER_ELSEWHERE, abuse_contact="abuse@other.example", address=ip_address("203.0.113.9")
)


def parsed(message: bytes) -> EmailMessage:
    found = message_from_bytes(message, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def body(message: bytes) -> str:
    return str(parsed(message).get_content()).replace("\r\n", "\n")


def readable(message: bytes) -> str:
    """The message as its reader sees it: decoded fields, a blank line, the body."""
    fields = "".join(f"{name}: {value}\n" for name, value in parsed(message).items())
    return fields + "\n" + body(message)
