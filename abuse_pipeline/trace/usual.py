"""The Received field as nine of ten are written, taken apart by one expression.

It gives what the thorough reader (`received`) finds in the same text, or None: then the thorough one reads it. It takes
plain letters only, in the order of RFC 5321 section 4.4: nothing that could be read two ways, no quotes, no `by` in a
value, no address where no usual software writes one. Which address is the client's is not decided here: that is for the
shapes of the dialect, as with any other field.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_LONGEST: Final = 2_000

_HOST: Final = r"[\w.-]*\w"
_ADDRESS: Final = r"(?:IPv6:)?[0-9A-Fa-f:.]{2,45}(?:%\d{1,5})?"
_LITERAL: Final = rf"\[{_ADDRESS}\]"
_GREETING: Final = rf"(?:{_HOST}|{_LITERAL})"
_TEXT: Final = r"[ -'*-:<-~]*"
_COMMENT: Final = rf" \({_TEXT}(?:\({_TEXT}\){_TEXT})*\)"
"""A comment with at most one level of comments in it; printable ASCII, no semicolon."""

_CLIENT: Final = "|".join(
    (
        rf"{_GREETING} \([\w.-]+ ?{_LITERAL}(?: \(may be forged\))?\)",  # Postfix, sendmail: helo (rdns [ip])
        rf"{_GREETING} \({_LITERAL}(?::\d{{1,5}})?(?: helo=[\w.-]+)?\)",  # Exim: rdns ([ip]:port helo=x), helo ([ip])
        rf"{_GREETING} \({_ADDRESS}\)",  # Exchange, Office 365: helo (ip)
        rf"{_HOST} \(HELO {_HOST}\) \({_ADDRESS}\)",  # qmail: rdns (HELO x) (ip)
        rf"{_LITERAL}(?::\d{{1,5}})? \(helo=[\w.-]+\)",  # Exim, no name: [ip]:port (helo=x)
        rf"{_GREETING} {_LITERAL}",  # fetchmail: helo [ip]
    )
)
_ABOUT_TLS: Final = (
    r"(?: \((?:using TLS[\w.]* with cipher [\w-]+ \(\d+/\d+ bits\)"
    r"(?: key-exchange [\w-]+(?: \(\d+ bits\))?)?(?: server-signature [\w-]+(?: \(\d+ bits\))?)?"
    r"(?: server-digest [\w-]+)?|No client certificate requested|Client did not present a certificate)\))*"
)
# Five letters and more: none of them is one of the words that part a field.
_BY: Final = (
    rf"(?P<by>(?=[^ ]{{5}})[\w.:-]*[\w:])(?:{_COMMENT})*"
    rf"(?: with (?P<protocol>E?SMTPS?|e?smtps?|LMTPS?|HTTPS|IMAP|POP3|mapi|Microsoft SMTP Server)(?:{_COMMENT})*)?"
    rf"(?: id (?P<id>[\w.-]{{5,}})(?:{_COMMENT})*)?(?: via Frontend Transport)?"
    rf"(?: for (?P<angle><)?(?P<recipient>[\w+-][\w.+-]*@[\w.-]*\w)(?(angle)>)(?:{_COMMENT})*)?"
)
_DATE: Final = r" ?;(?P<date>[\w ,:+-]+(?: \([\w+ -]*\))?)"
_FIELD: Final = re.compile(rf"(?:from (?P<client>{_CLIENT}){_ABOUT_TLS} )?by (?P<by_clause>{_BY}){_DATE}", re.ASCII)


class UsualField(NamedTuple):
    """The parts of a usual field.

    client: the FROM clause without remarks on encryption, None when there is none. by_clause: what follows `by `.
    recipient: the address of the FOR clause, without its angle brackets.
    """

    client: str | None
    by_clause: str
    by: str
    protocol: str | None
    queue_id: str | None
    recipient: str | None
    date: str


def usual_field(text: str) -> UsualField | None:
    """The parts of *text*, one Received field with single blanks; None when it is not of the usual kind.

    >>> usual_field("by mx.example.jp with SMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900").queue_id
    '4F2A8'
    """
    if len(text) > _LONGEST:
        return None
    found = _FIELD.fullmatch(text)
    if found is None:
        return None
    return UsualField(*found.group("client", "by_clause", "by", "protocol", "id", "recipient", "date"))
