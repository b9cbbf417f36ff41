"""How the various MTAs write the FROM clause of a Received field: data, one row each.

A row says by which mark in the BY clause the dialect is known, in which shapes it writes its client, and whether the
client's name in it was looked up *and* confirmed (then it cannot be chosen by the client). To add a dialect, add a row
and a file with its lines in tests/trace/dialects/: docs/trace.md, "A new dialect".
"""

from __future__ import annotations

from typing import Final

from abuse_pipeline.trace.dialects.clients import CLIENTS
from abuse_pipeline.trace.dialects.filters import FILTERS
from abuse_pipeline.trace.dialects.japan import JAPAN
from abuse_pipeline.trace.dialects.servers import SERVERS
from abuse_pipeline.trace.dialects.services import SERVICES
from abuse_pipeline.trace.dialects.shapes import (
    ACCOUNT,
    ALONE,
    BARE,
    BRACKET_AFTER,
    EXIM,
    EXIM_NAMELESS,
    NAME_AND_BARE,
    PAREN,
    QMAIL,
    QMAIL_SAME,
    WEBMAIL,
    Dialect,
)

DIALECTS: Final = (*SERVERS, *SERVICES, *FILTERS, *JAPAN, *CLIENTS)
"""The first whose mark fits is taken; the order matters only where two marks fit one line."""

GENERIC: Final = Dialect(
    "unknown software",
    "",
    None,
    (PAREN, EXIM, QMAIL, BARE, ACCOUNT, WEBMAIL, EXIM_NAMELESS, BRACKET_AFTER, NAME_AND_BARE, QMAIL_SAME, ALONE),
)


_ROWS: Final = tuple((row.word, row.mark.match, row) for row in DIALECTS if row.mark is not None)
_ROWS_WITHOUT_COMMENT: Final = tuple(row for row in _ROWS if "(" not in row[0])


def dialect_of(by_clause: str) -> Dialect:
    """The dialect whose mark *by_clause* (what follows `by `) bears, or the generic one."""
    for word, bears, dialect in _ROWS if "(" in by_clause else _ROWS_WITHOUT_COMMENT:
        if word in by_clause and bears(by_clause):
            return dialect
    return GENERIC
