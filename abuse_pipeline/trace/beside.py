"""What stands beside the Received fields of a message, and who wrote it: RFC 8601, 8617, and fields without a standard.

Header fields are prepended on the way, so a field that stands above a Received field was written after it. What stands
above the field of a host of the recipient is the recipient's word, what stands below the handover is the sender's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from abuse_pipeline.model import Hop, IPAddress, Signature
from abuse_pipeline.networks.addresses import parse_address
from abuse_pipeline.trace.domains import registered_domain
from abuse_pipeline.trace.relays import CLIENT_FIELDS

_DELIVERED_TO: Final = frozenset({"delivered-to", "x-delivered-to"})
_RESULTS: Final = frozenset({"authentication-results", "arc-authentication-results"})
_INSTANCE: Final = re.compile(r"\s*i\s*=\s*\d{1,2}\s*;", re.ASCII)
_AUTHSERV_ID: Final = re.compile(r"\s*([A-Za-z0-9._-]{1,255})\s*(?:\d{1,2}\s*)?;", re.ASCII)
_FOR: Final = re.compile(r"<?([^\s<>;()]{1,300})>?(?: ?\([^()]*\))*\s*", re.ASCII)
_MOST_FIELDS: Final = 2_000


@dataclass(frozen=True, slots=True)
class ClientField:
    """One `X-Originating-IP` or its like. above: how many Received fields stand above it. ip: None when unreadable."""

    name: str
    ip: IPAddress | None
    above: int


@dataclass(frozen=True, slots=True)
class Beside:
    """The other evidence of a message.

    delivered_to: registered domain of the mailbox in which the mail ended: the topmost Delivered-To, when it stands
    above every Received field. results: (how many Received fields stand above, registered domain of the authserv-id) of
    each Authentication-Results. client_fields: the X-Originating-IP fields. signatures: those that verify.
    """

    delivered_to: str | None = None
    results: tuple[tuple[int, str], ...] = ()
    client_fields: tuple[ClientField, ...] = ()
    signatures: tuple[Signature, ...] = ()

    def results_above(self, hop: Hop) -> frozenset[str]:
        """Domains that signed Authentication-Results above the Received field of *hop*."""
        return frozenset(domain for above, domain in self.results if above <= hop.index)


NOTHING_BESIDE: Final = Beside()


def beside(headers: Iterable[tuple[str, str]], signatures: tuple[Signature, ...] = ()) -> Beside:
    """Read the header fields of a message: (name, value), newest first. Linear; the first 2,000 fields count."""
    received = 0
    delivered: str | None = None
    delivered_seen = False
    results: list[tuple[int, str]] = []
    clients: list[ClientField] = []
    for _, (name, value) in zip(range(_MOST_FIELDS), headers, strict=False):
        key = name.lower()
        if key == "received":
            received += 1
        elif key in _DELIVERED_TO and received == 0 and not delivered_seen:
            delivered_seen = True
            delivered = registered_domain(value.strip().strip("<>").rpartition("@")[2])
        elif key in _RESULTS and (domain := _authserv_domain(value)) is not None:
            results.append((received, domain))
        elif key in CLIENT_FIELDS:
            clients.append(ClientField(key, parse_address(value.strip().strip("[]()<>").strip()), received))
    return Beside(delivered, tuple(results), tuple(clients), signatures)


def _authserv_domain(value: str) -> str | None:
    """The registered domain of the authserv-id (RFC 8601 section 2.2), which in ARC stands behind the instance."""
    instance = _INSTANCE.match(value)
    found = _AUTHSERV_ID.match(value, instance.end() if instance else 0)
    return registered_domain(found[1]) if found else None


def for_domain(hop: Hop) -> str | None:
    """The registered domain of the FOR clause, where it is the last clause before the date.

    What a client says of itself (HELO, envelope sender) stands further in front in every dialect.
    """
    head, semicolon, _ = hop.raw.rpartition(";")
    text = " ".join(head.split())
    before, word, path = text.rpartition(" for ")
    if not semicolon or not word or not before:
        return None
    found = _FOR.fullmatch(path)
    return registered_domain(found[1].rpartition("@")[2]) if found and "@" in found[1] else None
