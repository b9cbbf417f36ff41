"""Mailbox providers, senders' services and filters in front of mailboxes, known by their own marks."""

from __future__ import annotations

from typing import Final

from abuse_pipeline.trace.dialects.shapes import ALONE, EXIM_NAMELESS, HOST, PAREN, QMAIL, Dialect, mark

SERVICES: Final = (
    Dialect("google", ".com with ", mark(r"(?:mx|smtp|smtp-relay|aspmx)\.(?:google|gmail)\.com with "), (PAREN, ALONE)),
    Dialect("messagelabs", "id ", mark(rf"{HOST}id [0-9A-F]{{2}}/"), (PAREN, QMAIL, EXIM_NAMELESS), alone_is_peer=True),
)
