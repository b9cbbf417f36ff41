"""Mail servers that people run themselves (RFC 5321 section 4.4; documentation and source of each MTA; FACTS B5)."""

from __future__ import annotations

from typing import Final

from abuse_pipeline.trace.dialects.shapes import (
    ACCOUNT,
    ALONE,
    BARE,
    BEFORE_ADDRESSES,
    BRACKET_AFTER,
    EXIM,
    EXIM_NAMELESS,
    FROM_BRACKET,
    HOST,
    NAME_THEN_BRACKET,
    PAREN,
    Dialect,
    mark,
)

SERVERS: Final = (
    Dialect("postfix", "(Postfix", mark(rf"{HOST}\(Postfix\b"), (PAREN,), confirmed_names=True),
    Dialect(
        "exim",
        "(Exim",
        mark(rf"{HOST}{BEFORE_ADDRESSES}\(Exim\b"),
        (EXIM, EXIM_NAMELESS, NAME_THEN_BRACKET),
        confirmed_names=True,
        alone_is_peer=True,
    ),
    Dialect("sendmail", "(8.", mark(rf"{HOST}\(8\.\d"), (PAREN,), confirmed_names=True),
    Dialect(
        "exchange", "with ", mark(rf"{HOST}(?:\(\S+\) )?with (?:Microsoft SMTP Server|mapi|HTTPS)\b"), (BARE, PAREN)
    ),
    Dialect("smtpsvc", "SMTPSVC", mark(rf"{HOST}with Microsoft SMTPSVC"), (PAREN,)),
    Dialect("mdaemon", "(MDaemon", mark(rf"{HOST}{BEFORE_ADDRESSES}\(MDaemon"), (PAREN, BRACKET_AFTER, BARE)),
    Dialect("smail", "Smail", mark(rf"{HOST}\([^()]{{0,60}}Smail3"), (FROM_BRACKET, PAREN)),
    Dialect("xmail", "[XMail", mark(rf"{HOST}with \[XMail"), (BARE,)),
    Dialect("communigate", "(CommuniGate", mark(rf"{HOST}\(CommuniGate"), (ACCOUNT, PAREN, ALONE), alone_is_peer=True),
)
