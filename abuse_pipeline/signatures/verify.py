"""Which signatures of well-known relays verify over a message as we have it.

What "verified" means here:

- DKIM (RFC 6376 section 6.1): header hash, hash of the whole body, signature; From is signed, not expired.
- ARC (RFC 8617 section 5.2): every set is there in good form, no seal says that the chain failed, and no seal of a
  listed relay whose key is at hand is wrong. A set is named when its own seal verifies, over it and all sets below it,
  and its own message signature verifies over the header and the whole body as they are now. Seals of others are not
  checked, as nobody asks for their keys: a named set proves what *that* relay received, and nothing about the others.

rsa-sha256 with 1,024 to 4,096 bits only. Where anything is missing or odd, a signature is not verified; nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from abuse_pipeline.model import Signature
from abuse_pipeline.signatures.arc import ArcSet, arc_sets, sealed_fields
from abuse_pipeline.signatures.claims import Claim, claim_of, claims
from abuse_pipeline.signatures.crypto import holds
from abuse_pipeline.signatures.message import SignedMessage, read_message
from abuse_pipeline.signatures.results import client_in_results

_MOST_KEYS: Final = 8
_MOST_SIGNATURES: Final = 8


def wanted_keys(raw: bytes, domains: frozenset[str]) -> tuple[str, ...]:
    """DNS names whose keys could verify a signature of *domains* (lower-case) in the message *raw*; at most eight."""
    message = read_message(raw)
    return () if message is None else _names(message, domains)


def _names(message: SignedMessage, domains: frozenset[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(claim.key_name for claim in claims(message.fields, domains)))[:_MOST_KEYS]


def verified(
    raw: bytes, domains: frozenset[str], key_of: Callable[[str], str | None], at: datetime
) -> tuple[Signature, ...]:
    """The signatures of *domains* (lower-case) and hosts below them that verify over the message *raw*.

    key_of: the key record (RFC 6376 section 3.6.1) that stands at a DNS name, None where it is not known; asked only
    for what `wanted_keys` lists, and once for each. at: aware, when the message was received; a signature that expired
    before is not verified.
    """
    message = read_message(raw)
    if message is None:
        return ()
    names = _names(message, domains)
    keys = {name: record for name in names if (record := key_of(name)) is not None}
    if not keys:
        return ()
    return (*_dkim(message, domains, keys, at), *_arc(message, domains, keys, at))


def _dkim(message: SignedMessage, domains: frozenset[str], keys: dict[str, str], at: datetime) -> tuple[Signature, ...]:
    own = [claim for claim in claims(message.fields, domains) if claim.own[0].lower() == b"dkim-signature"]
    good = [claim for claim in own[:_MOST_SIGNATURES] if _covers_message(claim, message, keys, at)]
    return tuple(Signature("dkim", claim.domain, claim.selector) for claim in good)


def _covers_message(claim: Claim, message: SignedMessage, keys: dict[str, str], at: datetime) -> bool:
    record = keys.get(claim.key_name)
    if record is None or not claim.is_of_its_time(at) or not claim.covers_body(message):
        return False
    return holds(claim.tags, claim.signed_names, message.fields, claim.own, record)


def _arc(message: SignedMessage, domains: frozenset[str], keys: dict[str, str], at: datetime) -> tuple[Signature, ...]:
    sets = arc_sets(message.fields)
    good: list[Signature] = []
    for instance, one in enumerate(sets, start=1):
        seal = claim_of(one.seal, domains)
        if seal is None or seal.key_name not in keys:
            continue
        if not _seals(seal, sets, instance, keys[seal.key_name], at):
            return ()
        signature = _set_signature(one, seal, message, domains, keys, at)
        if signature is not None:
            good.append(signature)
    return tuple(good)


def _seals(seal: Claim, sets: tuple[ArcSet, ...], instance: int, record: str, at: datetime) -> bool:
    # `holds` chooses fields bottom up; a seal is hashed from instance 1 up, relaxed whatever it says (section 5.1.1).
    fields = sealed_fields(sets, instance)
    tags = {**seal.tags, b"c": b"relaxed/relaxed"}
    names = [name.lower() for name, _ in fields]
    return seal.is_of_its_time(at) and holds(tags, names, fields[::-1], seal.own, record)


def _set_signature(
    one: ArcSet, seal: Claim, message: SignedMessage, domains: frozenset[str], keys: dict[str, str], at: datetime
) -> Signature | None:
    claim = claim_of(one.message, domains)
    if claim is None or claim.domain != seal.domain or not _covers_message(claim, message, keys, at):
        return None
    return Signature("arc", seal.domain, seal.selector, client_in_results(one.results[1]))
