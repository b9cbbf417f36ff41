"""Finds people in finished texts. Shares nothing with `abuse_pipeline.privacy`.

The leak gate unfolds a message and then looks for needles; this one goes the other way round: it writes each identity
in every way it can think of, and looks for that in the bytes.
"""

from __future__ import annotations

import base64
import codecs
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from email import message_from_bytes
from email.header import decode_header, make_header
from functools import cache
from urllib.parse import quote

_SHORTEST_BASE64 = 6


def identities_in_message(message: bytes, identities: Iterable[str]) -> list[str]:
    """Which of *identities* the mail holds: in its bytes, its decoded fields, its decoded parts, its file names."""
    return identities_in("\n".join(_texts(message)), identities)


def identities_in(text: str, identities: Iterable[str]) -> list[str]:
    """Which of *identities* stand in *text*, however written."""
    plain = _plain(text)
    closed_up = re.sub(r"[\s\W_]+", "", plain)
    return [each for each in identities if _stands_in(each, text, plain, closed_up)]


def _stands_in(identity: str, text: str, plain: str, closed_up: str) -> bool:
    folded, exact, close = _writings(identity)
    return (
        any(each in plain for each in folded)
        or any(each in text for each in exact)
        or (close is not None and close in closed_up)
    )


@cache
def _writings(identity: str) -> tuple[tuple[str, ...], tuple[str, ...], str | None]:
    """To look for: in any case of letters; exactly so; and in a text without blanks and punctuation."""
    plain = _plain(identity)
    digests = [
        hashlib.new(kind, each.encode()).hexdigest() for kind in ("md5", "sha1", "sha256") for each in (identity, plain)
    ]
    encoded = [data for charset in ("utf-8", "iso2022_jp", "cp932", "euc_jp") if (data := _bytes(identity, charset))]
    spelled = [form for data in encoded for form in (data.hex(), quote(data).lower(), _every_byte("%", data))]
    quoted = [_every_byte("=", data) for data in encoded]
    entities = "".join(f"&#{ord(c)};" for c in identity)
    folded = {
        plain,
        plain[::-1],
        _plain(identity[::-1]),
        codecs.encode(plain, "rot13"),
        entities,
        *digests,
        *spelled,
        *quoted,
    }
    exact = {form for data in encoded for form in _base64_forms(data)}
    close = re.sub(r"[\s\W_]+", "", plain)
    return tuple(folded), tuple(exact), close if len(close) >= (8 if close.isascii() else 3) else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _bytes(text: str, charset: str) -> bytes:
    return text.encode(charset, "ignore")


def _every_byte(sign: str, data: bytes) -> str:
    return "".join(f"{sign}{byte:02x}" for byte in data)


def _base64_forms(data: bytes) -> list[str]:
    """The characters that *data* fixes in base64, at each of the three places where it may begin."""
    forms = []
    for lead in range(3):
        coded = base64.b64encode(b"\0" * lead + data).decode().rstrip("=")
        first = (lead * 8 + 5) // 6
        last = (lead + len(data)) * 8 // 6
        if last - first >= _SHORTEST_BASE64:
            forms += [coded[first:last], coded[first:last].translate(str.maketrans("+/", "-_"))]
    return forms


def _texts(message: bytes) -> list[str]:
    found = [message.decode(charset, "replace") for charset in ("latin-1", "utf-8", "iso2022_jp", "cp932", "euc_jp")]
    for part in message_from_bytes(message).walk():
        found += [f"{name}: {make_header(decode_header(value))}" for name, value in part.items()]
        found.append(str(part.get_filename() or ""))
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            found.append(content.decode(part.get_content_charset() or "utf-8", "replace"))
    return found
