"""Where each part of a message stands in its bytes.

The readers' trees do not say: fast-mail-parser gives header values already decoded (raw Japanese bytes as Latin-1,
encoded-words cut inside a character as U+FFFD) and nothing for a damaged transfer encoding; the stdlib's tree has lost
the line ends. Who needs the bytes themselves asks here; it costs one search per boundary, and only then.
"""

from __future__ import annotations

import re
from functools import cached_property

from abuse_pipeline.fields import body_of, first, parameters, split_fields


class Place:
    """The bytes of one node, header and body, inside its message.

    raw: those of the root. children: how many parts the reader found in it; where a search finds another number the
    bytes of the parts cannot be told.
    """

    def __init__(self, raw: bytes | None, children: int, parent: Place | None = None, index: int = 0) -> None:
        self._raw = raw
        self._children = children
        self._parent = parent
        self._index = index

    @property
    def is_root(self) -> bool:
        """Whether this is the root of its message, so that nothing has to be searched."""
        return self._parent is None

    @cached_property
    def raw(self) -> bytes | None:
        """Header and body; None where they cannot be told."""
        if self._parent is None:
            return self._raw
        siblings = self._parent.pieces
        return siblings[self._index] if siblings else None

    @cached_property
    def pieces(self) -> list[bytes]:
        """The bytes of each child of a multipart; empty when they do not fit the tree."""
        if self.raw is None:
            return []
        boundary = parameters(first(split_fields(self.raw), "content-type")).get("boundary", "")
        found = split_multipart(body_of(self.raw), boundary)
        return found if len(found) == self._children else []


def split_multipart(body: bytes, boundary: str) -> list[bytes]:
    """The body parts of a multipart body (RFC 2046 section 5.1.1), preamble and epilogue left out."""
    if not boundary:
        return []
    delimiter = re.compile(rb"^--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[^\n]*\n?", re.MULTILINE)
    pieces: list[bytes] = []
    start = -1
    for found in delimiter.finditer(body):
        if start >= 0:
            pieces.append(body[start : max(start, found.start() - _line_end(body, found.start()))])
        start = found.end()
        if found[1]:
            return pieces
    if start >= 0:
        pieces.append(body[start:])
    return pieces


def _line_end(body: bytes, at: int) -> int:
    """The line end before a delimiter belongs to the delimiter."""
    return 2 if body[at - 2 : at] == b"\r\n" else 1
