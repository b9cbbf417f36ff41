"""Reports made by the hundred: every one distinct, with the answer that a lone `abuse explain` gives."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

CUSTOMERS = {"192.0.2.7": "C-1042", "192.0.2.18": "C-1043", "192.0.2.34": "C-1051"}
ELSEWHERE = "203.0.113.90"

_REPORT = """\
Return-Path: <{reporter}>
From: {name} <{reporter}>
To: abuse@hosting.example.jp
Subject: =?UTF-8?B?6L+35oOR44Oh44O844Or44Gu5aCx5ZGK?= {number}
Date: {sent}
Message-ID: <{number}.report@reporter{domain}.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b{number}"

--b{number}
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

迷惑メールが届きました。添付をご確認ください。 {number}
--b{number}
Content-Type: message/rfc822

Received: from mail.sender.example (mail.sender.example [{ip}])
	by mx.reporter{domain}.example (Postfix) with ESMTP id Q{number}
	for <{reporter}>; {stamped}
From: news@sender.example
To: {reporter}
Subject: special offer {number}
Date: {stamped}
Message-ID: <{number}.spam@sender.example>

Buy now. {padding}
--b{number}--
"""

_PROSE = """\
Return-Path: <{reporter}>
From: {name} <{reporter}>
To: abuse@hosting.example.jp
Subject: spam {number}
Date: {sent}
Message-ID: <{number}.prose@reporter{domain}.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

I received a spam mail from your network yesterday. Please stop this. {number}
"""


@dataclass(frozen=True)
class Made:
    """One report. customer: whose notice tells of it, None when nobody's. at: when its incident was, in a minute of
    its own."""

    number: int
    raw: bytes
    sender: str
    disposition: str
    customer: str | None
    at: datetime


def made(number: int, kind: str | None = None, size: int = 0) -> Made:
    """The report with this *number*, always the same within a run. kind: an address, or "prose"; size: of padding."""
    kind = kind or random.Random(number).choice([*CUSTOMERS, *CUSTOMERS, ELSEWHERE, "prose"])
    domain = number % 20
    reporter = f"taro{number % 7}@reporter{domain}.example"
    at = _BEGIN + timedelta(minutes=number)
    text = (_PROSE if kind == "prose" else _REPORT).format(
        number=number,
        domain=domain,
        reporter=reporter,
        name=f"Taro Number{domain}",
        sent=format_datetime(at + timedelta(minutes=10)),
        stamped=format_datetime(at),
        ip=kind,
        padding="x" * 60 + ("\n" + "y" * 70) * (size // 71),
    )
    customer = CUSTOMERS.get(kind)
    disposition = {"prose": "ask_reporter", ELSEWHERE: "refer_elsewhere"}.get(kind, "notify_customer")
    return Made(number, text.replace("\n", "\r\n").encode(), reporter, disposition, customer, at)


_BEGIN = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=60)
