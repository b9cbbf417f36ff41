"""Registered domains by the Public Suffix List: what one organisation registered, `example.co.jp`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?", re.ASCII)
_INTERNAL: Final = frozenset(
    {"local", "localdomain", "localhost", "lan", "internal", "intranet", "home", "corp", "private", "arpa"}
    | {"openstacklocal", "invalid", "onion"}
)
"""Last labels that nobody registers in the public DNS (RFC 6761, 6762, 9476 and use), so they name no organisation."""


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


@lru_cache(maxsize=8192)
def registered_domain(host: str | None) -> str | None:
    """The registered domain of *host*, lower-case; None for an address, an internal name, a public suffix or no name.

    A trailing dot and Unicode labels are taken (the latter become A-labels).

    >>> registered_domain("mx1.mail.example.co.jp.")
    'example.co.jp'
    >>> registered_domain("localhost") is None
    True
    """
    name = plain_host(host)
    if name is None or "." not in name:
        return None
    last = name.rpartition(".")[2]
    if last in _INTERNAL or last.isdigit():
        return None
    found = _suffixes().privatesuffix(name)
    return found if isinstance(found, str) else None


def stamp_domain(by: str | None) -> str | None:
    """The registered domain of the host that a BY names, whatever stands there in front of an `@`."""
    return registered_domain(by.rpartition("@")[2]) if by else None


def plain_host(host: str | None) -> str | None:
    """*host* lower-case, without trailing dot, as A-labels; None when it cannot be a host name."""
    if not host or len(host) > 255:
        return None
    name = host.rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    return name if _HOST.fullmatch(name) and ".." not in name else None
