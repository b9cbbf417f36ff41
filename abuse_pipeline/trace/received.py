"""One Received field -> one Hop (RFC 5321 section 4.4 and what MTAs write in reality).

The field is split at its own words outside comments: FROM clause, BY clause, date. What the client chose (HELO, ident,
envelope) may hold anything, so the address is taken only where the dialect of the writing MTA puts the connection's
address (see `dialects`). A field that can be read two ways is not read: the address is None and `defects` says why.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import takewhile
from typing import Final, NamedTuple

from abuse_pipeline.model import Hop, IPAddress, Moment
from abuse_pipeline.trace.clauses import SEVERAL_BY as SEVERAL_BY
from abuse_pipeline.trace.clauses import SEVERAL_DATES, Clauses, address_of, clauses_of, has_address
from abuse_pipeline.trace.clauses import UNBALANCED as UNBALANCED
from abuse_pipeline.trace.dates import parse_date
from abuse_pipeline.trace.dialects import GENERIC, dialect_of
from abuse_pipeline.trace.dialects.shapes import (
    ACCOUNT,
    ALONE,
    BARE,
    EXIM,
    EXIM_NAMELESS,
    NAME_THEN_BRACKET,
    PAREN,
    QMAIL_SAME,
    Dialect,
)
from abuse_pipeline.trace.usual import UsualField, usual_field

LONGEST_FIELD: Final = 65_536

TOO_LONG: Final = "longer than 64 KB"
UNREADABLE: Final = "neither FROM nor BY is where RFC 5321 section 4.4 has them"
NO_CLIENT: Final = "records no client"
LOCAL_USER: Final = "handed in by a user of the host itself"
NO_ADDRESS: Final = "the address of the client is not recorded"
NO_KNOWN_SHAPE: Final = "the address of the client is not where this software writes it"
NOT_AN_ADDRESS: Final = "what stands for the client's address is no address"
TWO_ADDRESSES: Final = "two addresses stand where the client's belongs"
ADDRESS_ALONE: Final = "the address stands alone: it may be what the client said of itself"
NAME_UNCONFIRMED: Final = "the client's name is not confirmed"
NAME_FORGED: Final = "the client's name does not lead back to its address"
NO_BY: Final = "does not say which host wrote it"
NO_DATE: Final = "no date"

_CONTROL: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))
_HAS_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CHATTER: Final = re.compile(
    r"\((?:using (?:TLS|SSL|unknown)|Client (?:CN|did)|No client cert|not verified|TLS[: ]|SSL[: ]|version=|cipher"
    r"|envelope-|misconfigured sender|sender |(?:\S{1,20} )?auth(?:enticated|:| )|user[ =]|added by )",
    re.IGNORECASE,
)
_AUTHENTICATED: Final = re.compile(
    r"\((?:(?:smtp |esmtp |sasl )?auth(?:enticated)?(?=[ :)])|account |SquirrelMail auth|user=)(?![^()]{0,20}\bnone\b)",
    re.IGNORECASE,
)
_LOGGED_IN: Final = re.compile(r"(?:UTF8)?(?:E?SMTPS?A|SMTPSA|ASMTP)|(?:HTTP)?REST|AUTH", re.IGNORECASE)
_SMTP: Final = re.compile(r"(?:UTF8)?(?:[AE]?SMTPS?A?|LMTPS?A?)", re.IGNORECASE)
_PICKUP: Final = ("mail", "pickup", "service")
_KEYWORDS: Final = frozenset({"with", "id", "for", "via"})
_USERS_HAND: Final = re.compile(
    r"\(from |\((?:qmail|nullmailer pid) \d+ invoked by uid|\(Postfix, from userid|\(\S*/Submit\)", re.IGNORECASE
)
_NO_NAME: Final = frozenset(
    (
        *("unknown", "<unknown>", "unknownhost", "unknown_domain", "unverified", "unassigned", "really"),
        *("nxdomain", "dnserror"),
    )
)
"""What MTAs write where the client has no name: OpenSMTPD in angle brackets, Haraka how the look-up failed; InterMail
sets `really` before the address."""
_MAIL_MARKS: Final = frozenset('<>@"')
_SEPARATORS: Final = str.maketrans(dict.fromkeys("<>()[]\"',;:=", " "))


class _Client(NamedTuple):
    """What the FROM clause says."""

    helo: str | None = None
    rdns: str | None = None
    ip: IPAddress | None = None
    port: int | None = None
    authenticated: bool = False
    defects: tuple[str, ...] = ()


_NOBODY: Final = _Client(defects=(NO_CLIENT,))


def read_hop(index: int, raw: str) -> Hop:
    """Read the value of one Received field (folding is taken), the *index*-th of its message from the top.

    Never raises; linear time. What cannot be read is None with the reason in `defects`; fields over 64 KB are not read.
    """
    if len(raw) > LONGEST_FIELD:
        return Hop(index, raw, defects=(TOO_LONG, UNREADABLE))
    if _HAS_CONTROL.search(raw):
        return _thorough_hop(index, raw, " ".join(raw.translate(_CONTROL).split()))
    text = " ".join(raw.split())
    usual = usual_field(text)
    return (usual and _usual_hop(index, raw, text, usual)) or _thorough_hop(index, raw, text)


def _usual_hop(index: int, raw: str, text: str, field: UsualField) -> Hop | None:
    """What `_thorough_hop` gives for the same text, from the parts of a usual field; None when that is not certain."""
    if len(_AUTHENTICATED.findall(text)) != int(field.login):
        return None
    client = _NOBODY
    if field.client is not None:
        dialect = dialect_of(field.by_clause)
        shaped = _shaped(field.client, dialect)
        client = shaped or _Client(helo=None if dialect.names_client else field.client, defects=(NO_ADDRESS,))
        if client.ip is None and (field.login or shaped is not None or " " in field.client or field.client[0] == "["):
            return None
    protocol, login = _usual_protocol(field.protocol) if field.protocol is not None else (None, False)
    by_user = _USERS_HAND.search(text) is not None if field.client is None else _is_local(protocol)
    moment, date_defect = _stamp(field.date)
    lone = field.recipient is not None and text.count("@") == 1
    return Hop(
        index,
        raw,
        helo=None if by_user and client.ip is None else client.helo,
        rdns=client.rdns,
        ip=client.ip,
        port=client.port,
        by=field.by,
        protocol=protocol,
        queue_id=field.queue_id,
        authenticated=client.authenticated or login or field.login,
        stamped_at=moment,
        defects=(*client.defects, *((LOCAL_USER,) if by_user else ()), *date_defect),
        envelope_addresses=(field.recipient,) if lone and field.recipient else _mail_addresses(text),
    )


def _thorough_hop(index: int, raw: str, text: str) -> Hop:
    clauses = clauses_of(text)
    if clauses is None:
        return Hop(index, raw, defects=(UNREADABLE,), envelope_addresses=_mail_addresses(text))
    by_clause = " ".join(clauses.by)
    client = _client(clauses, dialect_of(by_clause))
    words = _keyword_values(clauses.by)
    protocol = _protocol(words) or ("local" if clauses.client is None and not clauses.by else None)
    by_user = clauses.client is None and _USERS_HAND.search(text) is not None
    by_user = by_user or (clauses.client is not None and (_is_local(protocol) or clauses.client[:3] == _PICKUP))
    moment, date_defect = _stamp(clauses.date) if SEVERAL_DATES not in clauses.defects else (None, ())
    by = _host(clauses.by)
    defects = (
        *clauses.defects,
        *client.defects,
        *((LOCAL_USER,) if by_user else ()),
        *((NO_BY,) if by is None else ()),
        *date_defect,
    )
    return Hop(
        index,
        raw,
        helo=None if by_user and client.ip is None else client.helo,
        rdns=client.rdns,
        ip=client.ip,
        port=client.port,
        by=by,
        protocol=protocol,
        queue_id=words.get("id"),
        authenticated=client.authenticated
        or (SEVERAL_BY not in clauses.defects and _by_protocol(protocol, words.get("via")))
        or (_AUTHENTICATED.search(text) is not None and _by_remark(clauses)),
        stamped_at=moment,
        defects=defects,
        envelope_addresses=_mail_addresses(text),
    )


def _host(by_clause: tuple[str, ...]) -> str | None:
    """The host that a BY clause names; `by (Postfix)`, `by with SMTP` and `by : HOSTING RELAY :` name none.

    Of `by hana@host.example` only the host: the whole is somebody's mail address.
    """
    word = by_clause[0].rstrip(".,") if by_clause else ""
    if word in ("", ":") or word[0] == "(" or word.lower() in _KEYWORDS:
        return None
    return word.rpartition("@")[2].strip("<>") or None


def _client(clauses: Clauses, dialect: Dialect) -> _Client:
    if clauses.client is None:
        return _NOBODY
    if UNBALANCED in clauses.defects:
        return _Client(defects=(NO_KNOWN_SHAPE,))
    tokens = _without_chatter(clauses.client)
    if SEVERAL_BY in clauses.defects and any(token.lower() == "by" for token in tokens):
        tokens = _behind_its_by(tokens) if dialect is not GENERIC else []
    shaped = _shaped(" ".join(tokens), dialect)
    if shaped is not None:
        # What stands alone before several BY may be all that the client wrote: then no dialect makes it the peer.
        alone = SEVERAL_BY in clauses.defects and len(tokens) == 1 and not tokens[0].startswith("(")
        return shaped._replace(defects=tuple(dict.fromkeys((*shaped.defects, ADDRESS_ALONE)))) if alone else shaped
    if not tokens:
        return _Client(defects=(NO_KNOWN_SHAPE,))
    words = [token for token in tokens if token[0] not in "(["] or tokens[:1]
    greets = words == tokens[:1] and words[0][0] != "(" and "@" not in words[0] and not dialect.names_client
    helo = words[0] if greets else None
    recorded = any(has_address(token) for token in (tokens if tokens[0][0] == "(" else tokens[1:]))
    return _Client(helo=helo, defects=(NO_KNOWN_SHAPE if recorded else NO_ADDRESS,))


def _shaped(from_clause: str, dialect: Dialect) -> _Client | None:
    """The client, when *from_clause* has one of the shapes of *dialect*."""
    for shape in dialect.shapes:
        found = shape.fullmatch(from_clause)
        if found is not None:
            return _read_client(found, shape, dialect)
    return None


def _behind_its_by(tokens: list[str]) -> list[str]:
    """A FROM clause into which the client wrote a BY of its own: its end, when that holds the only address."""
    return tokens[-1:] if tokens[-1].startswith("(") and not any(map(has_address, tokens[:-1])) else []


def _without_chatter(client: tuple[str, ...]) -> list[str]:
    """The FROM clause without remarks about encryption and log-in, nor remarks that cannot hold an address."""
    kept: list[str] = []
    after_comment = False
    for token in client:
        if token[0] == "(":
            remark = after_comment and "[" not in token and not has_address(token)
            if remark or (_CHATTER.match(token) and not ("[" in token and has_address(token))):
                continue
            after_comment = True
        kept.append(token)
    return kept


def _read_client(found: re.Match[str], shape: re.Pattern[str], dialect: Dialect) -> _Client:
    part = found.groupdict().get
    ip = address_of(part("ip4") or part("ip") or "")
    helo, rdns = part("helo") or None, (part("rdns") or "").rstrip(".") or None  # Gmail ends the name with a dot
    port = part("port") or part("port_inside") or part("port_after")
    if dialect.names_client and rdns is None and (shape is PAREN or shape is BARE):
        rdns, helo = helo, None
    if helo is None and (shape is EXIM or shape is NAME_THEN_BRACKET or shape is QMAIL_SAME):
        helo = rdns
    named = address_of(rdns) if rdns is not None and rdns[-1].isdigit() else None
    if rdns is not None and (named is not None or rdns.lower() in _NO_NAME):
        rdns = None
    if named not in (None, ip) and dialect.names_client:
        return _Client(defects=(TWO_ADDRESSES,))
    alone = shape is ALONE or (shape is EXIM_NAMELESS and helo is None and " " not in found[0])
    more = part("more")
    defects: list[str] = []
    if ip is None:
        defects.append(NOT_AN_ADDRESS)
    if rdns is not None and part("forged"):
        defects.append(NAME_FORGED)
    if rdns is not None and not dialect.confirmed_names:
        defects.append(NAME_UNCONFIRMED)
    if alone and not dialect.alone_is_peer:
        defects.append(ADDRESS_ALONE)
    if more and has_address(more):
        defects.append(TWO_ADDRESSES)
        if shape is ACCOUNT and more != f" ({helo})":  # the first one may be a HELO that reads like this dialect
            return _Client(defects=tuple(defects))
    usable_port = int(port) if port is not None and 0 < int(port) < 65_536 else None
    return _Client(helo, rdns, ip, usable_port, dialect.logs_in or bool(part("auth")), tuple(defects))


def _keyword_values(by_clause: tuple[str, ...]) -> dict[str, str]:
    """The values of WITH, ID, FOR and VIA; the first of each counts, none behind a quoted mail address with blanks."""
    values: dict[str, list[str]] = {}
    current: list[str] | None = None
    for token in by_clause if by_clause and by_clause[0].lower() in _KEYWORDS else by_clause[1:]:
        if token.count('"') % 2:
            break
        key = token.lower() if len(token) < 5 else ""
        if key in _KEYWORDS:
            current = values.setdefault(key, []) if key not in values else []
        elif current is not None and token[0] != "(":
            current.append(token)
    kept = {key: " ".join(words[:1] if key == "id" else words[:6]).strip("<>,") for key, words in values.items()}
    return {key: value for key, value in kept.items() if value}


def _by_protocol(protocol: str | None, via: str | None) -> bool:
    if protocol is not None and any(_LOGGED_IN.fullmatch(word) for word in protocol.split()):
        return True
    return any(word.upper().startswith("HTTP") and word.upper() != "HTTPS" for word in (protocol, via) if word)


def _protocol(words: dict[str, str]) -> str | None:
    """What stands behind WITH; without a WITH also what stands behind VIA, where that is a protocol and no way of
    transport (`via TCP`, `via Mailbox`)."""
    via = words.get("via", "") if "with" not in words else ""
    if _SMTP.fullmatch(via) or via.upper() in ("HTTP", "HTTPS"):
        return via
    return _plain_protocol(words.get("with", "")) or None


def _plain_protocol(protocol: str) -> str:
    """*protocol* without what some MTAs write behind it: `esmtps tls TLS_AES_128_GCM_SHA256`, `SMTP mgrt 6071405`."""
    if " encrypted " in protocol:  # qmail-ldap: `with AES256-SHA encrypted SMTP`
        protocol = protocol.rpartition(" ")[2]
    first, _, rest = protocol.partition(" ")
    return first if _SMTP.fullmatch(first) and rest[:4].upper() != "AUTH" else protocol


@lru_cache(maxsize=256)
def _usual_protocol(protocol: str) -> tuple[str, bool]:
    """`_plain_protocol` and `_by_protocol` with a memory: in usual fields the protocol is a few short words."""
    plain = _plain_protocol(protocol)
    return plain, _by_protocol(plain, None)


def _is_local(protocol: str | None) -> bool:
    return protocol is not None and protocol.lower().partition("-")[0] == "local"  # Exim: local-smtp, local-bsmtp


def _by_remark(clauses: Clauses) -> bool:
    """Whether a comment says so that only the MTA can have written: behind the client's address, before mail addresses.

    HELO, ident, the client's name and the envelope may say anything, `(authenticated)` too.
    """
    if SEVERAL_BY in clauses.defects:
        return False
    client = clauses.client or ()
    behind = max((at for at, token in enumerate(client) if at and has_address(token)), default=len(client)) + 1
    by = takewhile(lambda token: token[0] == "(" or (token != "for" and _MAIL_MARKS.isdisjoint(token)), clauses.by)
    return any(token[0] == "(" and _AUTHENTICATED.match(token) for token in (*client[behind:], *by))


def _stamp(date: str | None) -> tuple[Moment | None, tuple[str, ...]]:
    if date is None:
        return None, (NO_DATE,)
    moment = parse_date(date)
    return (moment, ()) if isinstance(moment, Moment) else (None, (f"its time cannot be read: {moment}",))


def _mail_addresses(text: str) -> tuple[str, ...]:
    if "@" not in text:
        return ()
    words = [word.strip(".") for word in text.translate(_SEPARATORS).split() if "@" in word]
    accounts = [word.rpartition("@")[0] for word in words if word.count("@") > 1]  # account@its.domain@192.0.2.7
    return tuple(dict.fromkeys(word for word in (*words, *accounts) if 0 < word.find("@") < len(word) - 1))
