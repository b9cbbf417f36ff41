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
from abuse_pipeline.networks.addresses import parse_address as _parse_address
from abuse_pipeline.trace.dates import parse_date
from abuse_pipeline.trace.dialects import dialect_of
from abuse_pipeline.trace.dialects.shapes import ALONE, EXIM, EXIM_NAMELESS, NAME_THEN_BRACKET, Dialect
from abuse_pipeline.trace.usual import UsualField, usual_field

LONGEST_FIELD: Final = 65_536

TOO_LONG: Final = "longer than 64 KB"
UNREADABLE: Final = "neither FROM nor BY is where RFC 5321 section 4.4 has them"
UNBALANCED: Final = "the brackets of its comments do not match"
SEVERAL_BY: Final = "more than one BY: the client may have written one of them"
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

_TOKEN: Final = re.compile(r"[();]|[^\s();]+")
_FLAT: Final = re.compile(r"\([^()]*\)|[^\s()]+")
_FROM_HELO: Final = re.compile(r"(from) ([^\s()]+)(?= |$)", re.IGNORECASE)
_CONTROL: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))
_HAS_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CHATTER: Final = re.compile(
    r"\((?:using (?:TLS|SSL|unknown)|Client (?:CN|did)|No client cert|not verified|TLS[: ]|SSL[: ]|version=|cipher"
    r"|envelope-|misconfigured sender|sender |(?:\S{1,20} )?auth(?:enticated|:| )|user[ =]|added by )",
    re.IGNORECASE,
)
_AUTHENTICATED: Final = re.compile(
    r"\((?:(?:smtp |esmtp |sasl )?auth(?:enticated)?(?=[ :)])|account |SquirrelMail auth|user=)(?!.{0,20}\bnone\b)",
    re.IGNORECASE,
)
_LOGGED_IN: Final = re.compile(r"(?:UTF8)?(?:E?SMTPS?A|SMTPSA|ASMTP)|HTTPREST", re.IGNORECASE)
_SAYS_BY: Final = frozenset({"by", "By", "BY", "bY"})
_KEYWORDS: Final = frozenset({"with", "id", "for", "via"})
_LOCAL: Final = re.compile(r"\((?:qmail \d+ invoked|nullmailer pid|from )", re.IGNORECASE)
_USERS_HAND: Final = re.compile(
    r"\(from |\(qmail \d+ invoked by uid|\(Postfix, from userid|\(\S*/Submit\)", re.IGNORECASE
)
_LITERAL: Final = re.compile(r"(?:IPv6:)?[0-9A-Fa-f:.]{2,45}", re.IGNORECASE)
_SEPARATORS: Final = str.maketrans(dict.fromkeys("<>()[]\"',;:=", " "))


@lru_cache(maxsize=4096)
def _address(text: str) -> IPAddress | None:
    """`_parse_address` with a memory: a chain names the same hosts again and again."""
    return _parse_address(text)


class _Clauses(NamedTuple):
    """The parts of a field. Comments keep their brackets; white space is single blanks."""

    client: tuple[str, ...] | None
    by: tuple[str, ...]
    date: str | None
    defects: tuple[str, ...]


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
    if _AUTHENTICATED.search(text):
        return None
    client = _NOBODY
    if field.client is not None:
        shaped = _shaped(field.client, dialect_of(field.by_clause))
        client = shaped or _Client(helo=field.client, defects=(NO_ADDRESS,))
        if client.ip is None and (shaped is not None or " " in field.client):
            return None
    by_user = field.client is None and _USERS_HAND.search(text) is not None
    moment, date_defect = _stamp(field.date)
    lone = field.recipient is not None and text.count("@") == 1
    return Hop(
        index,
        raw,
        helo=client.helo,
        rdns=client.rdns,
        ip=client.ip,
        port=client.port,
        by=field.by,
        protocol=field.protocol,
        queue_id=field.queue_id,
        authenticated=client.authenticated,
        stamped_at=moment,
        defects=(*client.defects, *((LOCAL_USER,) if by_user else ()), *date_defect),
        envelope_addresses=(field.recipient,) if lone and field.recipient else _mail_addresses(text),
    )


def _thorough_hop(index: int, raw: str, text: str) -> Hop:
    clauses = _clauses(text)
    if clauses is None:
        return Hop(index, raw, defects=(UNREADABLE,), envelope_addresses=_mail_addresses(text))
    by_clause = " ".join(clauses.by)
    client = _client(clauses, dialect_of(by_clause))
    words = _keyword_values(clauses.by)
    protocol = words.get("with") or ("local" if clauses.client is None and not clauses.by else None)
    by_user = clauses.client is None and _USERS_HAND.search(text) is not None
    by_user = by_user or (clauses.client is not None and protocol is not None and protocol.lower() == "local")
    moment, date_defect = _stamp(clauses.date)
    by = clauses.by[0] if clauses.by and not clauses.by[0].startswith("(") else None
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
        helo=client.helo,
        rdns=client.rdns,
        ip=client.ip,
        port=client.port,
        by=by.rstrip(".,") or None if by else None,
        protocol=protocol,
        queue_id=words.get("id"),
        authenticated=client.authenticated or _logged_in(protocol, words.get("via"), clauses),
        stamped_at=moment,
        defects=defects,
        envelope_addresses=_mail_addresses(text),
    )


def _clauses(text: str) -> _Clauses | None:
    tokens, date, balanced = _split(text)
    if not tokens:
        return None
    first = tokens[0].lower()
    defects = () if balanced else (UNBALANCED,)
    if first == "by":
        return _Clauses(None, tuple(tokens[1:]), date, defects)
    if first == "from":
        # The word after FROM is the HELO, whatever it is; a BY counts from the second on.
        places = [at for at, token in enumerate(tokens) if token in _SAYS_BY and at > 1]
        end = _dividing_by(tokens, places)
        defects = (*defects, *((SEVERAL_BY,) if len(places) > 1 else ()))
        return _Clauses(tuple(tokens[1:end]), tuple(tokens[end + 1 :]), date, defects)
    if _LOCAL.match(tokens[0]):
        by = tuple(tokens[2:]) if len(tokens) > 2 and tokens[1].lower() == "by" else ()
        return _Clauses(None, by, date, defects)
    return None


def _dividing_by(tokens: list[str], places: list[int]) -> int:
    """Which of several BY ends the FROM clause.

    The MTA writes the connection's address before its own BY. When no address follows the first BY, the address stands
    before it; else the client may have written the first ones in its HELO, and only the last can be the MTA's.
    """
    if not places:
        return len(tokens)
    if len(places) > 1 and any(_has_address(token) for token in tokens[places[0] + 1 :]):
        return places[-1]
    return places[0]


def _split(text: str) -> tuple[list[str], str | None, bool]:
    """Words and comments of *text* before its last semicolon outside comments, what follows it, brackets match."""
    return _split_flat(text) or _split_nested(text)


def _split_flat(text: str) -> tuple[list[str], str | None, bool] | None:
    """`_split` for the usual field, in which no comment is inside another; None for any other."""
    cut = text.rfind(";")
    head, date = (text[:cut], text[cut + 1 :]) if cut >= 0 else (text, None)
    start = _FROM_HELO.match(text)
    if start is None and head[:5].lower() == "from ":
        return None
    if start is not None and 0 <= cut < start.end():
        return None
    tokens = _FLAT.findall(head, start.end() if start else 0)
    comments = sum(token[0] == "(" for token in tokens)
    rest = head[start.end() :] if start else head
    if ";" in rest or not comments == rest.count("(") == rest.count(")") or (date and not _closed(date)):
        return None
    return [start[1], start[2], *tokens] if start else tokens, date, True


def _closed(date: str) -> bool:
    return date.count("(") == date.count(")") <= 1 and date.find("(") <= date.find(")")


def _split_nested(text: str) -> tuple[list[str], str | None, bool]:
    start = _FROM_HELO.match(text)
    tokens = [start[1], start[2]] if start else []
    depth, begin, balanced = 0, 0, True
    date_from, words_before_date = -1, 0
    for found in _TOKEN.finditer(text, start.end() if start else 0):
        token = found[0]
        if token == "(":
            if depth == 0:
                begin = found.start()
            depth += 1
        elif token == ")":
            if depth == 0:
                balanced = False
                continue
            depth -= 1
            if depth == 0:
                tokens.append(text[begin : found.end()])
        elif depth == 0:
            if token == ";":
                date_from, words_before_date = found.end(), len(tokens)
            else:
                tokens.append(token)
    if date_from < 0:
        return tokens, None, balanced and depth == 0
    return tokens[:words_before_date], text[date_from:], balanced and depth == 0


def _client(clauses: _Clauses, dialect: Dialect) -> _Client:
    if clauses.client is None:
        return _NOBODY
    if UNBALANCED in clauses.defects:
        return _Client(defects=(NO_KNOWN_SHAPE,))
    tokens = _without_chatter(clauses.client)
    if SEVERAL_BY in clauses.defects:
        tokens = _with_one_address(tokens)
    shaped = _shaped(" ".join(tokens), dialect)
    if shaped is not None:
        return shaped
    if not tokens:
        return _Client(defects=(NO_KNOWN_SHAPE,))
    helo = None if tokens[0].startswith("(") else tokens[0]
    recorded = any(_has_address(token) for token in (tokens if helo is None else tokens[1:]))
    return _Client(helo=helo, defects=(NO_KNOWN_SHAPE if recorded else NO_ADDRESS,))


def _shaped(from_clause: str, dialect: Dialect) -> _Client | None:
    """The client, when *from_clause* has one of the shapes of *dialect*."""
    for shape in dialect.shapes:
        found = shape.fullmatch(from_clause)
        if found is not None:
            return _read_client(found, shape, dialect)
    return None


def _with_one_address(tokens: list[str]) -> list[str]:
    """A FROM clause into which the client wrote a BY of its own: its end, when that holds the only address."""
    if not any(token.lower() == "by" for token in tokens):
        return tokens
    if tokens[-1].startswith("(") and not any(_has_address(token) for token in tokens[:-1]):
        return tokens[-1:]
    return []


def _without_chatter(client: tuple[str, ...]) -> list[str]:
    """The FROM clause without remarks about encryption and log-in, nor remarks that cannot hold an address."""
    kept: list[str] = []
    for token in client:
        if token.startswith("("):
            remark = any(part.startswith("(") for part in kept) and "[" not in token and not _has_address(token)
            if remark or (_CHATTER.match(token) and not ("[" in token and _has_address(token))):
                continue
        kept.append(token)
    return kept


def _read_client(found: re.Match[str], shape: re.Pattern[str], dialect: Dialect) -> _Client:
    part = found.groupdict().get
    ip = _address(part("ip4") or part("ip") or "")
    helo, rdns, port = part("helo") or None, part("rdns"), part("port") or part("port_inside") or part("port_after")
    if rdns is not None and rdns.lower() in ("unknown", "unverified", "unassigned"):
        rdns = None
    if helo is None and (shape is EXIM or shape is NAME_THEN_BRACKET):
        helo = rdns
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
    if more and _has_address(more):
        defects.append(TWO_ADDRESSES)
    usable_port = int(port) if port is not None and 0 < int(port) < 65_536 else None
    return _Client(helo, rdns, ip, usable_port, bool(part("auth")), tuple(defects))


def _has_address(token: str) -> bool:
    return any(_address(text) is not None for text in _LITERAL.findall(token) if len(text) > 3)


def _keyword_values(by_clause: tuple[str, ...]) -> dict[str, str]:
    """The values of WITH, ID, FOR and VIA; the first of each counts."""
    values: dict[str, list[str]] = {}
    current: list[str] | None = None
    for token in by_clause[1:]:
        key = token.lower() if len(token) < 5 else ""
        if key in _KEYWORDS:
            current = values.setdefault(key, []) if key not in values else []
        elif current is not None and token[0] != "(":
            current.append(token)
    kept = {key: " ".join(words[:1] if key == "id" else words[:6]).strip("<>,") for key, words in values.items()}
    return {key: value for key, value in kept.items() if value}


def _logged_in(protocol: str | None, via: str | None, clauses: _Clauses) -> bool:
    if SEVERAL_BY in clauses.defects:
        return False
    if protocol is not None and _LOGGED_IN.fullmatch(protocol.split(" ", 1)[0]):
        return True
    web = any(word.upper().startswith("HTTP") and word.upper() != "HTTPS" for word in (protocol, via) if word)
    return web or any(_AUTHENTICATED.match(remark) for remark in _remarks(clauses))


def _remarks(clauses: _Clauses) -> list[str]:
    """The comments that only the MTA can have written: behind the client's address, and before any mail address.

    HELO, ident, the client's name and the envelope may say anything, `(authenticated)` too.
    """
    client = clauses.client or ()
    comments = [token for token in client if token[0] == "("]
    if any(_AUTHENTICATED.match(token) for token in comments):
        behind = max((at for at, token in enumerate(client) if at and _has_address(token)), default=len(client)) + 1
        comments = [token for token in client[behind:] if token[0] == "("]
    by = takewhile(lambda token: token[0] == "(" or "@" not in token, clauses.by)
    return [*comments, *(token for token in by if token[0] == "(")]


def _stamp(date: str | None) -> tuple[Moment | None, tuple[str, ...]]:
    if date is None:
        return None, (NO_DATE,)
    moment = parse_date(date)
    return (moment, ()) if isinstance(moment, Moment) else (None, (f"its time cannot be read: {moment}",))


def _mail_addresses(text: str) -> tuple[str, ...]:
    if "@" not in text:
        return ()
    words = (word.strip(".") for word in text.translate(_SEPARATORS).split() if "@" in word)
    return tuple(dict.fromkeys(word for word in words if 0 < word.find("@") < len(word) - 1))
