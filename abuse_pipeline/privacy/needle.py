"""Needles: the strings that would identify a reporter or a recipient, and what is common property beside them.

Promise 1 rests on two things. Notices are rebuilt from an allow-list of facts (`abuse_pipeline.notices`), and the
finished bytes are searched for needles (`abuse_pipeline.privacy.gate`). A needle is an identity in clear: it lives in
the vault and in memory, never in a log, a reason or a message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from abuse_pipeline.model import IPAddress, IPNetwork


@dataclass(frozen=True, slots=True)
class Needle:
    """One identifying string. Its repr does not show it.

    text: as it stood, decoded; "" marks a submission that could not be searched in full and holds every message.
    channel: where it stood, in words that are safe to show ("From", "Received for", "attachment name").
    spare: common strings that contain this text; an occurrence inside one of them tells nothing and is no hit.
    """

    text: str = field(repr=False)
    channel: str
    spare: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class CommonProperty:
    """What may stand in a notice because it is not the reporter's: the provider's and the customer's own data.

    strings: names, mail addresses and domains of the provider and of the customer, the customer's key, and the hosts
    that the notice is about. addresses: the originating addresses. networks: what the customer holds.
    The ordinary words of our own templates are known to this package and need not be given.
    """

    strings: frozenset[str] = frozenset()
    addresses: frozenset[IPAddress] = frozenset()
    networks: tuple[IPNetwork, ...] = ()


def needles_to_json(needles: tuple[Needle, ...]) -> str:
    """For the vault: a JSON array of [text, channel] or [text, channel, [spare, ...]]."""
    rows = [[n.text, n.channel, list(n.spare)] if n.spare else [n.text, n.channel] for n in needles]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def needles_from_json(text: str) -> tuple[Needle, ...]:
    """The inverse of `needles_to_json`. Raises ValueError when *text* is not its work."""
    rows = json.loads(text)
    if not isinstance(rows, list):
        raise ValueError("needles are stored as a JSON array")
    return tuple(_needle(row) for row in rows)


def _needle(row: object) -> Needle:
    if not isinstance(row, list) or not 2 <= len(row) <= 3:
        raise ValueError("a stored needle is [text, channel] or [text, channel, spare]")
    text, channel, *rest = row
    spare = rest[0] if rest else []
    if not (isinstance(text, str) and isinstance(channel, str) and isinstance(spare, list)):
        raise ValueError("a stored needle holds a text, a channel and a list")
    return Needle(text, channel, tuple(str(item) for item in spare))
