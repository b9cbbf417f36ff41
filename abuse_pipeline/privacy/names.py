"""Mail addresses and display names out of header fields, as strangers write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9!#$%&'*+/=?^_`{|}~.-])"
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]++@"
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*+)\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]*+)"
)
_QUOTED_LOCAL = re.compile(r'"[^"\\\r\n]{1,64}"@[A-Za-z0-9.-]+')
_ANY_SCRIPT = re.compile(r"[^\s<>()\[\],;:\"@]{1,64}@[^\s<>()\[\],;:\"@]{1,255}")


@dataclass(frozen=True, slots=True)
class Box:
    """One mailbox of a field. name: its display name or comment, "" when there is none."""

    address: str
    name: str


def addresses_in(text: str) -> list[str]:
    """Every mail address in *text*, in linear time. A trailing dot is punctuation; a leading or doubled one is not."""
    found = [match.group() for match in _ADDRESS.finditer(text)] if "@" in text else []
    if '"@' in text:
        found.extend(match.group() for match in _QUOTED_LOCAL.finditer(text))
    return [address.strip("'") for address in found]


def mailboxes(values: Iterable[str]) -> list[Box]:
    """The mailboxes of address fields (RFC 5322 section 3.4), decoded, read leniently: groups and broken quoting give
    what can be read; an entry without an address is left out."""
    boxes = []
    for value in values:
        for entry in _entries(value):
            address, name = _split(entry)
            if address:
                boxes.append(Box(address, name))
    return boxes


def display_names(values: Iterable[str]) -> list[str]:
    """The names in address fields, also of entries that have no address."""
    return [name for value in values for entry in _entries(value) if (name := _split(entry)[1])]


def _entries(value: str) -> list[str]:
    """Split at commas and semicolons outside quotes, comments and angle brackets."""
    entries: list[str] = []
    current: list[str] = []
    quoted, depth = False, 0
    for char in value:
        if char == '"':
            quoted = not quoted
        elif not quoted and char in "(<":
            depth += 1
        elif not quoted and char in ")>":
            depth = max(0, depth - 1)
        if char in ",;" and not quoted and depth == 0:
            entries.append("".join(current))
            current = []
        else:
            current.append(char)
    entries.append("".join(current))
    return [entry for entry in entries if entry.strip()]


def _split(entry: str) -> tuple[str, str]:
    """One entry as (address, name)."""
    before, mark, rest = entry.rpartition("<")
    inside = rest.partition(">")[0] if mark else ""
    address = _first_address(inside) if mark else ""
    if address:
        return address, _clean(before)
    address = _first_address(entry)
    name = entry.replace(address, " ") if address else entry
    return address, _clean(name)


def _first_address(text: str) -> str:
    found = addresses_in(text)
    if found:
        return found[0]
    other = _ANY_SCRIPT.search(text)
    return other.group() if other else ""


def _clean(name: str) -> str:
    return " ".join(name.replace('"', " ").strip(" \t'()<>:").split())
