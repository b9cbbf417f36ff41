"""Spam forwarded as attachment, in every dress that mail programs give it."""

from __future__ import annotations

import base64
import html

import pytest

from abuse_pipeline.api import MailLimits, MalformedReport, Missing, ParseContext, Report, read_mail
from parsers.forwarded_attachment import ForwardedAttachmentParser

CONTEXT = ParseContext(limits=MailLimits(), own_addresses=frozenset({"abuse@hosting.example.jp"}))
PARSER = ForwardedAttachmentParser()
SPAM = (
    "Received: from mail.example.com (mail.example.com [192.0.2.7])\n"
    "\tby mx.example.net with ESMTP id 1; Fri, 20 Nov 2026 14:03:12 +0900\n"
    "From: sender@example.com\nTo: taro@example.net\nSubject: offer\n\nbuy\n"
)


def multipart(
    *parts: str,
    sender: str = "taro@example.net",
    subject: str = "迷惑メールの件",
    kind: str = "multipart/mixed",
    head: str = "",
) -> str:
    boundary = f"b{len(''.join(parts))}"
    body = "".join(f"--{boundary}\n{part}\n" for part in parts)
    return (
        f"{head}From: {sender}\nSubject: {subject}\nMIME-Version: 1.0\n"
        f"Content-Type: {kind}; boundary={boundary}\n\n{body}--{boundary}--\n"
    )


def attached(message: str, kind: str = "message/rfc822") -> str:
    return f"Content-Type: {kind}\n\n{message}"


def saved(message: str | bytes, name: str, kind: str = "application/octet-stream") -> str:
    raw = message.encode() if isinstance(message, str) else message
    encoded = base64.encodebytes(raw).decode()
    return (
        f'Content-Type: {kind}\nContent-Disposition: attachment; filename="{name}"\n'
        f"Content-Transfer-Encoding: base64\n\n{encoded}"
    )


def strength(text: str) -> int:
    return PARSER.recognise(read_mail(text.encode().replace(b"\n", b"\r\n"), MailLimits()), CONTEXT).strength


def parse(text: str) -> Report:
    assert strength(text) >= 70
    return PARSER.parse(read_mail(text.encode().replace(b"\n", b"\r\n"), MailLimits()), CONTEXT)


def subjects(report: Report) -> list[str | None]:
    return [each.message.header("Subject") if each.message else None for each in report.incidents]


HEADERS = SPAM.partition("\n\n")[0] + "\n"


@pytest.mark.parametrize(
    "part",
    [
        attached(SPAM),
        attached(SPAM, "message/global"),
        attached(HEADERS, "text/rfc822-headers"),
        saved(SPAM, "offer.eml"),
        saved(SPAM, "迷惑.eml"),
        saved(SPAM, "offer.EML", "text/plain"),
        saved(SPAM, "header.txt", "text/plain"),
        saved("From taro Fri Nov 20 14:03:12 2026\n" + SPAM, "offer.eml"),
        saved(b"\xef\xbb\xbf" + SPAM.encode(), "header.txt", "text/plain"),
        saved(("\ufeff" + SPAM).encode("utf-16-le"), "header.txt", "text/plain"),
    ],
)
def test_one_attachment_is_one_incident(part: str) -> None:
    report = parse(multipart("\nこのメールが届きました。", part))
    (incident,) = report.incidents
    assert (incident.category, incident.type, incident.missing) == ("messaging", "spam", ())
    assert incident.message is not None
    assert "192.0.2.7" in incident.message.raw_headers("Received")[0]
    assert subjects(report) == ["offer"]


def test_several_attachments_are_several_incidents_in_order() -> None:
    parts = [attached(SPAM.replace("offer", f"offer {n}").replace("id 1", f"id {n}")) for n in (1, 2, 3)]
    assert subjects(parse(multipart("\n三通です。", *parts))) == ["offer 1", "offer 2", "offer 3"]


@pytest.mark.parametrize("again", [attached(SPAM), attached(HEADERS, "text/rfc822-headers"), saved(SPAM, "a.eml")])
def test_the_same_message_twice_is_one_incident(again: str) -> None:
    assert len(parse(multipart(attached(SPAM), again)).incidents) == 1


@pytest.mark.parametrize("message", ["From: sender@example.com\nSubject: offer\n\nbuy\n", "\nbuy\n", ""])
def test_an_attached_message_without_a_chain_asks_for_headers(message: str) -> None:
    (incident,) = parse(multipart(attached(message))).incidents
    assert incident.missing == (Missing.HEADERS,)


@pytest.mark.parametrize(
    "part",
    [
        "Content-Type: text/plain\n\njust text",
        saved("a plain note\nwithout fields\n", "note.txt", "text/plain"),
        saved("From: a@example.com\nSubject: x\n\nno chain\n", "note.txt", "text/plain"),
        saved(b"\x00\x01\x02", "broken.eml"),
        saved(SPAM, "offer.pdf"),
    ],
)
def test_other_attachments_are_not_messages(part: str) -> None:
    text = multipart("\n添付します。", part)
    assert strength(text) == 0
    with pytest.raises(MalformedReport):
        PARSER.parse(read_mail(text.encode(), MailLimits()), CONTEXT)


@pytest.mark.parametrize(
    "text",
    [
        multipart(attached("Feedback-Type: abuse\n", "message/feedback-report"), attached(SPAM)),
        multipart(
            attached("Action: failed\n", "message/delivery-status"),
            attached(SPAM),
            kind="multipart/report; report-type=delivery-status",
        ),
        multipart(attached(SPAM), sender="MAILER-DAEMON@mx.example.net", subject="Undelivered Mail"),
        multipart(attached(SPAM), sender="abuse@hosting.example.jp", head="Auto-Submitted: auto-generated\n"),
        multipart(attached(SPAM), head="X-Abuse-Desk: 1\n"),
    ],
)
def test_other_parsers_messages_are_left_alone(text: str) -> None:
    assert strength(text) == 0


def test_a_machine_that_attaches_spam_is_a_reporter_without_a_reader() -> None:
    assert parse(multipart(attached(SPAM), head="Auto-Submitted: auto-generated\n")).machine is True


def outside(greeting: str = "mail.example.org", client: str = "(mail.example.org [203.0.113.5])") -> str:
    return (
        f"Received: from {greeting} {client}\n"
        "\tby mx.example.net (Postfix) with ESMTP id 9; Fri, 20 Nov 2026 15:00:00 +0900\n"
    )


INTERNAL = (
    "Received: from pc (pc.example.net [10.1.2.3])\n\tby mail.example.net with ESMTP; Fri, 20 Nov 2026 15:00:00 +0900\n"
)
PRIVATE = "Received: from pc.example.org ([192.168.2.3]) by relay.example.org; Fri, 20 Nov 2026 15:00:00 +0900\n"
ROAMING = "Received: from [203.0.113.5] by mail.example.net with ESMTPSA id 9; Fri, 20 Nov 2026 15:00:00 +0900\n"
LOGGED_IN = (
    "Received: from mail.example.net (mail.example.net [203.0.113.9])\n"
    "\tby mx.example.net (Postfix) with ESMTP id 8; Fri, 20 Nov 2026 15:00:01 +0900\n"
    "Received: from [10.1.2.3] by mail.example.net with ESMTPSA id 9; Fri, 20 Nov 2026 15:00:00 +0900\n"
)
OUTSIDE = outside()


@pytest.mark.parametrize(
    ("sender", "subject"),
    [("hanako@example.net", "see below"), ("friend@example.org", "転送: offer"), ("friend@example.org", "Fwd: offer")],
)
def test_a_forward_from_a_colleagues_desk_is_passed_through(sender: str, subject: str) -> None:
    inner = multipart("\n届きました", attached(SPAM), sender=sender, subject=subject, head=INTERNAL)
    report = parse(multipart("\nよろしく", attached(inner)))
    assert subjects(report) == ["offer"]
    assert report.incidents[0].staff_reason is None


WEBMAIL = (
    "Received: from www3 (www3.example.net [10.1.2.9])\n"
    "\tby mail.example.net with ESMTPA; Fri, 20 Nov 2026 15:00:00 +0900\n"
)
SCRIPT = "Received: by web.example.net (Postfix, from userid 33) id 9; Fri, 20 Nov 2026 15:00:00 +0900\n"


@pytest.mark.parametrize("head", [LOGGED_IN, ROAMING, WEBMAIL, SCRIPT], ids=["relay", "roaming", "webmail", "script"])
def test_a_forward_that_any_customer_of_a_provider_can_send_is_for_staff(head: str) -> None:
    inner = multipart("\n届きました", attached(SPAM), sender="hanako@example.net", subject="Fwd: offer", head=head)
    report = parse(multipart("\nよろしく", attached(inner)))
    assert subjects(report) == ["offer"]
    assert "whose account that was cannot be told" in (report.incidents[0].staff_reason or "")


# Below the hop at which somebody handed the mail in stands what he wrote himself.
FORGED_DESK = (
    "Received: from pc-07 (pc-07.example.net [10.1.2.7])\n"
    "\tby mail.example.net with ESMTP; Fri, 20 Nov 2026 14:59:00 +0900\n"
)


@pytest.mark.parametrize("head", [LOGGED_IN, ROAMING, WEBMAIL, SCRIPT], ids=["relay", "roaming", "webmail", "script"])
def test_a_desk_that_the_sender_wrote_below_his_own_hop_is_none(head: str) -> None:
    inner = multipart("\n", attached(SPAM), sender="hanako@example.net", subject="Fwd: offer", head=head + FORGED_DESK)
    report = parse(multipart("\nよろしく", attached(inner)))
    assert all(incident.staff_reason for incident in report.incidents)


def test_forwards_within_forwards_down_to_several_spams() -> None:
    spams = [attached(SPAM.replace("offer", f"offer {n}").replace("id 1", f"id {n}")) for n in (1, 2)]
    inner = multipart(*spams, sender="hanako@example.net", subject="Fwd: offer", head=INTERNAL)
    middle = multipart(attached(inner), sender="jiro@example.net", subject="Fwd: Fwd: offer", head=LOGGED_IN)
    assert subjects(parse(multipart(attached(middle)))) == ["offer 1", "offer 2"]


def test_a_message_of_strangers_with_a_message_inside_is_reported_itself() -> None:
    stranger = multipart(attached(SPAM), sender="sender@example.org", subject="your invoice", head=OUTSIDE)
    report = parse(multipart(attached(stranger)))
    assert subjects(report) == ["your invoice"]
    assert report.incidents[0].staff_reason is None


@pytest.mark.parametrize(("sender", "subject"), [("taro@example.net", "hi"), ("x@example.org", "Fwd: invoice")])
@pytest.mark.parametrize(
    "head",
    [
        OUTSIDE,
        outside("mail.example.net"),
        outside("authenticated.evil.example"),
        outside("mail.example.net", "(unknown [IPv6:2001:db8:ffff::66])"),
        outside("mail.example.net", "(unknown [172.17.0.1])"),
        outside("mail.example.net with ESMTPSA"),
        OUTSIDE + INTERNAL,
        ROAMING.replace("mail.example.net", "mail.freemail.example"),
        outside() + ROAMING,
        PRIVATE,
        "",
    ],
)
def test_a_forward_that_may_be_from_outside_is_for_a_person(sender: str, subject: str, head: str) -> None:
    """Spam likes to bear the recipient's own address and to greet with his name: its inside must not be taken for what
    is reported. Nor is a private address proof (a NAT), nor a log-in at somebody else's host."""
    doubtful = multipart(attached(SPAM), sender=sender, subject=subject, head=head)
    report = parse(multipart(attached(doubtful)))
    assert subjects(report) == [subject]
    assert report.incidents[0].staff_reason is not None


def test_spam_that_carries_a_feedback_report_is_for_a_person() -> None:
    """The spammer wrote what is in his spam: it names nobody."""
    parts = (attached("Feedback-Type: abuse\n", "message/feedback-report"), attached(SPAM))
    spam = multipart("\nbuy", *parts, sender="sender@example.org", subject="hello", head=OUTSIDE)
    (incident,) = parse(multipart("\nspam", attached(spam))).incidents
    assert incident.message is not None
    assert "203.0.113.5" in incident.message.raw_headers("Received")[0]
    assert incident.source_ip is None
    assert incident.staff_reason is not None


def test_an_attached_feedback_report_beside_spam_is_for_a_person() -> None:
    feedback = multipart(
        attached("Feedback-Type: abuse\n", "message/feedback-report"),
        attached(SPAM),
        sender="fbl@example.org",
        kind="multipart/report; report-type=feedback-report",
    )
    report = parse(multipart(attached(feedback), attached(SPAM)))
    assert [each.staff_reason is not None for each in report.incidents] == [True, False]


def test_the_reporters_word_phishing_does_not_change_what_a_mail_is() -> None:
    (incident,) = parse(multipart(attached(SPAM), subject="フィッシングメールの報告")).incidents
    assert (incident.category, incident.type) == ("messaging", "spam")


def test_a_report_that_staff_send_on_from_the_desks_own_address_counts() -> None:
    assert strength(multipart(attached(SPAM), sender="abuse@hosting.example.jp")) > 0


HEAD = "Subject: offer\nDate: Fri, 20 Nov 2026 14:03:05 +0900\nFrom: x@example.com\nTo: taro@example.net\n\nbuy"
OUTLOOK = (
    "From: X <x@example.com>\nSent: Friday, November 20, 2026 2:03 PM\nTo: taro@example.net\nSubject: offer\n\nbuy"
)
OUTLOOK_JA = "差出人: X <x@example.com>\n送信日時: 2026年11月20日 14:03\n宛先: taro@example.net\n件名: 当選\n\n本文"
APPLE_JA = "以下は転送されたメッセージ：\n\n> 差出人： x@example.com\n> 件名： 当選\n> 日付： 2026年11月20日\n"


@pytest.mark.parametrize("part", [attached(SPAM), saved(SPAM, "invoice.eml")])
@pytest.mark.parametrize(
    "text",
    [
        f"spam!\n\n-------- Forwarded Message --------\n{HEAD}",
        f"---------- Forwarded message ---------\n{HEAD}",
        f"Begin forwarded message:\n\n{HEAD}",
        f"----- Original Message -----\n{HEAD}",
        f"-----元のメッセージ-----\n{HEAD}",
        f"---- 転送メッセージ ----\n{HEAD}",
        f"----- 転送 -----\n{HEAD}",
        f"Forwarded by Taro\n--------- Original Message ---------\n {HEAD}",
        APPLE_JA,
        f"迷惑です\n\n{OUTLOOK}",
        f"迷惑です\n________________________________\n{OUTLOOK_JA}",
    ],
)
def test_what_an_inline_forward_carries_along_is_for_a_person(text: str, part: str) -> None:
    """The mail program kept the spam's own attachments: the spammer wrote the attached message."""
    for body in (f"Content-Type: text/plain; charset=utf-8\n\n{text}", as_html(text)):
        (incident,) = parse(multipart(body, part, subject="Fwd: offer")).incidents
        assert incident.staff_reason is not None


def as_html(text: str) -> str:
    lines = "".join(f"<div>{html.escape(line)}</div>" for line in text.splitlines())
    inner = "--in\nContent-Type: text/plain\n\nplain text of the spam\n"
    page = f"--in\nContent-Type: text/html; charset=utf-8\n\n<html>{lines}</html>\n"
    return f"Content-Type: multipart/related; boundary=in\n\n{page}{inner}--in--\n"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("迷惑メール", "迷惑メールを転送します。添付をご確認ください。\n\n田中 太郎\nTel: 06-0000-0177"),
        ("迷惑メール", "以下の迷惑メールを転送します。\n件名: 当選\n差出人: x@example.com"),
        ("spam", "I forward the original message as an attachment.\nDate: today"),
        ("Fwd: offer", "-- \nTaro\nTo: be or not to be"),
        ("Re: お問い合わせ", "添付します。\n\n" + OUTLOOK_JA.replace("x@example.com", "abuse@hosting.example.jp")),
        (
            "RE: your report",
            "-----Original Message-----\n"
            + OUTLOOK.replace("x@", "Abuse@hosting.").replace("hosting.example.com", "hosting.example.jp"),
        ),
    ],
)
def test_prose_about_forwarding_and_answers_to_us_stay_reports(subject: str, text: str) -> None:
    body = f"Content-Type: text/plain; charset=utf-8\n\n{text}"
    (incident,) = parse(multipart(body, attached(SPAM), subject=subject)).incidents
    assert incident.staff_reason is None


def test_a_forward_of_mail_under_our_own_name_is_no_answer_to_us() -> None:
    text = OUTLOOK.replace("x@example.com", "abuse@hosting.example.jp")
    body = f"Content-Type: text/plain; charset=utf-8\n\n{text}"
    (incident,) = parse(multipart(body, attached(SPAM), subject="FW: Re: offer")).incidents
    assert incident.staff_reason is not None


def test_the_header_of_the_spam_as_an_inline_part_is_no_inline_forward() -> None:
    head = "Content-Type: text/rfc822-headers\n\n" + OUTLOOK.partition("\n\n")[0] + "\n" + HEADERS
    (incident,) = parse(multipart("\n迷惑です", head)).incidents
    assert incident.staff_reason is None
