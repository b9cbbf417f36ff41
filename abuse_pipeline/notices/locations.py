"""The place of content on the customer's own host, without what could have been made for one visitor (FACTS D26)."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from abuse_pipeline.privacy.tokens import looks_opaque

MASK = "***"
_LONGEST = 200


def shown_location(location: str) -> str:
    """Host and path of *location*: no user, query or fragment; a segment or host label that looks like a token, holds a
    mail address or is not plain ASCII is masked. A scheme stays when one was given.

    >>> shown_location("https://shop.example/login/8f3a9c2e7b/index.html?u=taro#x")
    'https://shop.example/login/***/index.html'
    """
    scheme, mark, rest = location.strip().rpartition("://")
    for end in "?#":
        rest = rest.partition(end)[0]
    host, slash, path = rest.replace("\\", "/").partition("/")
    host = host.rpartition("@")[2]
    shown = _masked_host(host) + slash + "/".join(_masked(segment) for segment in path.split("/"))
    prefix = f"{scheme}{mark}" if scheme.lower() in ("http", "https", "ftp") else ""
    return (prefix + shown)[:_LONGEST]


def _masked_host(host: str) -> str:
    name, colon, port = host.partition(":") if host.count(":") == 1 else (host, "", "")
    labels = name.split(".")
    kept = labels[-2:]
    masked = [_masked(label) for label in labels[:-2]] + [_plain(label) for label in kept]
    return ".".join(masked) + (colon + port if port.isdigit() else "")


def _masked(segment: str) -> str:
    decoded = unquote(unquote(segment))
    if not decoded.isascii() or "@" in decoded:
        return MASK
    return MASK if any(looks_opaque(piece) for piece in re.split("[;=]", decoded)) else _plain(segment)


def _plain(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and not c.isspace() and unicodedata.category(c) != "Cf")
