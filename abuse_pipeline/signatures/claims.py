"""Which signature fields of a message may be looked at, and which DNS name holds the key of each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from abuse_pipeline.signatures.crypto import read_tags
from abuse_pipeline.signatures.message import SignedField, SignedMessage

_MOST_SIGNED: Final = 150
_CLOCK_SKEW: Final = timedelta(hours=2)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_RUN: Final = re.compile(r"[a-z0-9]+", re.ASCII)
_SWITCH: Final = re.compile(r"(?<=[a-z])(?=[0-9])|(?<=[0-9])(?=[a-z])", re.ASCII)
_HEX: Final = frozenset("0123456789abcdef")
_NUMBER: Final = re.compile(rb"[0-9]{1,12}")


@dataclass(frozen=True, eq=False)
class Claim:
    """A DKIM-Signature, ARC-Message-Signature or ARC-Seal that says it is a listed relay's.

    own: the field as written. domain, selector: lower-case.
    """

    own: SignedField = field(repr=False)
    tags: dict[bytes, bytes] = field(repr=False)
    domain: str
    selector: str

    @property
    def key_name(self) -> str:
        return f"{self.selector}._domainkey.{self.domain}"

    @cached_property
    def signed_names(self) -> tuple[bytes, ...]:
        """What ``h=`` lists, lower-case."""
        return tuple(name.strip().lower() for name in self.tags.get(b"h", b"").split(b":"))

    def covers_body(self, message: SignedMessage) -> bool:
        """Whether ``bh=`` is the hash of the whole body: a length ``l=`` that leaves any of it out does not do."""
        body_canon = self.tags.get(b"c", b"simple/simple").partition(b"/")[2] or b"simple"
        hashed = message.body_hash(body_canon)
        if hashed is None or b"".join(self.tags.get(b"bh", b"").split()) != hashed[0]:
            return False
        return b"l" not in self.tags or self.tags[b"l"] == str(hashed[1]).encode("ascii")

    def is_of_its_time(self, at: datetime) -> bool:
        """Whether *at* lies between ``t=`` and ``x=``, where those stand; two hours are given to the signer's clock."""
        for tag in (b"t", b"x"):
            if tag in self.tags and not _NUMBER.fullmatch(self.tags[tag]):
                return False
        seconds = at.timestamp()
        signed, expires = self.tags.get(b"t"), self.tags.get(b"x")
        if signed is not None and int(signed) > seconds + _CLOCK_SKEW.total_seconds():
            return False
        return expires is None or (int(expires) >= seconds and int(expires) > int(signed or b"0"))


def claims(fields: Iterable[SignedField], domains: frozenset[str]) -> tuple[Claim, ...]:
    """The signature fields of *domains* (lower-case) or hosts below them that could verify, topmost first."""
    found = (claim_of(own, domains) for own in fields if own[0].lower() in _KINDS)
    return tuple(claim for claim in found if claim is not None)


_KINDS: Final = frozenset({b"dkim-signature", b"arc-message-signature", b"arc-seal"})


def claim_of(own: SignedField, domains: frozenset[str]) -> Claim | None:
    """None when the field is not of *domains*, or breaks a rule that no key could mend.

    rsa-sha256 alone (RFC 8301 forbids SHA-1); From must be signed (RFC 6376 section 5.4), a seal lists no names and an
    ARC signature signs no seal (RFC 8617 sections 4.1.2, 4.1.3).
    """
    kind = own[0].lower()
    tags = read_tags(own[1])
    if tags is None or tags.get(b"a") != b"rsa-sha256":
        return None
    domain, selector = _text(tags.get(b"d")), _text(tags.get(b"s"))
    if not _is_of(domain, domains) or not is_ordinary(selector):
        return None
    claim = Claim(own, tags, domain, selector)
    names = claim.signed_names
    if kind == b"arc-seal":
        return claim if b"h" not in tags else None
    if b"from" not in names or len(names) > _MOST_SIGNED or (kind == b"dkim-signature" and tags.get(b"v") != b"1"):
        return None
    return None if kind != b"dkim-signature" and b"arc-seal" in names else claim


def _text(value: bytes | None) -> str:
    return (value or b"").decode("ascii", "replace").lower()


def _is_of(host: str, domains: frozenset[str]) -> bool:
    """Whether *host* is one of *domains* or lies under one; what stands in front must be as ordinary as a selector."""
    if len(host) > 190 or not _HOST.fullmatch(host):
        return False
    under = (domain for domain in domains if host == domain or host.endswith("." + domain))
    return any(host == domain or is_ordinary(host[: -len(domain) - 1]) for domain in under)


def is_ordinary(selector: str) -> bool:
    """Whether a selector looks like one for everybody's mail, not like a token made for one recipient.

    Host name labels of at most 63 characters in all. No run of letters and digits that is longer than 20, that is a
    number of more than 14 digits, or in which letters and digits take turns as in hexadecimal or base32.

    >>> is_ordinary("arc-20240605"), is_ordinary("selector1-contoso-onmicrosoft-com"), is_ordinary("a8d4f21b9c7e")
    (True, True, False)
    """
    if not 0 < len(selector) <= 63 or not _HOST.fullmatch(selector):
        return False
    return not any(_is_token(run) for run in _RUN.findall(selector))


def _is_token(run: str) -> bool:
    if len(run) > 20 or (len(run) > 14 and run.isdigit()):
        return True
    switches = len(_SWITCH.findall(run))
    return (len(run) >= 10 and switches >= 3) or (len(run) >= 8 and switches >= 2 and _HEX.issuperset(run))
