"""Webmail, and programs that fetch mail from a mailbox."""

from __future__ import annotations

from typing import Final

from abuse_pipeline.trace.dialects.shapes import ALONE, BARE, BRACKET_AFTER, HOST, PAREN, WEBMAIL, Dialect, mark

CLIENTS: Final = (
    Dialect("web", " HTTP", mark(rf"{HOST}(?:via|with) HTTP"), (WEBMAIL, PAREN, ALONE, BARE), alone_is_peer=True),
    Dialect("fetchmail", "with ", mark(rf"{HOST}with (?:IMAP|POP)"), (BRACKET_AFTER, PAREN, BARE, ALONE)),
)
