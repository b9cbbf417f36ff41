"""Random abuse reports that lead to a notice, with identities planted wherever real reports carry them.

Two sources of chance: one decides what happened (customer, kind, times, format, encodings), one who the people are. The
same happening with other people must give the same notice.
"""

from __future__ import annotations

import base64
import hashlib
import quopri
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from people import Person, somebody

_JST = timezone(timedelta(hours=9))
_FIRST = datetime(2026, 11, 1, tzinfo=_JST)
_CRLF = "\r\n"

# customer: an address of his in config/assignments.csv
SENDERS = {
    "C-1042": "192.0.2.7",
    "C-1043": "192.0.2.18",
    "C-1051": "192.0.2.33",
    "C-1080": "2001:db8:100:4200::25",
    "C-1081": "2001:db8:100:4300::25",
}


@dataclass(frozen=True)
class Happening:
    """What one customer's machine sent. feedback: how an ARF report calls it."""

    customer: str
    feedback: str
    start: datetime

    @property
    def ip(self) -> str:
        return SENDERS[self.customer]


@dataclass(frozen=True)
class MadeReport:
    """raw: the report as it comes in. people: the reporter, and whoever else stands in it."""

    raw: bytes
    people: tuple[Person, ...]


def happenings(chance: random.Random) -> list[Happening]:
    """Spam of every customer, and one kind of something worse; no two in one case."""
    chosen = [(customer, "abuse") for customer in SENDERS]
    chosen.append((chance.choice(list(SENDERS)), chance.choice(("fraud", "virus"))))
    return [Happening(*each, _FIRST + timedelta(hours=chance.randrange(24 * 18))) for each in chosen]


def reports_of(happening: Happening, reporters: int, chance: random.Random, people: random.Random) -> list[MadeReport]:
    """One report each of *reporters* people about *happening*."""
    return [_report(happening, chance, people) for _ in range(reporters)]


def _report(happening: Happening, chance: random.Random, people: random.Random) -> MadeReport:
    reporter, other = somebody(people), somebody(people)
    shape = chance.choice(SHAPES) if happening.feedback == "abuse" else _arf
    if shape is _nested:
        other = replace(other, domain=reporter.domain)  # a colleague
    return MadeReport(shape(happening, reporter, other, _Pen(chance)), (reporter, other))


class _Pen:
    """How one report is written: its charset and encodings."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.charset = chance.choice(("utf-8", "iso-2022-jp", "shift_jis", "euc-jp"))
        self.encoding = chance.choice(("7bit", "8bit", "quoted-printable", "base64"))

    def field(self, text: str) -> str:
        """*text* in a header field: as it is when ASCII, else as encoded words of at most 75 characters."""
        if text.isascii():
            return text
        words = []
        while text:
            length = next(n for n in range(len(text), 0, -1) if len(self._word(text[:n])) <= 75)
            words.append(self._word(text[:length]))
            text = text[length:]
        return f"{_CRLF} ".join(words)

    def _word(self, text: str) -> str:
        data = self.bytes_of(text)
        if self.encoding == "quoted-printable":
            return f"=?{self.charset}?Q?{''.join(f'={byte:02X}' for byte in data)}?="
        return f"=?{self.charset}?B?{base64.b64encode(data).decode()}?="

    def bytes_of(self, text: str) -> bytes:
        """In the charset as mailers use it: Shift_JIS is CP932, the others with their vendor characters."""
        codec = {"shift_jis": "cp932", "iso-2022-jp": "iso2022_jp_ext", "euc-jp": "euc_jisx0213"}
        return text.encode(codec.get(self.charset, self.charset), "replace")

    def body(self, text: str) -> bytes:
        """The fields and the content of one text part."""
        data = self.bytes_of(text)
        encoding = "8bit" if self.encoding == "7bit" and not data.isascii() else self.encoding
        head = f"Content-Type: text/plain; charset={self.charset}{_CRLF}Content-Transfer-Encoding: {encoding}"
        if encoding == "base64":
            data = base64.encodebytes(data)
        elif encoding == "quoted-printable":
            data = quopri.encodestring(data)
        return f"{head}{_CRLF}{_CRLF}".encode() + data

    def date(self, at: datetime) -> str:
        return at.strftime("%a, %d %b %Y %H:%M:%S +0900") + self.chance.choice(("", " (JST)"))


def _wrapped(
    reporter: Person, pen: _Pen, kind: str, parts: Sequence[bytes], receiver: str = "mx1.hosting.example.jp"
) -> bytes:
    """A mail that *reporter* sent to *receiver*, with *parts* after one another."""
    mark = f"=_{reporter.token}"
    sent = _FIRST + timedelta(days=20)
    head = _CRLF.join(
        (
            f"Return-Path: <{reporter.address}>",
            f"Received: from [192.168.1.7] (pc-{reporter.local} [{reporter.ip}])",
            f"\tby {receiver} (Postfix) with ESMTPSA id {reporter.queue_id}",
            f"\tfor <abuse@hosting.example.jp>; {pen.date(sent)}",
            f"From: {pen.field(reporter.name)} <{reporter.address}>",
            f"Reply-To: {reporter.address}",
            "To: abuse@hosting.example.jp",
            f"Subject: {pen.field(f'[{reporter.ticket}] 迷惑メールの報告（{reporter.name}）')}",
            f"Date: {pen.date(sent)}",
            f"Message-ID: <{reporter.token}.{reporter.verp}@{reporter.domain}>",
            f"Organization: {pen.field(reporter.company)}",
            "MIME-Version: 1.0",
            f'Content-Type: {kind}; boundary="{mark}"',
        )
    )
    body = b"".join(f"{_CRLF}--{mark}{_CRLF}".encode() + part for part in parts)
    return head.encode() + _CRLF.encode() + body + f"{_CRLF}--{mark}--{_CRLF}".encode()


def _letter(reporter: Person, pen: _Pen) -> bytes:
    """What a reporter writes, with signature."""
    if reporter.name.isascii():
        text = f"Hello,\n\nmy name is {reporter.name}. The attached mail reached {reporter.address}.\n\nRegards,\n"
        signature = f"{reporter.name}\n{reporter.company}\nphone: {reporter.phone} - case {reporter.ticket}\n"
    else:
        text = f"ご担当者様\n\n{reporter.company}の{reporter.name}と申します。添付の迷惑メールが届きました。\n"
        signature = (
            f"{reporter.company}\n{reporter.name}（{reporter.reading}）\n電話 {reporter.phone}\n{reporter.ticket}\n"
        )
    return pen.body(f"{text}\n-- \n{signature}{reporter.address}\n".replace("\n", _CRLF))


def _spam(happening: Happening, victim: Person, pen: _Pen) -> bytes:
    """What the customer's machine sent to *victim*, as it lies in the mailbox."""
    chance = pen.chance
    at = happening.start + timedelta(minutes=chance.randrange(180), seconds=chance.randrange(60))
    literal = f"IPv6:{happening.ip}" if ":" in happening.ip else happening.ip
    sender = "news.aozora.example"
    digest = hashlib.md5(victim.address.encode(), usedforsecurity=False).hexdigest()
    returned = chance.choice(
        (f"bounce-{victim.token}-{victim.verp}@{sender}", f"SRS0=aB3d=K7={victim.domain}={victim.local}@{sender}",
         f"prvs=1234abcdef={victim.local}@{sender}", f"b+{victim.token}@{sender}")
    )  # fmt: skip
    head = [
        f"Return-Path: <{returned}>",
        f"Delivered-To: {victim.address}",
        f"X-Original-To: {victim.address}",
        f"Received: from {victim.mx} ({victim.mx} [10.1.2.3])",
        f"\tby store.{victim.domain} (Dovecot) with LMTP id {victim.queue_id}",
        f"\tfor <{victim.address}>; {pen.date(at + timedelta(seconds=2))}",
        f"Received: from mail.{sender} (mail.{sender} [{literal}])",
        f"\tby {victim.mx} (Postfix) with ESMTP id {victim.queue_id}",
        f"\tfor <{victim.address}>; {pen.date(at)}",
        f"From: news@{sender}",
        f"To: {pen.field(victim.name)} <{victim.address}>",
        f"Subject: {pen.field(f'{victim.name}様へ特別なご案内')}",
        f"Date: {pen.date(at - timedelta(minutes=1))}",
        f"Message-ID: <{victim.token}.{victim.verp}@{sender}>",
        f"List-Unsubscribe: <https://{sender}/u/{victim.token}>, <mailto:unsub-{victim.token}@{sender}>",
        f"X-Campaign-Recipient: {victim.address}",
        f"X-Member: {pen.field(victim.reading)}",
        f"Feedback-ID: {victim.token}:news:{sender}",
        f"Authentication-Results: {victim.mx}; spf=pass smtp.mailfrom={returned}",
        f"DKIM-Signature: v=1; a=rsa-sha256; d={sender}; s=s1; i=@{sender}; h=From:To; bh=abc=; b={victim.token}",
        "MIME-Version: 1.0",
    ]
    text = (
        f"{victim.name}様\n\n{victim.company} {victim.reading} 様、お世話になっております。\n"
        f"会員番号: {victim.ticket}\nお電話 {victim.phone}\n"
        f"https://{sender}/c/{victim.encoded_address}?m={victim.address}\n"
        f"配信停止 https://{sender}/u/{victim.token}/{digest}\nDear {victim.romaji},\n"
    )
    return _CRLF.join(head).encode() + _CRLF.encode() + pen.body(text.replace("\n", _CRLF))


def _part(kind: str, content: bytes, more: str = "") -> bytes:
    return f"Content-Type: {kind}{_CRLF}{more}{_CRLF}".encode() + content


def _attached(happening: Happening, reporter: Person, other: Person, pen: _Pen) -> bytes:
    parts = (_letter(reporter, pen), _part("message/rfc822", _spam(happening, reporter, pen)))
    return _wrapped(reporter, pen, "multipart/mixed", parts)


def _several(happening: Happening, reporter: Person, other: Person, pen: _Pen) -> bytes:
    """Several messages, one of which reached somebody else in the same organisation."""
    victims = (reporter, other, reporter)[: pen.chance.choice((2, 3))]
    spams = (_part("message/rfc822", _spam(happening, victim, _Pen(pen.chance))) for victim in victims)
    return _wrapped(reporter, pen, "multipart/mixed", (_letter(reporter, pen), *spams))


def _nested(happening: Happening, reporter: Person, other: Person, pen: _Pen) -> bytes:
    """*other*, a colleague, got it and forwarded it at his desk to *reporter*, who forwarded that."""
    inner = (_letter(other, pen), _part("message/rfc822", _spam(happening, other, pen)))
    forward = _wrapped(other, pen, "multipart/mixed", inner, f"store.{reporter.domain}")
    forward = forward.replace(f"(pc-{other.local} [{other.ip}])".encode(), b"(pc-07 [10.1.9.9])", 1)
    return _wrapped(reporter, pen, "multipart/mixed", (_letter(reporter, pen), _part("message/rfc822", forward)))


def _octet_stream(happening: Happening, reporter: Person, other: Person, pen: _Pen) -> bytes:
    name = f"{reporter.local.strip('.')}-{reporter.ticket}.eml"
    more = f'Content-Transfer-Encoding: base64{_CRLF}Content-Disposition: attachment; filename="{name}"{_CRLF}'
    content = base64.encodebytes(_spam(happening, reporter, pen))
    parts = (_letter(reporter, pen), _part(f'application/octet-stream; name="{name}"', content, more))
    return _wrapped(reporter, pen, "multipart/mixed", parts)


def _arf(happening: Happening, reporter: Person, other: Person, pen: _Pen) -> bytes:
    """A feedback loop reports for one of its users, *other*."""
    feedback = _CRLF.join(
        (
            f"Feedback-Type: {happening.feedback}",
            f"User-Agent: {reporter.domain.partition('.')[0]}-fbl/1.0",
            "Version: 1",
            f"Original-Rcpt-To: <{other.address}>",
            f"Original-Mail-From: <b-{other.token}-{other.verp}@news.aozora.example>",
            f"Reporting-MTA: dns; {other.mx}",
            f"Removal-Recipient: {other.address}",
            f"Reported-URI: https://news.aozora.example/c/{other.token}",
            "",
        )
    )
    parts = (
        _letter(reporter, pen),
        _part("message/feedback-report", feedback.encode()),
        _part("message/rfc822", _spam(happening, other, pen)),
    )
    return _wrapped(reporter, pen, "multipart/report; report-type=feedback-report", parts)


SHAPES: tuple[Callable[[Happening, Person, Person, _Pen], bytes], ...] = (
    _attached, _several, _nested, _octet_stream, _arf,
)  # fmt: skip
