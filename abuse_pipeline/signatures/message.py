"""The bytes that a signature covers: header fields as written, and the body in its canonical forms (RFC 6376, 3.4).

Linear in the size of the message; what is too large is not read at all. A message kept with bare LF line ends is read
as it was sent, with CRLF (section 5.3).
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Final

SignedField = tuple[bytes, bytes]
"""Name as written, value as written with its folds and the final CRLF."""

_MOST_BYTES: Final = 5_000_000
_MOST_HEADER_BYTES: Final = 262_144
_MOST_FIELDS: Final = 600
_NAME: Final = re.compile(rb"([!-9;-~]{1,100}):")
_MBOX: Final = (b"From ", b">From ")


@dataclass(frozen=True, eq=False)
class SignedMessage:
    """fields: topmost first. body: with CRLF line ends."""

    fields: tuple[SignedField, ...]
    body: bytes = field(repr=False)

    def body_hash(self, canonicalization: bytes) -> tuple[bytes, int] | None:
        """SHA-256 of the body in base64, and the length that was hashed; None for an algorithm that is not known."""
        return {b"simple": self._simple, b"relaxed": self._relaxed}.get(canonicalization)

    @cached_property
    def _simple(self) -> tuple[bytes, int]:
        return _hashed(_without_empty_lines(self.body))

    @cached_property
    def _relaxed(self) -> tuple[bytes, int]:
        body = self.body.replace(b"\t", b" ")
        while b"  " in body:  # each pass halves the longest run; a regular expression needs seconds for five megabytes
            body = body.replace(b"  ", b" ")
        body = _without_empty_lines(body.replace(b" \r\n", b"\r\n"))
        return _hashed(b"" if body == b"\r\n" else body)


def read_message(raw: bytes) -> SignedMessage | None:
    """*raw* as a signer saw it; None when it is too large, or when its header holds a line that is no field.

    Such a line ends the header for some readers and not for others: a signature would vouch for fields that others see
    in the body.
    """
    if len(raw) > _MOST_BYTES:
        return None
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    text = raw.replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    text = text.lstrip(b" \t\r\n")  # blank lines that a browser saved in front, as mail.py takes them off
    end = text.find(b"\r\n\r\n") + 2
    header, body = (text[:end], text[end + 2 :]) if end != 1 else (text, b"")
    if len(header) > _MOST_HEADER_BYTES:
        return None
    fields = _fields(header)
    return None if fields is None else SignedMessage(fields, body)


def _fields(header: bytes) -> tuple[SignedField, ...] | None:
    fields: list[tuple[bytes, list[bytes]]] = []
    for number, line in enumerate(header.removesuffix(b"\r\n").split(b"\r\n") if header else ()):
        named = _NAME.match(line)
        if line.startswith((b" ", b"\t")):
            if not fields:
                return None
            fields[-1][1].append(line)
        elif number == 0 and line.startswith(_MBOX):
            continue
        elif named is None or len(fields) == _MOST_FIELDS:
            return None
        else:
            fields.append((named[1], [line[named.end() :]]))
    return tuple((name, b"\r\n".join(lines) + b"\r\n") for name, lines in fields)


def _without_empty_lines(body: bytes) -> bytes:
    """*body* with exactly one CRLF at its end. A bare CR there is no line end, and stays."""
    kept = body.rstrip(b"\r\n")
    tail = body[len(kept) :]
    if tail.endswith(b"\r"):
        return body + b"\r\n"
    return kept + tail[: tail.rfind(b"\r\r") + 1] + b"\r\n"


def _hashed(body: bytes) -> tuple[bytes, int]:
    return b64encode(sha256(body).digest()), len(body)
