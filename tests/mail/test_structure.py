"""Parts, embedded messages, damaged bodies, and the body as people read it."""

from __future__ import annotations

import base64
import time

import pytest

from abuse_pipeline.html_text import html_to_text, strip_tags
from abuse_pipeline.mail import read_mail
from abuse_pipeline.settings import MailLimits

LIMITS = MailLimits()
INNER = "Received: from a.example\r\nSubject: 内側\r\n\r\n本文\r\n".encode()


def multipart(*parts: bytes, kind: bytes = b"mixed") -> bytes:
    pieces = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return (
        b"Subject: outer\r\nContent-Type: multipart/"
        + kind
        + b"; boundary=b\r\n\r\npreamble\r\n"
        + pieces
        + b"--b--\r\n"
    )


@pytest.mark.parametrize("kind", ["message/rfc822", "message/global"])
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_embedded_message_is_its_own_bytes(kind: str, encoding: str) -> None:
    body = {"8bit": INNER, "base64": base64.encodebytes(INNER), "quoted-printable": qp(INNER)}[encoding]
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    part = read_mail(multipart(b"\r\nsee below", head + body), LIMITS).root.children[1]
    assert part.content_type == kind
    assert part.children == ()
    assert part.message is not None
    assert part.message.raw.rstrip() == INNER.rstrip()
    assert part.content() == part.message.raw
    assert part.message.header("subject") == "内側"
    assert part.message.raw_headers("received") == ("from a.example",)
    assert part.message.text().strip() == "本文"


def qp(data: bytes) -> bytes:
    return b"".join(b"=%02X" % byte if byte > 126 or byte == 61 else bytes([byte]) for byte in data)


def test_embedded_message_in_damaged_base64() -> None:
    body = b"!" + base64.encodebytes(INNER)
    mail = read_mail(
        multipart(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + body), LIMITS
    )
    assert mail.reader == "mail-parser"
    assert mail.defects == ("fast-mail-parser: DecodeError",)
    inner = mail.root.children[0].message
    assert inner is not None
    assert inner.raw == INNER
    assert inner.header("subject") == "内側"


def test_both_readers_give_the_bytes_of_an_embedded_message() -> None:
    raw = multipart(b"Content-Type: message/rfc822\r\n\r\n" + INNER)
    first = read_mail(raw, LIMITS)
    second = read_mail(raw + b"=?" * 6000, LIMITS)  # an epilogue that sends it to the second reader
    assert (first.reader, second.reader) == ("fast-mail-parser", "mail-parser")
    for mail in (first, second):
        inner = mail.root.children[0].message
        assert inner is not None
        assert inner.raw == INNER.removesuffix(b"\r\n") + b"\r\n"


def test_walk_does_not_enter_embedded_messages() -> None:
    mail = read_mail(
        multipart(
            b"\r\na",
            b"Content-Type: message/rfc822\r\n\r\n"
            + multipart(b"\r\nx", b"\r\ny").replace(b"=b", b"=c").replace(b"--b", b"--c"),
        ),
        LIMITS,
    )
    assert [part.content_type for part in mail.walk()] == ["multipart/mixed", "text/plain", "message/rfc822"]


def test_rfc822_headers_and_feedback_reports_are_leaves() -> None:
    report = b"Feedback-Type: abuse\r\nUser-Agent: x\r\n"
    raw = multipart(
        b"Content-Type: text/rfc822-headers\r\n\r\n" + INNER,
        b"Content-Type: message/feedback-report\r\n\r\n" + report,
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a.example\r\n\r\nAction: failed\r\n",
        kind=b"report",
    )
    for mail in (read_mail(raw, LIMITS), read_mail(raw + b"=?" * 6000, LIMITS)):
        headers, feedback, status = mail.root.children
        assert headers.content().rstrip() == INNER.rstrip()
        assert feedback.content().rstrip() == report.rstrip()
        assert status.content().rstrip() == b"Reporting-MTA: dns; a.example\r\n\r\nAction: failed"
        assert (feedback.message, status.message) == (None, None)


@pytest.mark.parametrize(
    ("encoding", "body", "content"),
    [
        (b"base64", b"YWJj!ZGVm", b"abcdef"),
        (b"base64", b"YWJjZ", b"abc"),
        (b"quoted-printable", b"a=ZZ=41", b"a=ZZA"),
        (b"x-unknown", b"as it is", b"as it is"),
        (b"x-uuencode", b"no begin line", b"no begin line"),
        (b"x-uuencode", b"begin 644 a\n#86)C\n`\nend\n", b"abc"),
    ],
)
def test_damaged_bodies_give_what_can_be_decoded(encoding: bytes, body: bytes, content: bytes) -> None:
    head = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n"
    assert read_mail(head + body, LIMITS).root.content() == content
    assert read_mail(multipart(b"\r\nx", head + body), LIMITS).root.children[1].content().rstrip() == content.rstrip()


def test_part_header_in_raw_japanese_bytes() -> None:
    head = b'Content-Type: text/plain; name="' + "申告書.txt".encode("cp932") + b'"\r\nX-Note: '
    mail = read_mail(multipart(b"\r\nx", head + "メモ".encode("euc_jp") + b"\r\n\r\nbody"), LIMITS)
    part = mail.root.children[1]
    assert part.filename == "申告書.txt"
    assert ("X-Note", "メモ") in part.headers


@pytest.mark.parametrize(
    "kind", [b"multipart/mixed", b"multipart/mixed; boundary=other", b"multipart/mixed boundary=b"]
)
def test_multipart_whose_boundary_is_wrong_is_read_as_text(kind: bytes) -> None:
    raw = b"Content-Type: " + kind + b"\r\n\r\n--b\r\n\r\nevidence\r\n--b--\r\n"
    for mail in (read_mail(raw, LIMITS), read_mail(raw + b"=?" * 6000, LIMITS)):
        assert mail.root.content_type == "text/plain"
        assert "evidence" in mail.text()


def test_boundary_that_begins_as_the_one_around_it() -> None:
    inner = b"Content-Type: multipart/related; boundary=b_.REL\r\n\r\n--b_.REL\r\n\r\none\r\n--b_.REL--"
    mail = read_mail(multipart(inner, b"\r\ntwo"), LIMITS)
    assert [part.content_type for part in mail.root.children] == ["multipart/related", "text/plain"]
    assert mail.text() == "one\ntwo"


def test_text_joins_plain_leaves_and_leaves_attachments_out() -> None:
    mail = read_mail(
        multipart(
            b"Content-Type: text/plain\r\n\r\none\r\n",
            b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nattached",
            b"Content-Type: text/html\r\n\r\n<p>html</p>",
            b"Content-Type: text/plain\r\nContent-Disposition: inline\r\n\r\ntwo",
            b"Content-Type: message/rfc822\r\n\r\n" + INNER,
        ),
        LIMITS,
    )
    assert mail.text() == "one\n\ntwo"


def test_text_renders_html_when_there_is_no_plain_text() -> None:
    html = "<html><style>p{}</style><body><p>迷惑&nbsp;メール</p><p>二行目<br>三行目</p></body></html>"
    head = b"Content-Type: text/html; charset=iso-2022-jp\r\n\r\n"
    text = read_mail(multipart(b"\r\n  ", head + html.encode("iso2022_jp")), LIMITS).text()
    assert [line.strip() for line in text.splitlines() if line.strip()] == ["迷惑 メール", "二行目", "三行目"]


def test_strip_tags() -> None:
    html = "<!-- a > b --><title>t</title><p>1 < 2 &amp; 3</p><script>x<y</script><div>次</div><br/>end<a"
    assert strip_tags(html).split() == ["1", "<", "2", "&", "3", "次", "end<a"]


HOSTILE_HTML = {
    "nested div": "<div>" * 200_000 + "deep",
    "nested div, small": "<div>" * 19_000 + "deep",
    "nested lists": "<ul><li>" * 9_000 + "deep",
    "text in nested tables": "<table><tr><td>" * 80 + "<p>x" * 19_000 + " deep",
    "cells": "<table><tr>" + "<td>x" * 100_000 + " deep",
    "nested table": "<table><tr><td>x" * 60_000 + "deep",
    "many paragraphs": "<p>x" * 250_000 + "deep",
    "brackets": "<" * 1_000_000 + " deep",
    "comments": "<!--x-->" * 120_000 + "deep",
    "scripts": "<script></script>" * 60_000 + "deep",
    "entities": "&#x" * 300_000 + " deep",
}


@pytest.mark.parametrize("kind", HOSTILE_HTML)
def test_hostile_html_is_read_in_bounded_time(kind: str) -> None:
    started = time.process_time()
    text = html_to_text(HOSTILE_HTML[kind])
    assert time.process_time() - started < 2
    assert text.rstrip().endswith("deep")
