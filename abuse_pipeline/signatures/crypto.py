"""The one place where dkimpy is called: the lists of tags, the hash over the header, RSA.

What it gets is bounded, because its patterns take time in the square of a run of white space and its integers are as
large as the key says. The hash over the body is ours (message.py) for the same reason. It is given neither its clock
nor its DNS nor a log: its messages quote the mail.
"""

from __future__ import annotations

import logging
import re
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

from abuse_pipeline.signatures.message import SignedField

MOST_KEY_BYTES: Final = 4096

_MOST_FIELD_BYTES: Final = 16_384
_LONG_RUN: Final = re.compile(rb"\s{101}")
_FEWEST_BITS: Final = 1024
_MOST_BITS: Final = 4096
_MOST_EXPONENT: Final = 1 << 32
_SILENT: Final = logging.Logger("dkimpy, unheard", logging.CRITICAL + 1)


def read_tags(value: bytes) -> dict[bytes, bytes] | None:
    """The tag=value list of a signature field or a key record (RFC 6376 section 3.2); None when it is none.

    Also None for more than 16 KB, or more than 100 white-space characters in a row, which no signer writes.
    """
    from dkim.util import InvalidTagValueList, parse_tag_value

    if len(value) > _MOST_FIELD_BYTES or _LONG_RUN.search(value):
        return None
    try:
        tags: dict[bytes, bytes] = parse_tag_value(value)
    except InvalidTagValueList:
        return None
    return tags


def usable_key(record: str) -> int | None:
    """The bytes of the RSA modulus of a key record (RFC 6376 section 3.6.1), None when it cannot verify signed mail.

    1,024 to 4,096 bits (RFC 8301 section 3.2), not withdrawn, not in test mode (`t=y`), made for mail and for SHA-256.
    """
    if len(record) > MOST_KEY_BYTES or not record.isascii():
        return None
    tags = read_tags(record.encode("ascii"))
    if tags is None or not _for_mail(tags):
        return None
    modulus, exponent = _rsa_key(tags.get(b"p", b"")) or (0, 0)
    if not (_FEWEST_BITS <= modulus.bit_length() <= _MOST_BITS and 3 <= exponent < _MOST_EXPONENT):
        return None
    return (modulus.bit_length() + 7) // 8


def _for_mail(tags: Mapping[bytes, bytes]) -> bool:
    def listed(tag: bytes) -> set[bytes]:
        return {item.strip() for item in tags.get(tag, b"").split(b":")} - {b""}

    return (
        tags.get(b"v", b"DKIM1") == b"DKIM1"
        and tags.get(b"k", b"rsa") == b"rsa"
        and b"y" not in listed(b"t")
        and bool(listed(b"s") & {b"*", b"email"} or not listed(b"s"))
        and bool(b"sha256" in listed(b"h") or not listed(b"h"))
    )


def _rsa_key(encoded: bytes) -> tuple[int, int] | None:
    """Modulus and public exponent of a ``p=`` value."""
    from dkim.crypto import UnparsableKeyError, parse_public_key

    try:
        key = parse_public_key(b64decode(re.sub(rb"\s", b"", encoded), validate=True))
    except (UnparsableKeyError, ValueError, LookupError, AssertionError, TypeError):
        return None
    return key["modulus"], key["publicExponent"]


def holds(
    tags: Mapping[bytes, bytes], names: Sequence[bytes], fields: Sequence[SignedField], own: SignedField, record: str
) -> bool:
    """Whether the ``b=`` of *own* verifies with the key *record* over those of *fields* that *names* choose.

    names: lower-case, chosen bottom up (RFC 6376 section 5.4.2). Neither the body nor any time is looked at. False
    whatever else is wrong.
    """
    import dkim
    from dkim.asn1 import ASN1FormatError
    from dkim.crypto import DigestTooLargeError, UnparsableKeyError
    from dkim.util import InvalidTagValueList

    size = usable_key(record)
    signer: Any = dkim.DKIM(logger=_SILENT)
    signer.headers = list(fields)
    signature = {tag: value for tag, value in tags.items() if tag not in _CHECKED_BY_US}
    try:
        if size != len(b64decode(b"".join(tags[b"b"].split()))):  # dkimpy takes any number of zeros in front of it
            return False
        dkim.validate_signature_fields(signature, _needed(own), arc=own[0].lower().startswith(b"arc-"))
        return signer.verify_sig(signature, list(names), own, lambda *_, **__: record.encode("ascii")) is True
    except (
        *(dkim.DKIMException, InvalidTagValueList, DigestTooLargeError, UnparsableKeyError, ASN1FormatError),
        # What its code runs into on hostile input: slices of short values, broken base64 and ASN.1, `assert`.
        *(ValueError, TypeError, LookupError, ArithmeticError, AssertionError, NameError),
    ):
        return False


_CHECKED_BY_US: Final = frozenset({b"bh", b"l", b"t", b"x"})


def _needed(own: SignedField) -> list[bytes]:
    return [b"a", b"b", b"d", b"s"] + ([b"i", b"cv"] if own[0].lower() == b"arc-seal" else [b"h"])
