"""Write a plain-text message: RFC 5322 header fields, CRLF, 7-bit clean, the same bytes for the same arguments."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

_ADDRESS = re.compile(r"""[^\s<>()\[\],;:\\"@]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?""")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,240}>")
_ENCODED_CHUNK = 45

FIXED = (
    "Auto-Submitted: auto-generated",
    "Auto-Submitted: auto-replied",
    "X-Abuse-Desk: 1",
    "Message-ID: <",
    "In-Reply-To: <",
    "References: <",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 7bit",
    "Content-Transfer-Encoding: base64",
    "Content-Language: en",
    "Content-Language: ja",
)
"""The fixed header text of every letter, for the list of common property."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mail address with the name to show beside it."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to write. extra: further fields in order, values in ASCII."""

    sender: Mailbox
    recipient: Mailbox
    subject: str
    date: datetime
    message_id: str
    language: str
    body: str
    extra: Sequence[tuple[str, str]] = ()


def write_letter(letter: Letter) -> bytes:
    """The finished bytes. Raises ValueError on an address that cannot stand in a header field or a naive date."""
    if letter.date.tzinfo is None:
        raise ValueError("the date of a message needs a zone")
    encoding, body = _encoded_body(letter.body)
    fields = (
        ("From", _mailbox(letter.sender)),
        ("To", _mailbox(letter.recipient)),
        ("Subject", _phrase(letter.subject)),
        ("Date", format_datetime(letter.date)),
        ("Message-ID", own_message_id(letter.message_id, letter.sender.address)),
        *letter.extra,
        ("MIME-Version", "1.0"),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", encoding),
        ("Content-Language", letter.language),
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return head.encode("ascii") + b"\r\n" + body


def own_message_id(message_id: str, sender: str) -> str:
    """*message_id* in angle brackets, at the sender's domain when it names none. Raises ValueError when unfit."""
    inner = message_id.strip().strip("<>")
    full = f"<{inner}>" if "@" in inner else f"<{inner}@{sender.rpartition('@')[2]}>"
    if not _MESSAGE_ID.fullmatch(full):
        raise ValueError("the message id is not one (RFC 5322 section 3.6.4)")
    return full


def plain_message_ids(candidates: Iterable[str]) -> tuple[str, ...]:
    """Those of *candidates* that are message ids: what a stranger wrote there must not become other fields."""
    return tuple(found for found in (text.strip() for text in candidates) if _MESSAGE_ID.fullmatch(found))


def one_line(text: str) -> str:
    """*text* without line ends and control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _mailbox(box: Mailbox) -> str:
    local, at, domain = box.address.rpartition("@")
    try:
        address = f"{local}{at}{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        raise ValueError("the domain of the address cannot be written in ASCII (RFC 5890)") from None
    if not (_ADDRESS.fullmatch(address) and address.isascii() and address.isprintable()):
        raise ValueError("the address cannot stand in a header field (RFC 5322 section 3.4)")
    name = one_line(box.name)
    if not name:
        return address
    if name.isascii():
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"\r\n <{address}>' if len(name) + len(address) > 60 else f'"{escaped}" <{address}>'
    return f"{_encoded_words(name)}\r\n <{address}>"


def _phrase(text: str) -> str:
    text = one_line(text)
    return text if text.isascii() and len(text) < 66 and "=?" not in text else _encoded_words(text)


def _encoded_words(text: str) -> str:
    """RFC 2047 B encoding, one word a line, never splitting a character."""
    chunks = [""]
    for char in text:
        if len((chunks[-1] + char).encode()) > _ENCODED_CHUNK:
            chunks.append("")
        chunks[-1] += char
    words = (f"=?utf-8?B?{base64.b64encode(chunk.encode()).decode()}?=" for chunk in chunks)
    return "\r\n ".join(words)


def _encoded_body(body: str) -> tuple[str, bytes]:
    lines = body.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    text = "\r\n".join(lines) + "\r\n"
    if text.isascii() and max(map(len, lines)) < 990 and "\0" not in text:
        return "7bit", text.encode("ascii")
    return "base64", base64.encodebytes(text.encode()).replace(b"\n", b"\r\n")
