"""mail-parser as the second reader: its compat32 tree of a message that fast-mail-parser refuses.

Only its tree is used: its bodies, dates and trust walk are wrong for Japanese mail (docs/dependencies.md). It is slow
on hostile input (one compiled expression per boundary, one Python frame per nesting level), so `read` looks first.
"""

from __future__ import annotations

import binascii
import re
from email.generator import BytesGenerator
from email.message import Message
from functools import cache
from io import BytesIO
from typing import Any

from abuse_pipeline.errors import LimitExceeded, MalformedMessage
from abuse_pipeline.fields import Field, lenient_base64, lenient_uuencode
from abuse_pipeline.settings import MailLimits

_BOUNDARY = re.compile(rb"boundary[ \t]*\*?[0-9]*=", re.IGNORECASE)


def read(raw: bytes, limits: MailLimits) -> Message:
    """The compat32 tree of *raw*.

    Raises LimitExceeded when it nests or branches too much to be read safely, MalformedMessage when mail-parser fails.
    """
    from mailparser.exceptions import MailParserRecursionError

    if sum(1 for _ in _BOUNDARY.finditer(raw)) > limits.max_parts:
        raise LimitExceeded(f"more boundaries than max_parts = {limits.max_parts}")
    try:
        message = _tree_reader().from_bytes(raw).message
    except (MailParserRecursionError, RecursionError):
        raise LimitExceeded(f"parts nest deeper than max_depth = {limits.max_depth}") from None
    except Exception as error:  # noqa: BLE001  third-party code on hostile bytes: whatever it raises, staff get the message
        raise MalformedMessage(f"no reader makes a message of it (mail-parser: {type(error).__name__})") from None
    if not isinstance(message, Message):
        raise MalformedMessage("no reader makes a message of it (mail-parser gives no message)")
    return message


@cache
def _tree_reader() -> Any:
    """mail-parser without its decoding of every body and hop, which is slow and which we do not use."""
    from mailparser import MailParser  # 60 ms to import, and most mail never needs it

    class TreeReader(MailParser):  # type: ignore[misc, unused-ignore]
        def parse(self) -> TreeReader:
            return self

    return TreeReader


def content_type(message: Message) -> str:
    return message.get_content_type()


def children(message: Message) -> tuple[Message, ...]:
    """The parts of a multipart; none for a leaf, and none for what the stdlib reads into a message/* part."""
    payload = message.get_payload()
    if message.get_content_maintype() != "multipart" or not isinstance(payload, list):
        return ()
    return tuple(child for child in payload if isinstance(child, Message))


def fields(message: Message) -> tuple[Field, ...]:
    """The header fields as bytes, values unfolded, in order."""
    return tuple((name, _unfold(_as_bytes(value))) for name, value in message._headers)  # type: ignore[attr-defined]


def content(message: Message) -> bytes:
    """The transfer-decoded bytes of a leaf or of a message/* part; damaged encodings give what can be decoded.

    Line ends of what the stdlib parsed into a message/* part are LF.
    """
    payload = message.get_payload()
    if isinstance(payload, list):
        if message.get_content_maintype() == "multipart":
            return b""
        encoded = b"\n".join(_flatten(child) for child in payload if isinstance(child, Message))
    else:
        encoded = _as_bytes(payload)
    return decode_transfer(encoded, str(message.get("Content-Transfer-Encoding", "")))


def decode_transfer(encoded: bytes, encoding: str) -> bytes:
    """A body without its transfer encoding (RFC 2045 section 6), leniently; unknown encodings leave it as it is."""
    encoding = encoding.strip().lower()
    if encoding == "base64":
        return lenient_base64(encoded)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(encoded)
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return lenient_uuencode(encoded)
    return encoded


def _flatten(message: Message) -> bytes:
    out = BytesIO()
    try:
        BytesGenerator(out, mangle_from_=False, maxheaderlen=0).flatten(message)
    except Exception:  # noqa: BLE001  the stdlib's generator fails in many ways on damaged trees; the plain form never does
        lines = (name.encode("utf-8", "replace") + b": " + value for name, value in fields(message))
        payload = message.get_payload()
        return b"\n".join(lines) + b"\n\n" + (_as_bytes(payload) if isinstance(payload, str) else b"")
    return out.getvalue()


def _as_bytes(text: object) -> bytes:
    """Text of the compat32 tree as the bytes it came from (RFC 6532 bytes travel as surrogates there)."""
    return str(text).encode("utf-8", "surrogateescape") if text is not None else b""


def _unfold(value: bytes) -> bytes:
    return re.sub(rb"[\r\n]+", b"", value).strip()
