"""Common property by rule: what may stand in a notice although it also stands in a report.

Two kinds. *Words* that name nobody (``words.txt``: role names, months, honorifics) are never needles. *Phrases* are the
fixed text of our templates (``phrases.txt``, kept equal to them by a test) together with the provider's and the
customer's own data: a needle that is contained in one of them stays a needle, and only its occurrences inside that very
phrase are no hits. So a reporter called May is found in "May Tanaka", and not in "you may reply".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from ipaddress import ip_address

from abuse_pipeline.model import IPAddress
from abuse_pipeline.privacy.forms import backwards, normalised, rot13, squeezed
from abuse_pipeline.privacy.needle import CommonProperty, Needle

_BETWEEN = "\n"


def _lines(name: str) -> tuple[str, ...]:
    text = (files("abuse_pipeline.privacy") / name).read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


# Read when the package is imported: collecting and checking do no I/O.
WORDS: frozenset[str] = frozenset(normalised(word) for line in _lines("words.txt") for word in line.split())
PHRASES: tuple[str, ...] = tuple(dict.fromkeys(normalised(line) for line in _lines("phrases.txt")))


@dataclass(frozen=True)
class _Phrases:
    """Phrases, searchable for what they contain, as they stand and turned round."""

    phrases: tuple[str, ...]

    @cached_property
    def _together(self) -> str:
        plain = _BETWEEN.join(self.phrases)
        return _BETWEEN.join((plain, backwards(plain), rot13(plain)))

    @cached_property
    def _bare(self) -> tuple[tuple[str, str], ...]:
        return tuple((phrase, squeezed(phrase)) for phrase in self.phrases)

    @cached_property
    def _bare_together(self) -> str:
        return _BETWEEN.join(bare for _, bare in self._bare)

    def containing(self, text: str) -> tuple[str, ...]:
        """The phrases in which *text* stands, also with other spacing: "blueharbor" stands in "Blue Harbor K.K."."""
        wanted = squeezed(text)
        loosely = wanted != "" and wanted in self._bare_together
        if not loosely and text not in self._together:
            return ()
        forms = (text, backwards(text), rot13(text))
        return tuple(
            phrase
            for phrase, bare in self._bare
            if (loosely and wanted in bare) or any(form in phrase for form in forms)
        )


_OF_TEMPLATES = _Phrases(PHRASES)


def without_common(needles: Iterable[Needle], common: CommonProperty) -> tuple[Needle, ...]:
    """*needles* without what is common property, and with the common strings that contain them noted as `spare`.

    Dropped is only what *equals* an ordinary word, a string of *common* (or the domain of an address in it), or an
    address or network address of *common*. A full address or domain of the reporter that is merely contained in ours,
    or contains ours, stays.
    """
    rule = _rule(common)
    return tuple(kept for needle in needles if (kept := rule.apply(needle)) is not None)


@dataclass(frozen=True)
class _Rule:
    equal: frozenset[str]
    addresses: frozenset[IPAddress]
    strings: _Phrases

    def apply(self, needle: Needle) -> Needle | None:
        text = normalised(needle.text).strip()
        if not text:
            return needle
        if text in WORDS or text in self.equal or _address(text) in self.addresses:
            return None
        spare = tuple(dict.fromkeys((*needle.spare, *self.strings.containing(text), *_OF_TEMPLATES.containing(text))))
        return needle if spare == needle.spare else replace(needle, spare=spare)


@lru_cache(maxsize=64)
def _rule(common: CommonProperty) -> _Rule:
    strings = {normalised(text).strip() for text in common.strings if text.strip()}
    domains = {text.rpartition("@")[2] for text in strings if "@" in text}
    networks = {address for net in common.networks for address in (net.network_address, net.broadcast_address)}
    phrases = tuple(sorted(strings | domains, key=lambda text: (-len(text), text)))
    return _Rule(frozenset(phrases), common.addresses | networks, _Phrases(phrases))


def _address(text: str) -> IPAddress | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
