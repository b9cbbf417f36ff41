"""What one cell of a list may hold. Each reader raises ValueError with a sentence that goes on from the value."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from ipaddress import IPv6Network, ip_network
from typing import Final, Literal, cast
from unicodedata import category

from abuse_pipeline.model import IPNetwork, Language

_PREFIX: Final = re.compile(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?")
_MAILBOX: Final = re.compile(r"[^\s<>()\[\],;:\\\"@]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_BREAKS_OUT: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of controls, invisible marks, lone surrogates and line separators; wide spaces are welcome."""
_MAPPED: Final = cast(IPv6Network, ip_network("::ffff:0:0/96"))


def read_line(text: str) -> str:
    """Any text but none, and nothing that could break out of a header line or a terminal."""
    if not text:
        raise ValueError("must not be empty")
    return read_note(text)


def read_note(text: str) -> str:
    if _BREAKS_OUT.intersection(map(category, text)):
        raise ValueError("has control characters or invisible ones in it")
    return text


def read_mailbox(text: str) -> str:
    """One bare address. Local parts like ``a..b.@`` are let through: mobile carriers in Japan gave them out."""
    if not _MAILBOX.fullmatch(text) or not text.isprintable() or ".." in text.rpartition("@")[2] or len(text) > 254:
        raise ValueError("is not one mail address like abuse@customer.example")
    return text


def read_contact(text: str) -> str:
    """A mail address, or the web page of a form."""
    if re.fullmatch(r"https?://[\x21-\x7e]+", text):
        return text
    try:
        return read_mailbox(text)
    except ValueError:
        raise ValueError("is neither one mail address nor an https:// page") from None


def read_language(text: str) -> Language:
    if text not in ("", "ja", "en"):
        raise ValueError('is no language of notices; write "ja" or "en"')
    return cast(Literal["ja", "en"], text or "ja")


def read_prefix(text: str) -> IPNetwork:
    """``192.0.2.0/24``, ``2001:db8::/32``, or one address. Host bits are refused: which of the two was meant?"""
    if not _PREFIX.fullmatch(text):
        raise ValueError("is not a prefix like 192.0.2.0/24 or 2001:db8::/32")
    try:
        prefix = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("is not a prefix like 192.0.2.0/24 or 2001:db8::/32") from None
    if ip_network(text.partition("/")[0]).network_address != prefix.network_address:
        raise ValueError(f"has host bits set; its network is {prefix}")
    if prefix.prefixlen == 0:
        raise ValueError("covers every address there is")
    if isinstance(prefix, IPv6Network) and prefix.subnet_of(_MAPPED):
        raise ValueError("is IPv4 in IPv6 spelling; write the IPv4 prefix")
    return prefix


def read_time(text: str) -> datetime | None:
    """ISO 8601 with an offset -> aware UTC; empty is open.

    A time without an offset is refused: read in the wrong zone it would blame the customer of nine hours earlier.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not an ISO 8601 time like 2026-11-20T14:00:00+09:00") from None
    if moment.tzinfo is None:
        raise ValueError("has no offset; write it like 2026-11-20T14:00:00+09:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is beyond the years that can be reckoned with; leave it empty for open") from None


def read_port(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise ValueError("is not a port from 0 to 65535")
    return int(text)
