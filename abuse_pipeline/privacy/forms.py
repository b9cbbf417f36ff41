"""One form in which texts are compared: the many ways to write a string are folded before anything is sought."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u3164\uffa0\ufeff"
    + "".join(map(chr, range(0x200B, 0x2010)))
    + "".join(map(chr, range(0x202A, 0x202F)))
    + "".join(map(chr, range(0x2060, 0x2070)))
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0000, 0xE0080)))
)
# Cyrillic and Greek letters that look like Latin ones (Unicode TR 39), lower case: the text is case-folded before.
_LOOKALIKES = dict(zip("аесорхуіјѕԁԛԝһӏαορνικυτ", "aecopxyijsdqwhlaopvikut", strict=False))
_KATAKANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}
_FOLD = {**dict.fromkeys(map(ord, _INVISIBLE)), **{ord(a): b for a, b in _LOOKALIKES.items()}, **_KATAKANA}
_NOT_ALNUM = re.compile(r"[\W_]+")
_AT = re.compile(
    r" ?[\[({<] ?(?:at|あっと|あっとまーく|@) ?[\])}>] ?| at (?=[^\s.]{1,63}(?:\.| dot ))| ?あっとまーく ?"
)
_DOT = re.compile(r" ?[\[({<] ?(?:dot|どっと|\.) ?[\])}>] ?|(?<=[a-z0-9]) dot (?=[a-z0-9])")
_ROT13 = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM"
)


def normalised(text: str) -> str:
    """NFKC, case-folded, without invisible characters, katakana as hiragana, look-alike letters as Latin.

    >>> normalised("ＴＡＲＯ\u200b＠Ｅｘａｍｐｌｅ．ＪＰ") == "taro@example.jp"
    True
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", text).casefold().translate(_FOLD)


def squeezed(text: str) -> str:
    """A normalised text without anything but letters and digits: spacing and punctuation hide nothing."""
    return _NOT_ALNUM.sub("", text)


def unspoken(text: str) -> str:
    """A normalised text with ``[at]``, ``(dot)`` and their like as the signs they stand for."""
    return _DOT.sub(".", _AT.sub("@", text))


def rot13(text: str) -> str:
    return text.translate(_ROT13)


def backwards(text: str) -> str:
    return text[::-1]
