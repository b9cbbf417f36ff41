"""In which language the reporter wrote, for the reply."""

from __future__ import annotations

import re
from typing import Literal

_KANA = re.compile(r"[\u3041-\u30ff\uff66-\uff9f]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_LATIN = re.compile(r"[A-Za-z]")
_OTHER = re.compile(r"[\u0370-\u1fff\uac00-\ud7af]")
_ENOUGH = 20_000


def detect_language(text: str) -> Literal["ja", "en", "other"] | None:
    """``ja`` for Japanese, ``en`` for Latin letters (we answer those in English), ``other`` for any other script,
    None when there are no letters to judge by.

    Kana settles it: no other language uses them, and Japanese prose is hardly ever without.
    """
    sample = text[:_ENOUGH]
    kana, han = len(_KANA.findall(sample)), len(_HAN.findall(sample))
    latin, other = len(_LATIN.findall(sample)), len(_OTHER.findall(sample))
    if kana >= 2:
        return "ja"
    if not (kana or han or latin or other):
        return None
    return "other" if max(han, other) > latin else "en"
