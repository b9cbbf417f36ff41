"""The shapes in which MTAs write the client of a Received field, and what a dialect is made of.

A shape matches the whole FROM clause or not at all, so nothing that a client put into its HELO can move the address:
text in the wrong place matches no shape and the address stays unread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ADDRESS: Final = r"(?P<ip>(?:IPv6:)?[0-9A-Fa-f:.]{2,45}(?:%\w{1,16})?)"
_V4: Final = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"
_PORT: Final = r"(?::(?P<port>\d{1,5}))"
_BRACKETED: Final = rf"\[(?:(?P<ip4>{_V4}):(?P<port_inside>\d{{1,5}})|{_ADDRESS})\]"
_NAME: Final = r"(?P<rdns>[^\s()\[\]@,/]+)(?<!:)"  # `Forwarded-For: [ip]` is no name
_HELO: Final = r"(?P<helo>[^\s()]+)"
_IDENT: Final = r"(?:\"[^\"()]*\"@|[^\s()]*@)"


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


# helo (rdns [ip]), helo ([ip]), helo (unknown[ip]), helo (ident@rdns [ip] (may be forged)), helo ([ip] verified),
# helo ( [ip]): Symantec
PAREN: Final = _shape(
    rf"(?:{_HELO} )?\((?!(?:HELO|EHLO|LHLO) ) ?{_IDENT}?(?:{_NAME} ?)?{_BRACKETED}{_PORT}?"
    r"(?:,? ?\(?(?P<forged>may be forged)\)?| verified)?\)"
)
# rdns ([ip]:port helo=x ident=y): Exim, which leaves helo= out where it equals the confirmed name
EXIM: Final = _shape(
    rf"(?:{_NAME}|\[[0-9A-Fa-f:.]{{2,45}}\]) \({_BRACKETED}{_PORT}?(?: helo=(?P<helo>[^\s()@]*))?(?: ident=[^\s()]*)?\)"
)
# [ip] (helo=x), [ip]:port (helo=x), [ip] (port=1234 helo=x), [ip]
EXIM_NAMELESS: Final = _shape(
    rf"{_BRACKETED}{_PORT}?"
    r"(?: \((?:port=(?P<port_after>\d{1,5}))? ?(?:helo=(?P<helo>[^\s()@]*))?(?: ident=[^\s()]*)?\))?"
)
# rdns (HELO x) (ident@ip): qmail, qmail-ldap, qpsmtpd, IronPort, Zimbra (LHLO)
QMAIL: Final = _shape(
    rf"{_NAME} \((?:HELO|EHLO|LHLO) ?(?P<helo>[^()]*)\) "
    rf"\({_IDENT}?\[?{_ADDRESS}\]?{_PORT}?(?P<auth> with (?:login|plain))?\)"
)
# rdns (ident@ip), rdns (ident@[ip]): qmail and qmail-ldap whose client greeted with its own confirmed name
QMAIL_SAME: Final = _shape(rf"{_NAME} \({_IDENT}?\[?{_ADDRESS}\]?\)")
# helo (ip), helo (ip:port), helo ([ip:port]): Exchange, Office 365, XMail, Momentum
BARE: Final = _shape(rf"{_HELO} \(\[?(?:(?P<ip4>{_V4}){_PORT}|{_ADDRESS})\]?\)")
# helo (rdns [ip] (AS64500 NAME, JP)): Stalwart
WITH_AS: Final = _shape(rf"{_HELO} \({_NAME} {_BRACKETED} \(AS\d{{1,10}}(?: [^()\[\]]{{0,200}})?\)\)")
# account$domain ( [ip] ): Coremail's webmail
COREMAIL: Final = _shape(rf"(?P<auth>[^\s()$]+\$[^\s()$]+) \( {_BRACKETED} \)")
# helo (rdns ip), helo (rdns, ip), helo (rdns/ip): appliances
NAME_AND_BARE: Final = _shape(rf"{_HELO} \({_NAME}(?: ?[,/] ?| ){_ADDRESS}\)")
# helo [ip]: MDaemon, fetchmail, USA.NET
BRACKET_AFTER: Final = _shape(rf"{_HELO} {_BRACKETED}{_PORT}?")
# rdns [ip]: Exim 3
NAME_THEN_BRACKET: Final = _shape(rf"{_NAME} {_BRACKETED}(?: \(helo=(?P<helo>[^\s()@]*)\))?")
# rdns [ip] (EHLO helo): MX Logic
BRACKET_THEN_HELO: Final = _shape(rf"{_NAME} {_BRACKETED} \((?:HELO|EHLO) (?P<helo>[^()]*)\)")
# helo (Not Verified[ip]): MailMarshal
NOT_VERIFIED: Final = _shape(rf"{_HELO} \(Not Verified{_BRACKETED}\)")
# helo from [ip]: Smail 3
FROM_BRACKET: Final = _shape(rf"{_HELO} from {_BRACKETED}")
# [ip] (account user HELO x), [ip] (HELO x), [ip] (account user): CommuniGate
ACCOUNT: Final = _shape(
    rf"{_BRACKETED} \((?P<auth>account [^\s()]+(?=[ )]))?(?: ?(?:HELL?O|EHLO) (?P<helo>[^\s()]*))?\)"
    r"(?P<more> \([^()]*\))?"
)
# [ip] (helo): chasquid
HELO_AFTER: Final = _shape(rf"{_BRACKETED} \((?P<helo>[^\s()]*)\)")
# ip (EHLO helo): Yahoo
BARE_THEN_HELO: Final = _shape(rf"{_ADDRESS} \((?:HELO|EHLO) (?P<helo>[^()]*)\)")
# ip (SquirrelMail authenticated user x): webmail
WEBMAIL: Final = _shape(rf"\[?{_ADDRESS}\]? \((?P<auth>(?:SquirrelMail )?(?:authenticated )?user) [^()]*\)")
# [ip], ip, ip:port and nothing beside it
ALONE: Final = _shape(rf"\[?(?:(?P<ip4>{_V4}){_PORT}|{_ADDRESS})\]?{_PORT.replace('port', 'port_after')}?")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way of writing Received fields.

    word: stands somewhere in the BY clause, in this case of letters (a quick test before the mark).
    mark: matched at the start of the BY clause (`by` itself left out), None for the rows that match anything.
    shapes: tried in order against the whole FROM clause. confirmed_names: `rdns` was confirmed by a forward look-up.
    alone_is_peer: `[ip]` with nothing beside it is the connection's address, not what the client said of itself.
    names_client: the word in front of the address is the client's looked-up name, there being no HELO or none recorded.
    logs_in: who hands mail in here has logged in.
    """

    name: str
    word: str
    mark: re.Pattern[str] | None
    shapes: tuple[re.Pattern[str], ...]
    confirmed_names: bool = False
    alone_is_peer: bool = False
    names_client: bool = False
    logs_in: bool = False


def mark(pattern: str) -> re.Pattern[str]:
    """What a BY clause begins with; letters of either case."""
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


HOST: Final = r"\S{1,300} "
"""The host in the BY clause."""
BEFORE_ADDRESSES: Final = r"[^<>@]{0,400}?"
"""Software names count only before the first mail address: what follows may have been chosen by the sender."""
