"""Which strings look as if they had been made for one recipient."""

from __future__ import annotations

import re

_WORDLIKE = re.compile(r"[A-Za-z]*[._-]?[0-9]{0,4}(?:\.[A-Za-z]{1,5})?")
_DATE = re.compile(r"(?:19|20)\d\d[-_/.]?(?:0[1-9]|1[0-2])(?:[-_/.]?(?:0[1-9]|[12]\d|3[01]))?")
_HEX = re.compile(r"[0-9a-fA-F-]{8,}")
_RUNS = re.compile(r"[A-Z]+|[a-z]+|[0-9]+")
_SHORTEST = 8


def looks_opaque(text: str) -> bool:
    """Whether *text*, one segment of a path or one value of a query, may be a token rather than words.

    At least 8 characters (6 when all digits); words joined by ``-``, ``_`` or ``.``, dates, and words with a short
    number are not opaque; mixed runs of letters, digits and case are, and so are long hexadecimal and base64 strings.

    >>> [looks_opaque(s) for s in ("newsletter-2026", "a8f3kz91qd", "index.html", "dGFyb0BleGFtcGxl")]
    [False, True, False, True]
    """
    if text.isdigit():
        return len(text) >= 6 and not _DATE.fullmatch(text)
    if len(text) < _SHORTEST or _DATE.fullmatch(text):
        return False
    if _HEX.fullmatch(text) and any(c.isdigit() for c in text):
        return True
    return any(_opaque_piece(piece) for piece in re.split(r"[-_.~+]", text)) or "%" in text or "=" in text


def _opaque_piece(piece: str) -> bool:
    if piece.isdigit():
        return len(piece) >= 6 and not _DATE.fullmatch(piece)
    if len(piece) < 5 or (_WORDLIKE.fullmatch(piece) and not _changes_case(piece)):
        return len(piece) >= 24
    runs = _RUNS.findall(piece)
    digits = any(c.isdigit() for c in piece)
    return (digits and len(runs) >= 3) or (digits and len(piece) >= 10) or len(runs) >= 5 or not piece.isascii()


def _changes_case(piece: str) -> bool:
    return len(_RUNS.findall(piece)) >= 5
