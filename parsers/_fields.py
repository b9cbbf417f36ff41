"""Header fields as parsers meet them: in part 2 of a feedback report, in a saved message, in a sender's address."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import parseaddr

from abuse_pipeline.api import Mail

Field = tuple[str, str]
"""Name in lower case, unfolded value."""

_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:[ \t]*(.*)")
_BLOCK_LIMIT = 256 * 1024
_MOST_COMMENTS = 100


def field_blocks(text: str) -> Iterable[list[Field]]:
    """The runs of header fields in *text* (RFC 5322 section 2.2), one list for each; blank lines part them.

    Lines that are no field, like an mbox separator, are passed over. Only the first 256 KiB are read.
    """
    block: list[Field] = []
    for line in text[:_BLOCK_LIMIT].splitlines():
        if not line.strip():
            if block:
                yield block
            block = []
        elif line[0] in " \t" and block:
            name, value = block[-1]
            block[-1] = (name, f"{value} {line.strip()}")
        elif found := _FIELD.fullmatch(line):
            block.append((found[1].lower(), found[2].strip()))
    if block:
        yield block


def begins_with_header(text: str) -> frozenset[str]:
    """Names of the fields that *text* opens with; empty when its first line is prose."""
    lines = text.lstrip("\ufeff\r\n").splitlines()[:2]
    if lines and lines[0].startswith("From "):
        lines = lines[1:]
    if not lines or not _FIELD.fullmatch(lines[0]):
        return frozenset()
    first = next(iter(field_blocks(text.lstrip("\ufeff\r\n"))), [])
    return frozenset(name for name, _ in first)


def sender(mail: Mail) -> tuple[str, str]:
    """Local part and domain of the first From address, lower-case; empty strings when there is none.

    Read from the field as written: a decoded display name may look like an address.
    """
    for value in mail.raw_headers("From"):
        # Bounded: comments within comments take parseaddr two calls each (RFC 5322 section 3.2.2 sets no depth).
        address = parseaddr(value)[1].lower() if value.count("(") < _MOST_COMMENTS else ""
        if not address:
            # Japanese carrier addresses with ".." or "." before "@" break RFC 5322 and are in use all the same.
            found = re.search(r"<?([^\s<>@\"]{1,64}@[a-z0-9.-]{1,255})>?\s*$", value.lower())
            address = found[1] if found else ""
        local, _, domain = address.rpartition("@")
        return (local or domain, domain if local else "")
    return "", ""


def report_type(mail: Mail) -> str:
    """The report-type parameter of a multipart/report (RFC 6522), lower-case; "" when there is none."""
    if mail.root.content_type != "multipart/report":
        return ""
    declared = mail.header("Content-Type") or ""
    found = re.search(r"report-type\s*=\s*\"?([A-Za-z0-9_-]{1,64})", declared[:4096], re.IGNORECASE)
    return found[1].lower() if found else ""


def top_types(mail: Mail) -> frozenset[str]:
    """Content types of all parts outside embedded messages."""
    return frozenset(part.content_type for part in mail.walk())
