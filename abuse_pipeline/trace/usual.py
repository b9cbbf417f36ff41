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

# Possessive throughout (`++`): what a part has taken is not given back, so a field that does not fit fails at once.
_NAME: Final = r"[\w.-]++"
_ADDRESS: Final = r"(?:IPv6:)?[0-9A-Fa-f:.]{2,45}+(?:%\d{1,5}+)?"
_LITERAL: Final = rf"\[{_ADDRESS}\]"
_PORT: Final = r"(?::\d{1,5}+)?"
_TEXT: Final = r"[ -'*-:<-~]*+"
_COMMENT: Final = rf" \({_TEXT}(?:\({_TEXT}\){_TEXT})*+\)"
"""A comment with at most one level of comments in it; printable ASCII, no semicolon."""

_PEER: Final = "|".join(
    (
        rf" \({_NAME} ?{_LITERAL}(?: \(may be forged\))?\)",  # Postfix, sendmail: helo (rdns [ip])
        rf" \({_ADDRESS}\)",  # Exchange, Office 365: helo (ip)
        rf" \({_LITERAL}{_PORT}(?: helo={_NAME})?\)",  # Exim: rdns ([ip]:port helo=x); many: helo ([ip])
        rf" \((?:HELO|EHLO|LHLO) (?:{_NAME}|{_LITERAL})\) \((?:{_ADDRESS}|{_LITERAL})\)",  # qmail, IronPort
        rf"{_PORT} \(helo={_NAME}\)",  # Exim, no name: [ip]:port (helo=x)
        rf" {_LITERAL}",  # fetchmail: helo [ip]
        r"(?= )",  # handed over within a host
    )
)
_ABOUT_TLS: Final = (
    r"(?: \((?:using TLS[\w.]*+ with cipher [\w-]++ \(\d++/\d++ bits\)"
    r"(?: key-exchange [\w-]++(?: \(\d++ bits\))?)?(?: server-signature [\w-]++(?: \(\d++ bits\))?)?"
    r"(?: server-digest [\w-]++)?|No client certificate requested|Client did not present a certificate)\))*+"
)
# Postfix: it stands behind the client's address, where nothing of the client's can stand.
_LOGIN: Final = r"(?P<login> \(Authenticated sender: [\w.+-]++(?:@[\w.-]++)?\))?"
# No host, protocol or id is one of the words that part a field, so none can be missed or made up.
_NO_KEYWORD: Final = r"(?!(?i:from|by|via|with|id|for)[ ;])"
_BY: Final = (
    rf"(?P<by>{_NO_KEYWORD}\w[\w.:-]*+)(?<!\.)(?:{_COMMENT})*+"
    rf"(?: with (?P<protocol>{_NO_KEYWORD}[A-Za-z]{{3,12}}+(?: SMTP Server| SMTPSVC(?=\())?)(?:\([\d.]++\))?"
    rf"(?:{_COMMENT})*+(?: (?P<cipher>tls [\w-]++)(?:{_COMMENT})*+)?)?"
    rf"(?: id <?(?P<id>{_NO_KEYWORD}[\w.+=/@-]++)>?(?:{_COMMENT})*+)?(?: via Frontend Transport)?"
    rf"(?: for (?:<(?P<angled>[\w+-][\w.+-]*+@[\w.-]++)(?<!\.)>|(?P<bare>[\w+-][\w.+-]*+@[\w.-]++)(?<!\.))"
    rf"(?:{_COMMENT})*+)?"
)
_DATE: Final = (
    r" ?;(?P<date> ?(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(?::\d\d(?:\.\d{1,9}+)?)?"
    r" (?:[+-]\d{4}|[A-Z]{1,5}+)(?: ?\([\w+ -]*+\))?)"
)
_FIELD: Final = re.compile(
    rf"(?:from (?P<client>(?:{_NAME}|{_LITERAL})(?:{_PEER})){_ABOUT_TLS}{_LOGIN} )?by (?P<by_clause>{_BY}){_DATE}",
    re.ASCII,
)


class UsualField(NamedTuple):
    """The parts of a usual field.

    client: the FROM clause without remarks on encryption, None when there is none. login: a remark behind the client's
    address says that it logged in. by_clause: what follows `by `, with a blank before each comment. recipient: the
    address of the FOR clause, without its angle brackets.
    """

    client: str | None
    login: bool
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
    if len(text) > _LONGEST or text.count(" by ") > 1:
        return None
    found = _FIELD.fullmatch(text)
    if found is None:
        return None
    client, login, by_clause, by, protocol, cipher, queue_id, angled, bare, date = found.groups()
    if cipher is not None:
        protocol = f"{protocol} {cipher}"
    if "SMTPSVC(" in by_clause:
        by_clause = by_clause.replace("SMTPSVC(", "SMTPSVC (", 1)
    return UsualField(client, login is not None, by_clause, by, protocol, queue_id, angled or bare, date)
