"""Limits, and bytes that want to hurt: every one ends in a Mail or in a ReportError, soon."""

from __future__ import annotations

import base64
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_pipeline import second_reader
from abuse_pipeline.errors import LimitExceeded, MalformedMessage, ReportError
from abuse_pipeline.mail import Mail, read_mail
from abuse_pipeline.settings import MailLimits

LIMITS = MailLimits()
SMALL = MailLimits(max_depth=4, max_parts=6, max_header_bytes=500, max_decoded_bytes=1000)
MEGABYTE = 1 << 20


def nested(levels: int) -> bytes:
    """A multipart in a multipart, *levels* deep."""
    body = b"Content-Type: text/plain\n\nx\n"
    for level in range(levels):
        name = b"b%d" % level
        body = (
            b"Content-Type: multipart/mixed; boundary="
            + name
            + b"\n\n--"
            + name
            + b"\n"
            + body
            + b"--"
            + name
            + b"--\n"
        )
    return body


def embedded(levels: int, body: bytes = b"Subject: x\n\nbody\n") -> bytes:
    return b"Content-Type: message/rfc822\n\n" * levels + body


def flat(parts: int, part: bytes = b"\nx\n") -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\n\n" + (b"--b\n" + part) * parts + b"--b--\n"


def touch(mail: Mail) -> None:
    """Everything that can be asked of a message."""
    mail.all_headers()
    for name in ("received", "subject", "from"):
        mail.header(name)
        mail.headers(name)
        mail.raw_headers(name)
    assert isinstance(mail.text(), str)
    for part in mail.walk():
        assert isinstance(part.content(), bytes)
        assert isinstance(part.text(), str)
        assert all(isinstance(text, str) for text in (part.filename, part.charset, part.disposition, part.content_type))
        assert isinstance(part.headers, tuple)
        if part.message is not None:
            touch(part.message)


# Both readers must keep the same limits: "=?" beyond count sends a message to the second one.
TO_SECOND = b"--\n" + b"=?" * 5001


@pytest.mark.parametrize("suffix", [b"", TO_SECOND], ids=["first", "second"])
@pytest.mark.parametrize(
    ("fits", "exceeds"),
    [
        (nested(3), nested(4)),
        (embedded(3), embedded(4)),
        (flat(5), flat(6)),
        (flat(2, embedded(1)), flat(3, embedded(1))),
        (flat(1, b"\n" + b"x" * 900), flat(2, b"\n" + b"x" * 600)),
        (
            b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(b"x" * 900),
            b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(b"x" * 1100),
        ),
        (b"Subject: " + b"x" * 480 + b"\n\n", b"Subject: " + b"x" * 500 + b"\n\n"),
    ],
    ids=["multipart depth", "embedded depth", "parts", "embedded parts", "bytes", "base64 bytes", "header"],
)
def test_limits(fits: bytes, exceeds: bytes, suffix: bytes) -> None:
    limits = SMALL if not suffix else SMALL.model_copy(update={"max_decoded_bytes": 1000 + len(suffix)})
    touch(read_mail(fits + suffix, limits))
    if suffix and len(exceeds) > 1000:
        exceeds = exceeds.replace(b"xxx", b"xxx" * 40).replace(b"eHh4", b"eHh4" * 40)
    with pytest.raises(LimitExceeded):
        read_mail(exceeds + suffix, limits)


def test_a_message_far_past_the_limits_is_not_even_read() -> None:
    with pytest.raises(LimitExceeded, match="too many to read"):
        read_mail(b"Subject: x\n\n" + b"x" * 2600, SMALL)


HOSTILE = {
    "nothing": b"",
    "one NUL": b"\0",
    "many NUL": b"\0" * MEGABYTE,
    "one line end": b"\n",
    "carriage returns": b"\r" * 100_000,
    "mixed CR": b"Subject: a\rX: b\n\rc\r\n\r\nd",
    "50 MB header": b"Subject: " + b"a" * (50 * MEGABYTE),
    "folded header": b"Subject: a\n" + b" b\n" * 300_000 + b"\nx",
    "200,000 fields": b"a:\xff\n" * 200_000 + b"\nx",
    "encoded-words": b"Subject: " + b"=?utf-8?q?a?= " * 70_000 + b"\n\nx",
    "starts of encoded-words": b"Subject: " + b"=?" * 400_000 + b"\n\nx",
    "parameters": b"Content-Type: text/plain" + b"; a=b" * 150_000 + b"\n\nx",
    "backslashes": b'Content-Type: text/plain; name="' + b"\\" * 900_000 + b"\n\nx",
    "blanks in parameters": b"Content-Type: text/plain; " + b" " * 900_000 + b"\n\nx",
    "5,000 multiparts": nested(5000),
    "5,000 embedded": embedded(5000),
    "embedded, 20 MB": embedded(200, b"\n" + b"x" * (20 * MEGABYTE)),
    "100,000 parts": flat(100_000),
    "450 parts to guess": flat(450, b"\n" + b"\xe9\x81" * 5000 + b"\n"),
    "invalid base64": b"Content-Transfer-Encoding: base64\n\n" + b"!x" * (5 * MEGABYTE),
    "junk uuencode": b"Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n" + b"\xff\n" * MEGABYTE,
    "soft line breaks": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=\n" * (5 * MEGABYTE),
    "escapes": b"Content-Type: text/plain; charset=iso-2022-jp\n\n" + b"\x1b$B" * MEGABYTE,
    "lines after an escape": b"Content-Type: text/plain; charset=iso-2022-jp\n\n\x1b$B" + b"\n" * MEGABYTE,
    "empty boundary": b'Content-Type: multipart/mixed; boundary=""\n\n--\n\nx\n--\n',
    "boundary of itself": b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 100,
    "leading blank to second": b" x\n" + nested(300),
    "OLE": bytes.fromhex("d0cf11e0a1b11ae1") + bytes(range(256)) * 400,
    "lone surrogates": b"Subject: \xed\xa0\x80\nContent-Type: text/plain; name=\xed\xa0\x80\n\n\xed\xa0\x80",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_bytes_end_soon(kind: str) -> None:
    started = time.process_time()
    with suppress(ReportError):  # staff get it
        touch(read_mail(HOSTILE[kind], LIMITS))
    assert time.process_time() - started < 8


def test_second_reader_refuses_too_many_lines() -> None:
    with pytest.raises(LimitExceeded, match="lines"):
        read_mail(b"Subject: x\n" + b"=?" * 6000 + b"\n\n" + b"\n" * 1_000_001, LIMITS)


@pytest.mark.parametrize("raw", [nested(20), embedded(20)], ids=["multipart", "embedded"])
def test_second_reader_refuses_depth_before_anything_is_copied(raw: bytes) -> None:
    with pytest.raises(LimitExceeded, match="max_depth"):
        second_reader.read(raw, LIMITS)


def test_a_reader_that_fails_in_any_way_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        @staticmethod
        def from_bytes(raw: bytes) -> None:
            raise AssertionError("whatever")

    monkeypatch.setattr(second_reader, "_tree_reader", lambda: Failing)
    with pytest.raises(MalformedMessage, match="AssertionError"):
        read_mail(b"Subject: x\n\n" + b"=?" * 6000, LIMITS)


PIECES = [
    *(
        b"a",
        b":",
        b"\n",
        b"\r",
        b"\r\n",
        b" ",
        b"\x00",
        b"\xff",
        b"\x1b$B",
        b"=?",
        b"?=",
        b"--b",
        b"--b--",
        b"\n\n",
        b"=",
        b'"',
    ),
    *(
        b"Content-Type: multipart/mixed; boundary=b\n",
        b"Content-Type: message/rfc822\n",
        b"Content-Type: message/global\n",
    ),
    *(
        b"Content-Type: text/html; charset=shift_jis\n",
        b"Content-Transfer-Encoding: base64\n",
        b"Received: x\n",
        b"From x\n",
    ),
    *(
        b"Content-Transfer-Encoding: quoted-printable\n",
        b"Content-Type: multipart/digest; boundary=b\n",
        b"=?utf-8?b?YQ=?=",
    ),
    *(
        b"Content-Type: message/delivery-status\n",
        b"Content-Disposition: attachment; filename*0*=x''%\n",
        b"<p>",
        b"\n--b\n",
    ),
]


def read_and_touch(raw: bytes, limits: MailLimits = SMALL) -> None:
    try:
        mail = read_mail(raw, limits)
    except ReportError:
        return
    assert mail.raw == raw
    touch(mail)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes(raw: bytes) -> None:
    read_and_touch(raw)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
@settings(max_examples=600, deadline=None)
def test_any_pieces_of_mail(raw: bytes) -> None:
    read_and_touch(raw)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join))
@settings(max_examples=200, deadline=None)
def test_any_pieces_of_mail_in_the_second_reader(raw: bytes) -> None:
    read_and_touch(raw + TO_SECOND, SMALL.model_copy(update={"max_decoded_bytes": 100_000}))
