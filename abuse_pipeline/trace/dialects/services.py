"""Mailbox providers, senders' services and filters in front of mailboxes, known by their own marks."""

from __future__ import annotations

from typing import Final

from abuse_pipeline.trace.dialects.shapes import (
    ALONE,
    BARE_THEN_HELO,
    EXIM_NAMELESS,
    HOST,
    PAREN,
    QMAIL,
    Dialect,
    mark,
)

_YAHOO: Final = r"(?:\S{1,200}\.yahoo\.com|10(?:\.\d{1,3}){3}) "

SERVICES: Final = (
    Dialect(
        "google",
        ".com with ",
        mark(r"(?:mx|smtp|smtp-relay|aspmx)\.(?:google|gmail|googlemail)\.com with "),
        (PAREN, ALONE),
    ),
    Dialect("yahoo", "with SMTPs", mark(rf"{_YAHOO}with SMTPs\b"), (BARE_THEN_HELO,)),
    Dialect(
        "yahoo-atlas",
        " pod-id ",
        mark(r"\S{1,200}\.yahoo\.com pod-id \S{1,80} with "),
        (BARE_THEN_HELO, ALONE),
        alone_is_peer=True,
    ),
    Dialect(
        "yahoo-groups", "with NNFMP", mark(r"\S{1,200}\.yahoo\.com with NNFMP\b"), (ALONE, QMAIL), alone_is_peer=True
    ),
    Dialect("messagelabs", "id ", mark(rf"{HOST}id [0-9A-F]{{2}}/"), (PAREN, QMAIL, EXIM_NAMELESS), alone_is_peer=True),
)
