"""The one safe, bounded view of a message that everything else uses.

`read_mail` reads with fast-mail-parser's lazy tree first and with mail-parser when that refuses. Nothing but our own
ReportError comes out of this module, whatever the bytes are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from abuse_pipeline.settings import MailLimits


@dataclass(frozen=True, slots=True)
class Part:
    """One node of the MIME tree (RFC 2045, 2046).

    content_type: lower-case ``type/subtype`` without parameters. headers: (name as written, unfolded value) in order.
    filename: decoded (RFC 2231, RFC 2047), "" when there is none. children: of a multipart; empty for a leaf.
    message: the embedded message of a message/rfc822 (or message/global) part, else None.
    """

    content_type: str
    headers: tuple[tuple[str, str], ...]
    filename: str = ""
    disposition: str = ""
    charset: str = ""
    children: tuple[Part, ...] = ()
    message: Mail | None = None

    def content(self) -> bytes:
        """The transfer-decoded bytes of a leaf; b"" for a container."""
        raise NotImplementedError

    def text(self) -> str:
        """The leaf's content as text: declared charset if it fits, else detected. Never raises on bad bytes."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as read. raw: its bytes. root: its MIME tree. reader: which reader made it. defects: what was repaired."""

    raw: bytes = field(repr=False)
    root: Part
    reader: str
    defects: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """First value of the field, unfolded, RFC 2047 decoded; None when absent."""
        raise NotImplementedError

    def headers(self, name: str) -> tuple[str, ...]:
        """All values of the field, topmost first, unfolded, RFC 2047 decoded."""
        raise NotImplementedError

    def raw_headers(self, name: str) -> tuple[str, ...]:
        """All values of the field, topmost first, unfolded and otherwise as written (for Received)."""
        raise NotImplementedError

    def all_headers(self) -> tuple[tuple[str, str], ...]:
        """Every field of the message header as (name as written, unfolded value, RFC 2047 decoded)."""
        raise NotImplementedError

    def walk(self) -> Iterator[Part]:
        """Every part, depth first, root included; does not enter embedded messages."""
        raise NotImplementedError

    def text(self) -> str:
        """The body as people read it: the text/plain leaves joined, or text/html rendered when there is no plain text;
        attachments and embedded messages left out."""
        raise NotImplementedError


def read_mail(raw: bytes, limits: MailLimits) -> Mail:
    """Read *raw* as a message (RFC 5322, MIME).

    Raises MalformedMessage when no reader makes a message of it, LimitExceeded past a cap of *limits*.
    """
    raise NotImplementedError
