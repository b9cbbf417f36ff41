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
    HELO_AFTER,
    HOST,
    NAME_THEN_BRACKET,
    PAREN,
    QMAIL,
    QMAIL_SAME,
    WITH_AS,
    Dialect,
    mark,
)

_ENVELOPE: Final = r"(?:\(envelope-from <[^\s<>()]{0,400}>\) )?"
_REMARK: Final = r"(?:\([^()]{0,200}\) )?"

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
    # A name that does not lead back to the address is marked `(may be forged)`, in the makers' own editions too.
    Dialect(
        "sendmail",
        "8.",
        mark(rf"{HOST}\((?!mxl_)(?:[A-Z]\w{{1,20}}(?:\.\d)?[-/])?8\.\d"),
        (PAREN,),
        confirmed_names=True,
    ),
    Dialect("sentrion", "/Switch-", mark(rf"{HOST}\([\w.-]{{1,40}}/Switch-\d"), (PAREN,), confirmed_names=True),
    Dialect(
        "exchange", "with ", mark(rf"{HOST}(?:\(\S+\) )?with (?:Microsoft SMTP Server|mapi|HTTPS)\b"), (BARE, PAREN)
    ),
    Dialect("smtpsvc", "SMTPSVC", mark(rf"{HOST}(?:over TLS secured channel )?with Microsoft SMTPSVC"), (PAREN,)),
    Dialect("mdaemon", "(MDaemon", mark(rf"{HOST}{BEFORE_ADDRESSES}\(MDaemon"), (PAREN, BRACKET_AFTER, BARE)),
    Dialect("smail", "Smail", mark(rf"{HOST}\([^()]{{0,60}}Smail3"), (FROM_BRACKET, PAREN)),
    Dialect("xmail", "[XMail", mark(rf"{HOST}{_REMARK}with \[XMail"), (BARE, PAREN)),
    Dialect("communigate", "(CommuniGate", mark(rf"{HOST}\(CommuniGate"), (ACCOUNT, PAREN, ALONE), alone_is_peer=True),
    # addReceivedHeader in its source: the address of whoever did not log in, and only the HELO of who did.
    Dialect("chasquid", "(chasquid)", mark(rf"{HOST}\(chasquid\)"), (HELO_AFTER,)),
    Dialect("stalwart", "(Stalwart", mark(rf"{HOST}\(Stalwart SMTP\)"), (PAREN, WITH_AS)),
    Dialect("momentum", "(ecelerity", mark(rf"{HOST}{_ENVELOPE}\(ecelerity\b"), (EXIM,), names_client=True),
    Dialect("qmail-ldap", "(qmail-ldap", mark(rf"{HOST}\(qmail-ldap\b"), (QMAIL, QMAIL_SAME), names_client=True),
)
