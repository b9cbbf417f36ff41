"""Made-up people, and the ways in which a string of theirs could hide in a finished message."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import quopri
import random
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from ipaddress import ip_address, ip_network
from urllib.parse import quote
from zoneinfo import ZoneInfo

from abuse_pipeline.model import Customer, Moment, NoticeFact
from abuse_pipeline.notices import NoticeRequest, ProviderFacts, ReportedFact, compose_notice


def _words(text: str) -> list[str]:
    return text.split()


FAMILY = _words("佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 清水 斎藤 髙﨑")
GIVEN = _words("太郎 花子 健一 美咲 大輔 陽菜 翔太 さくら 直樹 恵子 リサ 一郎 由美 蓮 結衣")
ROMAJI_FAMILY = _words("sato suzuki takahashi tanaka ito watanabe yamamoto nakamura kobayashi kato yoshida yamada mori")
ROMAJI_GIVEN = _words("taro hanako kenichi misaki daisuke hina shota sakura naoki keiko liam may mark ken olga")

PROVIDER = ProviderFacts("Example Hosting", "abuse@hosting.example.jp", "〒100-0000 東京都千代田区見本町1-2-3")
CUSTOMERS = (
    Customer("C-1042", "株式会社見本商事", "admin@mihon.example"),
    Customer("C-7", "Example Trading Inc.", "noc@trading.example", "en"),
    Customer("C-88", "東北さくら印刷有限会社", "info@sakura-print.example.jp"),
    Customer("C-9", "長谷川 一郎", "hasegawa@shop.example"),
)


class Person:
    """A reporter: every string here must never reach a customer."""

    def __init__(self, chance: random.Random) -> None:
        family, given = chance.choice(FAMILY), chance.choice(GIVEN)
        local = f"{chance.choice(ROMAJI_GIVEN)}.{chance.choice(ROMAJI_FAMILY)}{chance.randrange(100)}"
        self.name = f"{family} {given}"
        self.domain = f"{chance.choice(ROMAJI_FAMILY)}-{chance.randrange(1000)}.example"
        self.address = f"{local}@{self.domain}"
        self.phone = f"0{chance.randrange(3, 9)}-{chance.randrange(1000, 9999)}-{chance.randrange(1000, 9999)}"
        self.token = f"{chance.getrandbits(64):016x}"
        self.ip = f"203.0.113.{chance.randrange(1, 255)}"

    def strings(self) -> tuple[str, ...]:
        return (self.address, self.name, self.name.replace(" ", ""), self.domain, self.token)


def clean_notice(chance: random.Random, customer: Customer | None = None) -> bytes:
    kinds = (
        ("messaging", "spam", "mail"),
        ("connection", "login_attack", "attack"),
        ("content", "phishing", "content"),
    )
    facts = []
    for _ in range(chance.choice((1, 1, 2, 6))):
        category, kind, about = chance.choice(kinds)
        at = datetime(2026, chance.randrange(1, 13), chance.randrange(1, 29), chance.randrange(24), 3, 12, tzinfo=UTC)
        location = "https://www.shop.example/login/index.html" if about == "content" else None
        ip = ip_address(f"192.0.2.{chance.randrange(1, 15)}")
        facts.append(NoticeFact(category, kind, about, ip, ip_network("192.0.2.0/28"), Moment(at), None, location))  # type: ignore[arg-type]
    reporters, count = chance.choice((1, 5, 12)), 12
    request = NoticeRequest(
        provider=PROVIDER,
        customer=customer or chance.choice(CUSTOMERS),
        facts=tuple(ReportedFact(fact, count, frozenset(range(reporters))) for fact in facts),
        minimum_reporters=5,
        time_precision="hour",
        zone=ZoneInfo("Asia/Tokyo"),
        message_id=f"<{chance.getrandbits(96):024x}@hosting.example.jp>",
        date=datetime(2026, chance.randrange(1, 13), 20, 6, tzinfo=UTC),
        token=base64.b32encode(chance.randbytes(5)).decode(),
    )
    return compose_notice(request)


def _body(message: bytes, text: str) -> bytes:
    """*message* with a line more in its body, in the encoding that the body has."""
    head, _, body = message.partition(b"\r\n\r\n")
    line = f"\r\n{text}\r\n".encode("utf-8", "surrogatepass")
    if b"base64" in head:
        return head + b"\r\n\r\n" + base64.encodebytes(base64.b64decode(body) + line).replace(b"\n", b"\r\n")
    if not line.isascii():
        head = head.replace(b"7bit", b"8bit")
    return head + b"\r\n\r\n" + body + line


def _header(message: bytes, name: str, value: bytes) -> bytes:
    return name.encode() + b": " + value + b"\r\n" + message


def _attached(message: bytes, content: bytes, name: str = "a.bin") -> bytes:
    outer = EmailMessage()
    outer["Subject"] = "notice"
    outer.set_content("see the attachment")
    outer.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return outer.as_bytes()


def _zip(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes.txt", text)
    return packed.getvalue()


def _charset(message: bytes, text: str, charset: str) -> bytes:
    content = f"お知らせ {text} 以上".encode(charset, "ignore")
    head = f"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\n"
    return head.encode() + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content)


def _word(text: str, charset: str, kind: str) -> bytes:
    data = text.encode(charset, "ignore")
    if kind == "B":
        return f"=?{charset}?B?{base64.b64encode(data).decode()}?=".encode()
    return f"=?{charset}?Q?{''.join(f'={byte:02X}' for byte in data)}?=".encode()


def _split_word(text: str) -> bytes:
    data = text.encode()
    middle = len(data) // 2
    pieces = (base64.b64encode(piece).decode() for piece in (data[:middle], data[middle:]))
    return "\r\n ".join(f"=?utf-8?B?{piece}?=" for piece in pieces).encode()


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _rot13(text: str) -> str:
    return text.translate(str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm"))


def _b64(text: str, lead: int) -> str:
    return base64.b64encode(("x" * lead + text).encode()).decode()


Plant = Callable[[bytes, str], bytes]

TECHNIQUES: dict[str, Plant] = {
    "plain": lambda m, s: _body(m, f"連絡先 {s} まで"),
    "upper case": lambda m, s: _body(m, s.upper()),
    "full width": lambda m, s: _body(m, _wide(s)),
    "zero width": lambda m, s: _body(m, "\u200b".join(s)),
    "soft hyphens": lambda m, s: _body(m, "\u00ad".join(s)),
    "spaced": lambda m, s: _body(m, " ".join(s)),
    "dotted": lambda m, s: _body(m, "・".join(s)),
    "one character a line": lambda m, s: _body(m, "\r\n".join(s)),
    "cyrillic look-alikes": lambda m, s: _body(m, s.replace("a", "а").replace("o", "о").replace("e", "е")),
    "entities": lambda m, s: _body(m, "".join(f"&#{ord(c)};" for c in s)),
    "entities twice": lambda m, s: _body(m, html.escape("".join(f"&#x{ord(c):x};" for c in s))),
    "tags between": lambda m, s: _body(m, "<b></b>".join(s)),
    "percent": lambda m, s: _body(m, "".join(f"%{b:02X}" for b in s.encode())),
    "percent twice": lambda m, s: _body(m, quote("".join(f"%{b:02x}" for b in s.encode()))),
    "percent in euc-jp": lambda m, s: _body(m, "".join(f"%{b:02X}" for b in s.encode("euc_jp", "ignore"))),
    "base64, first alignment": lambda m, s: _body(m, _b64(s, 0)),
    "base64, second alignment": lambda m, s: _body(m, _b64(s, 1)),
    "base64, third alignment": lambda m, s: _body(m, _b64(s, 2)),
    "base64 in a link": lambda m, s: _body(
        m, "https://x.example/?u=" + base64.urlsafe_b64encode(s.encode()).decode().rstrip("=")
    ),
    "base64 behind one letter": lambda m, s: _body(m, "q" + _b64(s, 0)),
    "base64 behind two letters": lambda m, s: _body(m, "qZ" + _b64(s, 0)),
    "base64 behind three letters": lambda m, s: _body(m, "qZ7" + _b64(s, 0)),
    "base64 twice": lambda m, s: _body(m, base64.b64encode(_b64(s, 0).encode()).decode()),
    "base64 of iso-2022-jp": lambda m, s: _body(m, base64.b64encode(s.encode("iso2022_jp", "ignore")).decode()),
    "hexadecimal": lambda m, s: _body(m, s.encode().hex()),
    "hexadecimal, spaced": lambda m, s: _body(m, s.encode().hex(" ").upper()),
    "hexadecimal of cp932": lambda m, s: _body(m, s.encode("cp932", "ignore").hex()),
    "quoted-printable in text": lambda m, s: _body(m, "".join(f"={b:02X}" for b in s.encode())),
    "backslash u": lambda m, s: _body(m, "".join(f"\\u{ord(c):04x}" for c in s)),
    "backwards": lambda m, s: _body(m, s[::-1]),
    "rot13": lambda m, s: _body(m, _rot13(s)),
    "md5": lambda m, s: _body(m, hashlib.md5(s.encode()).hexdigest()),
    "sha1": lambda m, s: _body(m, hashlib.sha1(s.encode()).hexdigest().upper()),
    "sha256": lambda m, s: _body(m, "id=" + hashlib.sha256(s.encode()).hexdigest()),
    "sha256 in base64": lambda m, s: _body(m, base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()),
    "subject, plain": lambda m, s: _header(m, "Subject", s.encode()),
    "subject, B": lambda m, s: _header(m, "X-Note", _word(s, "utf-8", "B")),
    "subject, Q": lambda m, s: _header(m, "X-Note", _word(s, "utf-8", "Q")),
    "subject, iso-2022-jp": lambda m, s: _header(m, "X-Note", _word(s, "iso-2022-jp", "B")),
    "subject, shift_jis": lambda m, s: _header(m, "X-Note", _word(s, "shift_jis", "B")),
    "subject, a character cut in two": lambda m, s: _header(m, "X-Note", _split_word(s)),
    "raw 8 bit in a field": lambda m, s: _header(m, "X-Note", s.encode("euc_jp", "ignore")),
    "body in iso-2022-jp": lambda m, s: _charset(m, s, "iso-2022-jp"),
    "body in cp932": lambda m, s: _charset(m, s, "cp932"),
    "body in euc-jp": lambda m, s: _charset(m, s, "euc-jp"),
    "body in utf-16": lambda m, s: _charset(m, s, "utf-16"),
    "body in quoted-printable": lambda m, s: (
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + quopri.encodestring(("前" * 20 + s).encode())
    ),
    "attachment": lambda m, s: _attached(m, s.encode()),
    "attachment name": lambda m, s: _attached(m, b"x", f"{s}.pdf"),
    "gzip": lambda m, s: _attached(m, gzip.compress(s.encode())),
    "zip": lambda m, s: _attached(m, _zip(s)),
    "zip in base64 in the body": lambda m, s: _body(m, base64.encodebytes(_zip(s)).decode()),
    "before the first boundary": lambda m, s: _attached(m, b"x").replace(b"\n--", b"\n" + s.encode() + b"\n--", 1),
}
"""Applied to ASCII and Japanese strings alike; where a charset lacks a character the technique is not tried."""

SPOKEN: dict[str, Plant] = {
    "[at] and (dot)": lambda m, s: _body(m, s.replace("@", " [at] ").replace(".", "(dot)")),
    "VERP": lambda m, s: _body(m, f"bounce-{s.replace('@', '=')}@list.example"),
    "local part alone": lambda m, s: _body(m, f"宛先 {s.partition('@')[0]} です"),
}
"""For mail addresses only."""
