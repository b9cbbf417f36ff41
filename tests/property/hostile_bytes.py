"""Bytes that nobody should have to read: samples damaged at random, and messages made to be slow."""

from __future__ import annotations

import base64
import json
import quopri
import random
import re
from collections.abc import Callable

HEAD = b"From: Taro <taro@example.jp>\r\nTo: abuse@hosting.example.jp\r\nSubject: spam\r\nMIME-Version: 1.0\r\n"
CHARSETS = (
    b"utf-7", b"utf-16", b"iso-2022-jp", b"iso-2022-kr", b"hz", b"shift_jis", b"x-unknown", b"idna", b"punycode",
    b"unicode_escape", b"rot13", b"base64", b"utf-8-sig", b"cp65001", b"" , b"\xff\xfe", b"a" * 500,
)  # fmt: skip

Damage = Callable[[bytes, random.Random], bytes]


def damaged(samples: list[bytes], chance: random.Random) -> bytes:
    """One of *samples* after one to four kinds of damage."""
    raw = chance.choice(samples)
    for _ in range(chance.choice((1, 1, 2, 4))):
        raw = chance.choice(DAMAGES)(raw, chance)
        if chance.random() < 0.15:
            raw = _spliced(raw, chance.choice(samples), chance)
    return raw


def _flip_bits(raw: bytes, chance: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(chance.choice((1, 5, 50))):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _truncate(raw: bytes, chance: random.Random) -> bytes:
    return raw[: chance.randrange(len(raw) + 1)]


def _behead(raw: bytes, chance: random.Random) -> bytes:
    return raw[chance.randrange(len(raw) + 1) :]


def _spliced(raw: bytes, other: bytes, chance: random.Random) -> bytes:
    return raw[: chance.randrange(len(raw) + 1)] + other[chance.randrange(len(other) + 1) :]


def _double_a_part(raw: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(raw) + 1) for _ in range(2))
    return raw[:end] + raw[start:end] * chance.choice((1, 3, 20)) + raw[end:]


def _long_line(raw: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + chance.choice((b"A", b"=41", b" ", b"<", b"(", b"\xe3\x81\x82")) * 30_000 + raw[at:]


def _long_field(raw: bytes, chance: random.Random) -> bytes:
    name = chance.choice((b"Received", b"From", b"Subject", b"X-Spam-Report", b"Content-Type", b"References"))
    return (
        name
        + b": "
        + chance.choice((b"a ", b"a@b,", b"<a@b> ", b"(", b'"', b"=?utf-8?B?44GC?= ")) * 8_000
        + b"\r\n"
        + raw
    )


def _nest(raw: bytes, chance: random.Random) -> bytes:
    for number in range(chance.choice((1, 5, 20))):
        mark = f"n{number}".encode()
        head = HEAD + b'Content-Type: multipart/mixed; boundary="' + mark + b'"\r\n\r\n'
        kind = chance.choice((b"message/rfc822", b"multipart/mixed; boundary=x", b"message/feedback-report"))
        raw = head + b"--" + mark + b"\r\nContent-Type: " + kind + b"\r\n\r\n" + raw + b"\r\n--" + mark + b"--\r\n"
    return raw


def _lie_about_charset(raw: bytes, chance: random.Random) -> bytes:
    return re.sub(rb"(?i)charset=\"?[\w-]+\"?", lambda _: b"charset=" + chance.choice(CHARSETS), raw)


def _lie_about_encoding(raw: bytes, chance: random.Random) -> bytes:
    lie = chance.choice((b"base64", b"quoted-printable", b"x-uuencode", b"binary", b"nonsense"))
    return re.sub(rb"(?i)(Content-Transfer-Encoding:)[^\r\n]*", lambda found: found[1] + b" " + lie, raw)


def _other_line_ends(raw: bytes, chance: random.Random) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", chance.choice((b"\r", b"\n", b"\n\r", b"\r\r\n", b"\0\n")))


def _shuffle_lines(raw: bytes, chance: random.Random) -> bytes:
    lines = raw.split(b"\n")
    for _ in range(chance.choice((1, 3, 10))):
        one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _strange_numbers(raw: bytes, chance: random.Random) -> bytes:
    """Digits replaced: dates, addresses, ports and offsets that cannot be."""
    return re.sub(
        rb"\d+", lambda f: chance.choice((b"0", b"99", b"999999999999", f[0])) if chance.random() < 0.2 else f[0], raw
    )


DAMAGES: tuple[Damage, ...] = (
    _flip_bits, _truncate, _behead, _double_a_part, _long_line, _long_field, _nest, _lie_about_charset,
    _lie_about_encoding, _other_line_ends, _shuffle_lines, _strange_numbers,
)  # fmt: skip


def _plain(body: bytes, kind: bytes = b"text/plain; charset=utf-8", encoding: bytes = b"8bit") -> bytes:
    return HEAD + b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: " + encoding + b"\r\n\r\n" + body


def _forwarded(message: bytes, text: bytes = "迷惑メールです。\r\n".encode()) -> bytes:
    return (
        HEAD
        + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n'
        + text + b"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + message + b"\r\n--b--\r\n"
    )  # fmt: skip


def _deep_messages(depth: int) -> bytes:
    raw = b"Subject: innermost\r\n\r\nhello\r\n"
    for _ in range(depth):
        raw = b"Subject: x\r\nContent-Type: message/rfc822\r\n\r\n" + raw
    return raw


def _deep_multipart(depth: int) -> bytes:
    opened = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (number, number) for number in range(depth)
    )
    return HEAD + opened + b"\r\nhello\r\n"


def _many_parts(number: int) -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\na\r\n" * number + b"--b--\r\n"


def _one_in_another(number: int) -> bytes:
    body = b"a report\r\n" * 20_000
    for _ in range(number):
        body = base64.encodebytes(body)
    return body


def _received(size: int) -> bytes:
    return b"from a.example (b.example [192.0.2.7]) by c.example with ESMTP " + b"(x " * (size // 3)


def _feedback(fields: bytes) -> bytes:
    return (
        HEAD
        + b"Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\n"
        + b"User-Agent: x/1\r\n" + fields + b"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        + b"From: a@b.example\r\n\r\nx\r\n--b--\r\n"
    )  # fmt: skip


MEGABYTE = 1_000_000

RECEIVED = b"Received: from a.example ([192.0.2.7]) by b.example; Fri, 20 Nov 2026 14:03:12 +0900\r\n"


def _mixed(boundary: bytes) -> bytes:
    return HEAD + b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n"


MIXED = _mixed(b"b")


def _many_messages(number: int) -> bytes:
    return (
        MIXED
        + b"".join(
            b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + RECEIVED + b"To: taro%d@example.jp\r\n\r\nhello\r\n" % n
            for n in range(number)
        )
        + b"--b--\r\n"
    )


def _bounce(status: bytes) -> bytes:
    return (
        HEAD
        + b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: message/delivery-status\r\n\r\n" + status + b"--b--"
    )  # fmt: skip


SLOW: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "5 MB of a": lambda: b"a" * (5 * MEGABYTE),
    "5 MB of a as a body": lambda: _plain(b"a" * (5 * MEGABYTE)),
    "5 MB of NUL": lambda: b"\0" * (5 * MEGABYTE),
    "5 MB of line ends": lambda: b"\r\n" * (5 * MEGABYTE // 2),
    "5 MB of blanks in a line": lambda: _plain(b" " * (5 * MEGABYTE) + b"x"),
    "3 MB of dots": lambda: _plain(b"." * (3 * MEGABYTE)),
    "3 MB of a.": lambda: _plain(b"a." * (3 * MEGABYTE // 2)),
    "3 MB of a-": lambda: _plain(b"a-" * (3 * MEGABYTE // 2)),
    "3 MB of digits and colons": lambda: _plain(b"1:" * (3 * MEGABYTE // 2)),
    "3 MB of dotted digits": lambda: _plain(b"1." * (3 * MEGABYTE // 2)),
    "3 MB of digits and blanks": lambda: _plain(b"1 " * (3 * MEGABYTE // 2)),
    "3 MB of digits": lambda: _plain(b"1" * (3 * MEGABYTE)),
    "3 MB of @": lambda: _plain(b"@" * (3 * MEGABYTE)),
    "3 MB of a@": lambda: _plain(b"a@" * (3 * MEGABYTE // 2)),
    "3 MB of kanji": lambda: _plain("山".encode() * MEGABYTE),
    "3 MB of kana": lambda: _plain("あ".encode() * MEGABYTE),
    "kanji and honorifics": lambda: _plain("山田様".encode() * 300_000),
    "kanji in lines without end of name": lambda: _plain(("山田 太郎" * 200 + "\n").encode() * 400),
    "companies": lambda: _plain("株式会社".encode() * 200_000),
    "companies in Latin letters": lambda: _plain(b"Acme Trading " * 200_000),
    "3 MB of > quotes": lambda: _plain(b">" * (3 * MEGABYTE)),
    "3 MB of quoted lines": lambda: _plain(b"> > > > hello\r\n" * 200_000),
    "3 MB of base64 letters": lambda: _plain(b"QUJD" * (3 * MEGABYTE // 4)),
    "3 MB of hexadecimal": lambda: _plain(b"4142" * (3 * MEGABYTE // 4)),
    "3 MB of percent signs": lambda: _plain(b"%41" * MEGABYTE),
    "3 MB of <": lambda: _plain(b"<" * (3 * MEGABYTE)),
    "3 MB of < as HTML": lambda: _plain(b"<" * (3 * MEGABYTE), b"text/html"),
    "nested HTML": lambda: _plain(b"<div>" * 600_000, b"text/html"),
    "nested HTML tables": lambda: _plain(b"<table><tr><td>" * 200_000, b"text/html"),
    "HTML lists": lambda: _plain(b"<ul><li>x" * 200_000, b"text/html"),
    "HTML attributes": lambda: _plain(b"<a " + b"a=b " * 700_000 + b">", b"text/html"),
    "HTML comments": lambda: _plain(b"<!--" * 700_000, b"text/html"),
    "HTML entities": lambda: _plain(b"&amp;" * 600_000, b"text/html"),
    "HTML without end": lambda: _plain(b"<p>x</p>" * 400_000, b"text/html"),
    "1 MB in a Received field": lambda: b"Received: " + _received(MEGABYTE) + b"\r\n" + HEAD + b"\r\nx",
    "900 kB in a reported Received field": lambda: _forwarded(b"Received: " + _received(900_000) + b"\r\n\r\nx"),
    "900 kB Received of from": lambda: _forwarded(b"Received: " + b"from " * 180_000 + b"\r\n\r\nx"),
    "900 kB Received of brackets": lambda: _forwarded(b"Received: from a " + b"([" * 450_000 + b"\r\n\r\nx"),
    "900 kB Received of by id for": lambda: _forwarded(
        b"Received: from a " + b"by b id c for d; " * 55_000 + b"\r\n\r\nx"
    ),
    "900 kB Received of helo=": lambda: _forwarded(b"Received: from a (" + b"helo=a " * 120_000 + b"\r\n\r\nx"),
    "900 kB Received of blanks": lambda: _forwarded(b"Received: from a" + b" " * 900_000 + b"by b\r\n\r\nx"),
    "10,000 Received fields": lambda: _forwarded(RECEIVED * 10_000 + b"\r\nx"),
    "900 kB Date field": lambda: _forwarded(b"Received: from a by b; " + b"1 " * 450_000 + b"\r\n\r\nx"),
    "100,000 To addresses": lambda: b"To: " + b"taro@example.jp,\r\n " * 100_000 + b"\r\n" + HEAD + b"\r\nx",
    "50,000 different To addresses": lambda: (
        b"To: " + b",\r\n ".join(b"taro%d@x%d.example" % (n, n) for n in range(30_000)) + b"\r\n" + HEAD + b"\r\nx"
    ),
    "1 MB of < in From": lambda: b"From: " + b"<" * 900_000 + b"\r\nSubject: x\r\n\r\nx",
    "1 MB of quotes in From": lambda: b"From: " + b'"\\' * 450_000 + b"\r\nSubject: x\r\n\r\nx",
    "1 MB of comments in From": lambda: b"From: " + b"(" * 900_000 + b"\r\nSubject: x\r\n\r\nx",
    "1 MB of commas in From": lambda: b"From: " + b"," * 900_000 + b"\r\nSubject: x\r\n\r\nx",
    "1 MB of groups in To": lambda: HEAD + b"Cc: " + b"a:" * 450_000 + b"\r\n\r\nx",
    "1 MB Subject of encoded words": lambda: HEAD + b"Subject: " + b"=?utf-8?B?44GC?= " * 50_000 + b"\r\n\r\nx",
    "1 MB Subject of =?": lambda: HEAD + b"Subject: " + b"=?" * 450_000 + b"\r\n\r\nx",
    "1 MB of References": lambda: HEAD + b"References: " + b"<a@b.example> " * 60_000 + b"\r\n\r\nx",
    "900 kB Message-ID": lambda: HEAD + b"Message-ID: <" + b"a" * 900_000 + b"@b.example>\r\n\r\nx",
    "1 MB of parameters": lambda: HEAD + b"Content-Type: text/plain" + b"; a=b" * 180_000 + b"\r\n\r\nx",
    "RFC 2231 continuations": lambda: (
        HEAD + b"Content-Type: text/plain" + b"".join(b"; name*%d*=%%41" % n for n in range(40_000)) + b"\r\n\r\nx"
    ),
    "1 MB of DKIM": lambda: HEAD + b"DKIM-Signature: " + b"d=a; " * 180_000 + b"\r\n\r\nx",
    "100,000 fields": lambda: b"X: y\r\n" * 100_000 + HEAD + b"\r\nx",
    "folded for ever": lambda: b"Subject: x" + b"\r\n x" * 230_000 + b"\r\n" + HEAD + b"\r\nx",
    "quoted-printable soup": lambda: _plain(b"=41=\r\n" * 600_000, encoding=b"quoted-printable"),
    "quoted-printable, only =": lambda: _plain(b"=" * (4 * MEGABYTE), encoding=b"quoted-printable"),
    "quoted-printable, blanks before line ends": lambda: _plain(
        (b" " * 3000 + b"\n") * 1000, encoding=b"quoted-printable"
    ),
    "quoted-printable of kanji": lambda: _plain(
        quopri.encodestring("山田様 ".encode() * 60_000), encoding=b"quoted-printable"
    ),
    "base64 of base64": lambda: _plain(_one_in_another(6), encoding=b"base64"),
    "base64 that is none": lambda: _plain(b"!" * (4 * MEGABYTE), encoding=b"base64"),
    "base64 padding": lambda: _plain(b"QQ==" * MEGABYTE, encoding=b"base64"),
    "uuencode": lambda: _plain(b"begin 644 a\n" + b"M" + b"`" * 60 + b"\n" * 50_000, encoding=b"x-uuencode"),
    "many boundaries": lambda: _many_parts(400_000),
    "499 parts": lambda: _many_parts(499),
    "249 reported messages": lambda: _many_messages(249),
    "boundaries that are almost": lambda: MIXED + b"--c\r\n" * 600_000,
    "boundary of dashes": lambda: _mixed(b"-" * 60) + b"-" * (3 * MEGABYTE),
    "boundary of one letter in a line of it": lambda: _mixed(b"a") + b"--a" * MEGABYTE,
    "messages 1,000 deep": lambda: _deep_messages(1_000),
    "messages 50,000 deep": lambda: _deep_messages(50_000),
    "multipart 1,000 deep": lambda: _deep_multipart(1_000),
    "multipart 30,000 deep": lambda: _deep_multipart(30_000),
    "200,000 lines with addresses": lambda: _plain(
        b"".join(b"taro%d@example.jp wrote\r\n" % n for n in range(200_000))
    ),
    "27,000 needles and a notice": lambda: _forwarded(
        FROM_CUSTOMER, b"".join(b"t%05d@e.example\r\n" % n for n in range(9_000))
    ),
    "200,000 links": lambda: _plain(b"".join(b"https://x.example/u/a8f3kz%06d?m=taro\r\n" % n for n in range(100_000))),
    "a link of 3 MB": lambda: _plain(b"https://x.example/" + b"a/" * (3 * MEGABYTE // 2)),
    "JSON-looking": lambda: b'{"Version": "4", "a": [' + b'{"b": ' * 300_000,
    "JSON lists 900,000 deep": lambda: b"[" * 900_000,
    "JSON in a body": lambda: _plain(b'{"reporter": "' + b"a" * (2 * MEGABYTE) + b'"}'),
    "JSON with 100,000 reporters": lambda: json.dumps(
        {"Reporter": [{"contact": f"t{n}@e.example"} for n in range(100_000)]}
    ).encode(),
    "JSON with one huge number": lambda: b'{"a": ' + b"9" * 400_000 + b"}",
    "headers in a body": lambda: _plain(RECEIVED * 40_000),
    "log lines": lambda: _plain(
        b"Nov 20 14:03:12 mx postfix/smtpd[12]: connect from a.example[192.0.2.7]\r\n" * 40_000
    ),
    "a feedback report of 1 MB": lambda: _feedback(b"Original-Rcpt-To: <taro@example.jp>\r\n" * 27_000),
    "a feedback report of folded fields": lambda: _feedback(
        b"Reported-URI:" + b"\r\n http://x.example/" * 40_000 + b"\r\n"
    ),
    "Source-IP of 900 kB": lambda: _feedback(b"Source-IP: " + b"1." * 450_000 + b"\r\n"),
    "delivery status of 1 MB": lambda: _bounce(b"Final-Recipient: rfc822; a@b.example\r\n\r\n" * 25_000),
    "iso-2022-jp that never returns": lambda: _plain(b"\x1b$B" + b'$"' * 1_500_000, b"text/plain; charset=iso-2022-jp"),
    "iso-2022-jp that always turns": lambda: _plain(b'\x1b$B$"\x1b(B' * 400_000, b"text/plain; charset=iso-2022-jp"),
    "shift_jis without second bytes": lambda: _plain(b"\x81\x0a" * 1_500_000, b"text/plain; charset=shift_jis"),
    "no charset, all bytes": lambda: _plain(bytes(range(256)) * 12_000, b"text/plain"),
    "punycode": lambda: _plain(b"xn--" + b"a" * 1_000_000 + b" " + b"xn--a " * 300_000),
    "utf-7": lambda: _plain(b"+AGEAYQ-" * 400_000, b"text/plain; charset=utf-7"),
}
"""By name: each is made when it is asked for; some are 5 MB."""

FROM_CUSTOMER = (
    b"Received: from mail.aozora-shop.example (mail.aozora-shop.example [192.0.2.7])\r\n"
    b"\tby mx.example.jp (Postfix) with ESMTP id 9EE2DDBA94; Fri, 20 Nov 2026 14:03:12 +0900 (JST)\r\n"
    b"From: news@aozora-shop.example\r\nTo: taro@example.jp\r\nSubject: sale\r\n\r\nhello\r\n"
)
"""A message that leads to a notice: its originating address is a customer's."""
