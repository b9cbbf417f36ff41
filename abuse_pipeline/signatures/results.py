"""The client's address that a relay wrote into its Authentication-Results (RFC 8601), as far as it is beyond doubt.

The relay's words stand beside words of the sender (MAIL FROM, HELO), some within the same comment. So a comment counts
only as a whole and in a shape that is known, and a field in which a sender could have closed a comment of the relay's
counts for nothing.
"""

from __future__ import annotations

import re
from typing import Final

from abuse_pipeline.model import IPAddress
from abuse_pipeline.networks.addresses import parse_address

_LONGEST: Final = 16_384
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|\(([^()"\\]*)\)|([^"();\\]+)|(;)')
_PLAIN: Final = re.compile(r"[0-9A-Fa-f:.]{2,60}|IPv6:[0-9A-Fa-f:.]{2,60}", re.ASCII)
_SPF_COMMENTS: Final = (
    # Google and those who write as it does: rspamd, Postfix filters.
    re.compile(
        r"[\w.-]{1,255}: (?:best guess record for )?domain of (?:transitioning )?\S{1,320}"
        r" (?:designates|does not designate) (\S{2,60}) as permitted sender",
        re.ASCII,
    ),
    re.compile(r"[\w.-]{1,255}: (\S{2,60}) is neither permitted nor denied by .{1,400}", re.ASCII),
    # Microsoft 365 and Outlook.com.
    re.compile(r"sender ip is (\S{2,60})", re.ASCII | re.IGNORECASE),
)
_PROPERTIES: Final = frozenset({"smtp.remote-ip", "smtp.client-ip", "policy.iprev"})


def client_in_results(value: bytes) -> IPAddress | None:
    """The one client address that an (ARC-)Authentication-Results value names; None when there is none, two, or doubt.

    value: with or without the instance tag of ARC, folded or not.
    """
    text = " ".join(value.decode("utf-8", "replace").split())
    if len(value) > _LONGEST:
        return None
    named: set[IPAddress] = set()
    for words, comments in _results(text):
        for shown in _addresses(words, comments):
            ip = parse_address(shown)
            if ip is None:
                return None
            named.add(ip)
    return named.pop() if len(named) == 1 else None


def _results(text: str) -> list[tuple[list[str], list[str]]]:
    """(words, comments) of each result; empty when the text cannot be taken apart without doubt."""
    results: list[tuple[str, list[str]]] = [("", [])]
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return []  # a comment within a comment, one that never ends, a quote where none belongs
        at = token.end()
        quoted, comment, plain, _ = token.groups()
        words, comments = results[-1]
        if comment is not None:
            comments.append(comment.strip())
        elif plain is not None:
            results[-1] = (words + plain, comments)
        elif quoted is not None:
            results[-1] = (words + (quoted if _PLAIN.fullmatch(quoted) else "?"), comments)
        else:
            results.append(("", []))
    return [(words.split(), comments) for words, comments in results]


def _addresses(words: list[str], comments: list[str]) -> list[str]:
    shown = [value for key, _, value in (word.partition("=") for word in words[1:]) if key.lower() in _PROPERTIES]
    if words and words[0].lower().startswith("spf="):
        found = (shape.fullmatch(comment) for comment in comments for shape in _SPF_COMMENTS)
        shown += [match[1] for match in found if match is not None]
    return shown
