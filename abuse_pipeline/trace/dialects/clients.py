"""Webmail, and programs that fetch mail from a mailbox."""

from __future__ import annotations

from typing import Final

from abuse_pipeline.trace.dialects.shapes import (
    ALONE,
    BARE,
    BRACKET_AFTER,
    COREMAIL,
    HOST,
    PAREN,
    WEBMAIL,
    Dialect,
    mark,
)

CLIENTS: Final = (
    Dialect(
        "web",
        " HTTP",
        mark(rf"{HOST}(?:(?:\([^()]{{0,100}}\) )?(?:via|with) HTTP|\(via HTTP\))"),
        (WEBMAIL, PAREN, ALONE, BARE),
        alone_is_peer=True,
        names_client=True,
        logs_in=True,
    ),
    # Sun's webmail; where a proxy names another address beside, no shape fits.
    Dialect(
        "mshttpd",
        "(mshttpd)",
        mark(rf"{HOST}\(mshttpd\)"),
        (ALONE,),
        alone_is_peer=True,
        names_client=True,
        logs_in=True,
    ),
    # Its SMTP lines go on `with SMTP id`, and have the generic shapes.
    Dialect("coremail-web", "(Coremail)", mark(rf"{HOST}\(Coremail\)$"), (COREMAIL,)),
    Dialect(
        "fetchmail",
        "with ",
        mark(rf"{HOST}(?:\([^()]{{0,100}}\) )?with (?:IMAP|M?POP)"),
        (BRACKET_AFTER, PAREN, BARE, ALONE),
    ),
)
