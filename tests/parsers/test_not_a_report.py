"""What nobody wrote is told from what programs report."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from abuse_pipeline.api import Disposition, Mail, MailLimits, ParseContext, read_mail
from parsers.arf import ArfParser
from parsers.forwarded_attachment import ForwardedAttachmentParser
from parsers.not_a_report import NotAReportParser
from parsers.prose import ProseParser

CORPUS = Path(os.environ.get("ABUSE_CORPUS", Path(__file__).parents[2] / "../shared/corpus"))
CONTEXT = ParseContext(limits=MailLimits(), own_addresses=frozenset({"abuse@hosting.example.jp"}))
PARSERS = {
    "arf": ArfParser(),
    "forwarded_attachment": ForwardedAttachmentParser(),
    "not_a_report": NotAReportParser(),
    "prose": ProseParser(),
}
EMBEDDED = (
    "\n--b\nContent-Type: message/rfc822\n\nReceived: from a.example.com ([192.0.2.7]) by b.example.net; "
    "Fri, 20 Nov 2026 14:03:12 +0900\nSubject: x\n\nbuy\n--b--\n"
)
MIXED = "Content-Type: multipart/mixed; boundary=b\n"


def read(text: str) -> Mail:
    return read_mail(text.encode().replace(b"\n", b"\r\n"), MailLimits())


def winner(mail: Mail) -> str:
    bids = {name: parser.recognise(mail, CONTEXT).strength for name, parser in PARSERS.items()}
    return max(bids, key=lambda name: bids[name])


def message(head: str, subject: str = "hello", body: str = "text", sender: str = "taro@example.net") -> str:
    return f"{head}From: {sender}\nSubject: {subject}\nMIME-Version: 1.0\n\n{body}\n"


DAEMON = "Mail Delivery System <MAILER-DAEMON@mx.example.net>"
NOT_REPORTS = {
    "dsn": "From: postmaster@example.net\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
    "--b\n\nfailed\n--b\nContent-Type: message/delivery-status\n\nAction: failed\n" + EMBEDDED,
    "dsn without its type": f"From: x@example.net\n{MIXED}\n"
    f"--b\nContent-Type: message/delivery-status\n\nAction: failed\n{EMBEDDED}",
    "mdn": "From: hanako@example.net\nContent-Type: multipart/report; "
    "report-type=disposition-notification; boundary=b\n\n"
    "--b\n\nread\n--b\nContent-Type: message/disposition-notification\n\nDisposition: displayed\n--b--\n",
    "daemon": f"From: {DAEMON}\nSubject: failure\n{MIXED}\n--b\n\nsorry\n{EMBEDDED}",
    "daemon, japanese": message("", "メールエラー通知", "あて先のユーザーが存在しません", sender=DAEMON),
    "null sender": message(
        "Return-Path: <>\n", "E", "Your message did not reach the following recipients", "s@example.net"
    ),
    "no-reply and subject": message("", "メールエラー通知", "お届けできませんでした", "no-reply@example.net"),
    "postmaster and subject": message("", "failure notice", "sorry", "postmaster@example.net"),
    "empty from": "Return-Path: <>\nFrom: <>\nSubject: failure notice\n\nsorry\n",
    "half-width subject": message("Return-Path: <>\n", "ﾒｰﾙ配信ｴﾗｰ", "x", "postmaster@example.net"),
    "auto-replied": message("Auto-Submitted: auto-replied (vacation)\n", "迷惑メールの件"),
    "x-autoreply": message("X-Autoreply: yes\n"),
    "precedence": message("Precedence: auto_reply\n"),
    "out of office": message("", "Out of Office: your mail"),
    "jidou henshin": message("", "【自動返信】お問い合わせありがとうございます"),
    "jidou outou, our subject": message("", "自動応答: Re: 迷惑メールのご報告について"),
    "fuzai": message("", "不在のお知らせ"),
    "kyuuka": message("", "夏季休暇のお知らせ"),
    "kaifuu": message("", "開封済み: ご連絡"),
    "own sender": message("Auto-Submitted: auto-generated\n", sender="Abuse Desk <ABUSE@hosting.example.jp>"),
    "own loop header": message("X-Abuse-Desk: 1\n"),
    "challenge": message("", "Please confirm your message"),
    "challenge, japanese": message("", "送信者認証のお願い"),
}
REPORTS = {
    "arf, auto-submitted": (
        "arf",
        (
            "Auto-Submitted: auto-generated\nReturn-Path: <>\nFrom: fbl@example.net\n"
            "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
            f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n{EMBEDDED}"
        ),
    ),
    "arf with our own sender": (
        "arf",
        (
            "From: abuse@hosting.example.jp\n"
            "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
            f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n{EMBEDDED}"
        ),
    ),
    "machine with attached spam": (
        "forwarded_attachment",
        (
            "Auto-Submitted: auto-generated\nReturn-Path: <>\nFrom: no-reply@example.net\nSubject: Case 7\n"
            f"{MIXED}\n--b\n\nsee\n{EMBEDDED}"
        ),
    ),
    "auto-replied with attached spam": (
        "forwarded_attachment",
        f"Auto-Submitted: auto-replied\nFrom: robot@example.net\nSubject: Case 7\n{MIXED}\n--b\n\nsee\n{EMBEDDED}",
    ),
    "person with attached spam": (
        "forwarded_attachment",
        f"From: taro@example.net\nSubject: 自動返信を装う迷惑メール\n{MIXED}\n--b\n\n迷惑\n{EMBEDDED}",
    ),
    "log report of a program": (
        "prose",
        message(
            "Auto-Submitted: auto-generated\n",
            "Abuse from 192.0.2.7",
            "Failed password for root",
            "no-reply@example.net",
        ),
    ),
    "complaint about bounces": ("prose", message("", "配信エラーの迷惑メールが届きます", "身に覚えがありません")),
    "complaint about auto-replies": ("prose", message("", "自動返信メールが大量に届く被害")),
    "spam complaint by postmaster": (
        "prose",
        message("", "Spam from your network", "please stop", "postmaster@example.net"),
    ),
    "dmarc failure without a feedback part": (
        "prose",
        (
            "Auto-Submitted: auto-replied\nFrom: no-reply@example.net\nSubject: DMARC Forensic Report\n"
            "Content-Type: multipart/report; boundary=b\n\n--b\n\nfailed\n--b--\n"
        ),
    ),
    "null sender alone": ("prose", message("Return-Path: <>\n", "Report", "spam from 192.0.2.7")),
}


@pytest.mark.parametrize("name", NOT_REPORTS)
def test_what_nobody_wrote_gets_no_answer(name: str) -> None:
    mail = read(NOT_REPORTS[name])
    assert winner(mail) == "not_a_report"
    report = NotAReportParser().parse(mail, CONTEXT)
    assert (report.disposition, report.incidents) == (Disposition.NONE, ())
    assert report.reasons[0]
    assert "example" not in report.reasons[0]


@pytest.mark.parametrize("name", REPORTS)
def test_reports_are_not_swallowed(name: str) -> None:
    expected, text = REPORTS[name]
    mail = read(text)
    assert winner(mail) == expected
    assert NotAReportParser().recognise(mail, CONTEXT).strength == 0


def test_without_a_sign_of_its_own_a_message_goes_to_staff() -> None:
    report = NotAReportParser().parse(read(message("", "迷惑メールの件")), CONTEXT)
    assert report.disposition is Disposition.STAFF


@pytest.mark.skipif(not (CORPUS / "MANIFEST.tsv").exists(), reason="no corpus: set ABUSE_CORPUS")
def test_every_bounce_of_the_corpus() -> None:
    rows = [line.split("\t") for line in (CORPUS / "MANIFEST.tsv").read_text().splitlines()]
    bounces = [row[0] for row in rows if row[7] in {"bounce-japanese", "bounce-embedded-original"}]
    assert len(bounces) == 40
    missed = [
        name for name in bounces if winner(read_mail((CORPUS / name).read_bytes(), MailLimits())) != "not_a_report"
    ]
    assert missed == []


def test_a_null_envelope_sender_counts_like_a_null_return_path() -> None:
    bounce = read(message("", "Undelivered Mail", sender="Post <post@mx.example.net>"))
    parser = NotAReportParser()
    assert parser.recognise(bounce, CONTEXT).strength == 0
    assert parser.recognise(bounce, replace(CONTEXT, null_sender=True)).strength > 0
