"""The leak gate: reads a finished message, raw and decoded, for everything that could identify a reporter.

The message is unfolded into its texts (`texts`), these are folded into one form (`forms`), and each needle is sought in
four haystacks: the texts, the texts without spacing and punctuation, and the texts backwards and in rot13. Digests of
needles (MD5, SHA-1, SHA-256) are compared with what looks like one.

What counts as a hit:

* numbers (addresses, telephone numbers) whole, not inside a longer number;
* strings of fewer than 8 ASCII letters and digits as whole words; longer ones anywhere;
* Japanese strings of 2 characters or more anywhere, kana of fewer than 4 only where no kana stands before them;
* without spacing: strings of at least 8 ASCII or 3 Japanese letters;
* nothing inside a common string that is noted as the needle's `spare`.

Single characters are not sought. An empty needle stands for a submission that could not be searched: always a hit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, ip_address

from abuse_pipeline.privacy.forms import backwards, normalised, rot13, squeezed, unspoken
from abuse_pipeline.privacy.needle import Needle
from abuse_pipeline.privacy.texts import texts_of

_LONG_ASCII = 8
_LONG_JAPANESE = 3
_FREE_KANA = 4
_SHORTEST = 2
_NUMBER = re.compile(r"[0-9][0-9.:+() -]*|[0-9a-f]*:[0-9a-f:.]+")
_KANA = re.compile(r"[\u3041-\u3096ー]+")


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """passed: the message may leave. reason: what the gate did or the channel of the hit; never the needle."""

    passed: bool
    reason: str


def check_leaks(message: bytes, needles: Sequence[Needle]) -> GateVerdict:
    """Whether *message* is free of every needle. Never raises: a gate that cannot run does not pass."""
    try:
        leak = _first_leak(message, needles)
    except Exception as error:  # noqa: BLE001  the gate fails closed, whatever went wrong; the text could hold a needle
        return GateVerdict(False, f"the gate could not run: {type(error).__name__}")
    if leak is None:
        return GateVerdict(True, f"{len(needles)} strings looked for, none found")
    if not leak.text:
        return GateVerdict(False, f"the gate cannot vouch for it: {leak.channel}")
    return GateVerdict(False, f"the message holds what stood in: {leak.channel}")


@dataclass(frozen=True, slots=True)
class _Haystack:
    """A folded text and what was done to it, so that a common string can be given the same treatment."""

    text: str
    turn: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Haystacks:
    """straight: searched for a needle as it is spelled. loose: without spacing and punctuation, for its letters only.
    together: all of them in one string, to see quickly that a needle is nowhere."""

    straight: tuple[_Haystack, ...]
    loose: _Haystack
    together: str


def _first_leak(message: bytes, needles: Sequence[Needle]) -> Needle | None:
    haystacks, digests = _opened(message)
    for needle in needles:
        if not needle.text:
            return needle
        if any(_found(spelling, needle, haystacks) for spelling in _spellings(normalised(needle.text).strip())):
            return needle
        if digests and not digests.isdisjoint(_digests(needle.text)):
            return needle
    return None


@lru_cache(maxsize=16)
def _opened(message: bytes) -> tuple[_Haystacks, set[str]]:
    """What *message* says, decoded in every way. Kept for a while: in an outbreak one notice is read many times."""
    texts, digests = texts_of(message)
    return _haystacks(texts), digests


def _haystacks(texts: list[str]) -> _Haystacks:
    folded = list(dict.fromkeys(normalised(text) for text in texts))
    spoken = [new for text in folded if (new := unspoken(text)) != text]
    plain = "\n\n".join(folded + spoken)
    straight = (_Haystack(plain, str), _Haystack(backwards(plain), backwards), _Haystack(rot13(plain), rot13))
    loose = _Haystack("\n".join(squeezed(text) for text in folded), squeezed)
    return _Haystacks(straight, loose, "\n\n".join(hay.text for hay in (*straight, loose)))


def _found(spelling: str, needle: Needle, haystacks: _Haystacks) -> bool:
    if len(spelling) < _SHORTEST:
        return False
    if spelling in haystacks.together:
        whole = _whole(spelling)
        for hay in haystacks.straight:
            if spelling in hay.text and whole.search(_without_spare(hay, needle)):
                return True
    bare = squeezed(spelling)
    if len(bare) < _shortest_loose(bare) or _NUMBER.fullmatch(spelling):
        return False
    return bare in haystacks.loose.text and bare in _without_spare(haystacks.loose, needle)


def _shortest_loose(bare: str) -> int:
    """How long a string must be to be sought without spacing, where words run into each other."""
    if bare.isascii():
        return _LONG_ASCII
    return _FREE_KANA if _KANA.fullmatch(bare) else _LONG_JAPANESE


def _without_spare(hay: _Haystack, needle: Needle) -> str:
    text = hay.text
    for spare in needle.spare:
        text = text.replace(hay.turn(normalised(spare)), "\n")
    return text


def _whole(spelling: str) -> re.Pattern[str]:
    """Where *spelling* counts: the rules of the module's docstring."""
    wanted = re.escape(spelling)
    if _NUMBER.fullmatch(spelling):
        return re.compile(rf"(?<![0-9a-f])(?<![0-9][.:]){wanted}(?![0-9a-f]|[.:][0-9a-f])")
    if not spelling.isascii():
        short_kana = len(spelling) < _FREE_KANA and _KANA.fullmatch(spelling)
        return re.compile(rf"(?<![\u3041-\u3096ー]){wanted}" if short_kana else wanted)
    if len(squeezed(spelling)) >= _LONG_ASCII:
        return re.compile(wanted)
    return re.compile(rf"(?<![a-z0-9]){wanted}(?![a-z0-9])")


def _spellings(text: str) -> Iterator[str]:
    """The needle and the other ways in which the same thing is written."""
    yield text
    if "@" in text:
        yield text.replace("@", "=")
    if "xn--" in text:
        yield _unicode_domain(text)
    if not _NUMBER.fullmatch(text) and not text.startswith("+"):
        return
    try:
        address = ip_address(text)
    except ValueError:
        yield from _telephone(text)
        return
    yield address.compressed
    yield address.exploded
    if isinstance(address, IPv4Address):
        yield str(address).replace(".", "-")
        yield ".".join(reversed(str(address).split(".")))
        yield str(int(address))


def _unicode_domain(text: str) -> str:
    try:
        return normalised(text.encode("ascii").decode("idna"))
    except UnicodeError:
        return text


def _telephone(text: str) -> Iterator[str]:
    """A telephone number in the usual groupings: as digits, and with and without the country code of Japan."""
    digits = re.sub(r"\D", "", text)
    if not 9 <= len(digits) <= 13 or not re.fullmatch(r"\+?[\d() .-]+", text):
        return
    national = "0" + digits[2:] if digits.startswith("81") else digits
    yield from (digits, national, "81" + national[1:])
    for area, exchange in ((2, 4), (3, 4), (3, 3), (4, 2), (5, 1), (4, 3)):
        grouped = (national[:area], national[area : area + exchange], national[area + exchange :])
        for sign in "- .":
            yield sign.join(grouped)
            yield sign.join(("81", grouped[0][1:], *grouped[1:]))


def _digests(needle: str) -> frozenset[str]:
    text = normalised(needle).strip()
    written = needle.strip()
    forms = {text, written, written.lower(), "".join(written.split()), "".join(text.split())}
    return frozenset(
        hashlib.new(name, form.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
        for form in forms
        for name in ("md5", "sha1", "sha256")
    )
