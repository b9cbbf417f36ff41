"""mail-parser as the second reader: its compat32 tree of a message that fast-mail-parser refuses.

Only its tree is used: its bodies, dates and trust walk are wrong for Japanese mail (docs/dependencies.md). It is slow
on hostile input (one compiled expression per boundary, one Python frame per nesting level), so `read` looks first.
"""

from __future__ import annotations

import re
from email.generator import BytesGenerator
from email.message import Message
from functools import cache
from io import BytesIO
from typing import Any

from abuse_pipeline.errors import LimitExceeded, MalformedMessage
from abuse_pipeline.fields import Field
from abuse_pipeline.settings import MailLimits

_MAX_LINES = 1_000_000
_BOUNDARY = re.compile(rb"boundary[ \t]*\*?[0-9]*=", re.IGNORECASE)


def read(raw: bytes, limits: MailLimits) -> Message:
    """The compat32 tree of *raw*.

    Raises LimitExceeded when it nests or branches too much to be read safely, MalformedMessage when mail-parser fails.
    """
    from mailparser.exceptions import MailParserRecursionError

    if raw.count(b"\n") > _MAX_LINES:
        raise LimitExceeded(f"a message with more than {_MAX_LINES} lines that only the second, slow reader could read")
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
    _check_depth(message, limits)
    return message


def _check_depth(root: Message, limits: MailLimits) -> None:
    level = [root]
    for _ in range(limits.max_depth):
        payloads = [message.get_payload() for message in level]
        children = (child for payload in payloads if isinstance(payload, list) for child in payload)
        level = [child for child in children if isinstance(child, Message)]
    if level:
        raise LimitExceeded(f"parts nest deeper than max_depth = {limits.max_depth}")


@cache
def _tree_reader() -> Any:
    """mail-parser without its decoding of every body and hop, which is slow and which we do not use."""
    from mailparser import MailParser  # 60 ms to import, and most mail never needs it

    class TreeReader(MailParser):  # type: ignore[misc, unused-ignore]
        def parse(self) -> TreeReader:
            return self

    return TreeReader


def children(message: Message) -> tuple[Message, ...]:
    """The parts of a multipart; none for a leaf, and none for what the stdlib reads into a message/* part."""
    payload = message.get_payload()
    if message.get_content_maintype() != "multipart" or not isinstance(payload, list):
        return ()
    return tuple(child for child in payload if isinstance(child, Message))


def fields(message: Message) -> tuple[Field, ...]:
    """The header fields as bytes, values unfolded, in order."""
    return tuple((name, _unfold(_as_bytes(value))) for name, value in message._headers)  # type: ignore[attr-defined]


def encoded_content(message: Message) -> bytes:
    """The body of a leaf or of a message/* part, still in its transfer encoding.

    Line ends of what the stdlib parsed into a message/* part are LF.
    """
    # Not get_payload(), which decodes by the declared charset and puts U+FFFD where that does not fit.
    payload = message._payload  # type: ignore[attr-defined]
    if isinstance(payload, list):
        if message.get_content_maintype() == "multipart":
            return b""
        return b"\n".join(_flatten(child) for child in payload if isinstance(child, Message))
    return _as_bytes(payload)


def _flatten(message: Message) -> bytes:
    out = BytesIO()
    try:
        BytesGenerator(out, mangle_from_=False, maxheaderlen=0).flatten(message)
    except Exception:  # noqa: BLE001  the stdlib's generator fails in many ways on damaged trees; the plain form never does
        lines = (name.encode("utf-8", "replace") + b": " + value for name, value in fields(message))
        payload = message._payload  # type: ignore[attr-defined]
        return b"\n".join(lines) + b"\n\n" + (_as_bytes(payload) if isinstance(payload, str) else b"")
    return out.getvalue()


def _as_bytes(text: object) -> bytes:
    """Text of the compat32 tree as the bytes it came from (RFC 6532 bytes travel as surrogates there)."""
    return str(text).encode("utf-8", "surrogateescape") if text is not None else b""


def _unfold(value: bytes) -> bytes:
    return re.sub(rb"[\r\n]+", b"", value).strip()
