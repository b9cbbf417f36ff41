"""Pseudonyms: one reporter, one short name, and nobody without the key can go back or test a guess.

A keyed hash (HMAC-SHA256, RFC 2104), not a plain one: addresses are guessable, so a plain hash of one is no secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata

_RFC_4648 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U: read aloud on the telephone without mistakes
_TO_CROCKFORD = str.maketrans(_RFC_4648, _CROCKFORD)

SHORTEST = 6
LONGEST = 51  # characters that 256 bits fill completely


def canonical_address(address: str) -> str:
    """*address* as it is compared: NFKC (full-width letters become plain ones), trimmed, lower case."""
    return unicodedata.normalize("NFKC", address).strip().lower()


def person_address(address: str) -> str:
    """The canonical address without a ``+tag`` (RFC 5233): the variants of one mailbox are one person.

    >>> person_address("Taro+shop@example.jp")
    'taro@example.jp'
    """
    local, at, domain = canonical_address(address).rpartition("@")
    return f"{local.partition('+')[0] or local}{at}{domain}"


def address_hmac(key: bytes, address: str) -> str:
    """HMAC-SHA256 of the canonical address as 64 hexadecimal digits."""
    return hmac.new(key, canonical_address(address).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def pseudonym_of_hmac(digest: str, length: int = SHORTEST) -> str:
    """``R-`` and the first *length* Crockford base32 characters of *digest* (hexadecimal).

    length: 6 to 51; the store takes more than 6 only where two reporters would share a name.
    """
    if not SHORTEST <= length <= LONGEST:
        raise ValueError(f"a pseudonym has {SHORTEST} to {LONGEST} characters")
    return "R-" + base64.b32encode(bytes.fromhex(digest)).decode("ascii").translate(_TO_CROCKFORD)[:length]


def pseudonym(key: bytes, address: str, length: int = SHORTEST) -> str:
    """The reporter's name outside the vault.

    >>> pseudonym(b"k" * 32, "Taro@Example.jp") == pseudonym(b"k" * 32, " taro@example.jp ")
    True
    """
    return pseudonym_of_hmac(address_hmac(key, address), length)


def domain_token(key: bytes, domain: str) -> str:
    """The name outside of a reporter's registered *domain*: ``D-`` and 16 Crockford characters (80 bits).

    A domain can be guessed as an address can, so it is hashed with the key too, and never comes back.

    >>> domain_token(b"k" * 32, "Example.jp.") == domain_token(b"k" * 32, "example.jp")
    True
    """
    name = canonical_address(domain).rstrip(".")
    digest = hmac.new(key, b"domain:" + name.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return "D-" + base64.b32encode(digest).decode("ascii").translate(_TO_CROCKFORD)[:16]


def thread_token(key: bytes, id: str) -> str:
    """The name under which *id* (a case, an outgoing message) is known outside: 10 Crockford characters.

    Our ids tell when they were made, and the moment a notice was written is what a sender who watches one recipient
    waits for. The two sides of one report get tokens of different ids, so they cannot be matched either.
    """
    digest = hmac.new(key, b"thread:" + id.encode("utf-8"), hashlib.sha256).digest()
    return base64.b32encode(digest).decode("ascii").translate(_TO_CROCKFORD)[:10]
