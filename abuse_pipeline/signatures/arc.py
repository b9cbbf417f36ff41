"""ARC sets of a message (RFC 8617): put together by their instance, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from abuse_pipeline.signatures.crypto import read_tags
from abuse_pipeline.signatures.message import SignedField

_MOST_SETS: Final = 50
_INSTANCE: Final = re.compile(rb"\s{0,50}i\s{0,50}=\s{0,50}(\d{1,2})\s{0,50};")
_NUMBER: Final = re.compile(rb"[1-9]\d?")
_RESULTS: Final = b"arc-authentication-results"
_MESSAGE: Final = b"arc-message-signature"
_SEAL: Final = b"arc-seal"


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One relay's three fields, as written."""

    results: SignedField
    message: SignedField
    seal: SignedField


def arc_sets(fields: Iterable[SignedField]) -> tuple[ArcSet, ...]:
    """The sets from instance 1 up; empty when there are none, or when the chain is broken in its form.

    RFC 8617 section 5.2, steps 2 and 3: the instances run from 1 without a gap to at most 50, each set has each field
    once, the first seal says cv=none and every other cv=pass.
    """
    found: dict[tuple[bytes, int], SignedField] = {}
    for own in fields:
        kind = own[0].lower()
        if kind not in (_RESULTS, _MESSAGE, _SEAL):
            continue
        instance = _instance(kind, own[1])
        if instance is None or (kind, instance) in found:
            return ()
        found[kind, instance] = own
    count, left_over = divmod(len(found), 3)
    if left_over:
        return ()
    try:
        return tuple(ArcSet(found[_RESULTS, i], found[_MESSAGE, i], found[_SEAL, i]) for i in range(1, count + 1))
    except KeyError:
        return ()


def _instance(kind: bytes, value: bytes) -> int | None:
    """None also for a seal that does not say what its place in the chain allows."""
    if kind == _RESULTS:
        named = _INSTANCE.match(value)
        number = named[1] if named else b""
    else:
        tags = read_tags(value) or {}
        number = tags.get(b"i", b"")
        if kind == _SEAL and tags.get(b"cv") != (b"none" if number == b"1" else b"pass"):
            return None
    return int(number) if _NUMBER.fullmatch(number) and int(number) <= _MOST_SETS else None


def sealed_fields(sets: tuple[ArcSet, ...], instance: int) -> tuple[SignedField, ...]:
    """What the seal of *instance* signs, in the order in which it is hashed (RFC 8617 section 5.1.1)."""
    below = [own for one in sets[: instance - 1] for own in (one.results, one.message, one.seal)]
    last = sets[instance - 1]
    return (*below, last.results, last.message)
