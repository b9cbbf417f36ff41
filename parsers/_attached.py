"""Messages that travel inside a message: embedded, as headers alone, or as a saved file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from abuse_pipeline.api import Mail, MailLimits, Part, ReportError, came_from_a_desk, read_mail, stayed_inside
from parsers._fields import begins_with_header, sender

EMBEDDED = frozenset({"message/rfc822", "message/global", "message/rfc-822", "message/news"})
# The second and the third are misspellings that feedback loops send.
HEADERS_ONLY = frozenset(
    {"text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers", "message/global-headers"}
)
_SAVED_NAMES = (".eml", ".mht", ".msg.txt", ".txt", ".headers")
_PEEK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Attached:
    """One message found inside another. mail is None when the part holds nothing that can be read as a message."""

    part: Part
    mail: Mail | None


def attached_messages(mail: Mail, limits: MailLimits) -> tuple[Attached, ...]:
    """Every message attached to *mail*, in order; does not look inside them.

    Raises LimitExceeded when a saved message breaks a cap.
    """
    return tuple(_attached(mail, limits))


def has_attached_message(mail: Mail) -> str:
    """What kind of attached message *mail* has: "embedded", "headers", "saved" or ""; cheap, reads nothing twice."""
    kinds = {_kind(part) for part in mail.walk()}
    return next((kind for kind in ("embedded", "headers", "saved") if kind in kinds), "")


def is_attached_message(part: Part) -> bool:
    """Whether *part* is a message, or the header of one, rather than text of the mail that carries it."""
    return bool(_kind(part))


def _attached(mail: Mail, limits: MailLimits) -> Iterator[Attached]:
    for part in mail.walk():
        if _kind(part):
            yield Attached(part, _read(part, limits))


def _kind(part: Part) -> str:
    if part.message is not None or part.content_type in EMBEDDED:
        return "embedded"
    if part.content_type in HEADERS_ONLY:
        return "headers"
    return "saved" if _is_saved_message(part) else ""


def _is_saved_message(part: Part) -> bool:
    """A .eml or .txt file whose content opens with header fields; a .txt must hold a Received field to count."""
    name = part.filename.lower().strip()
    if part.children or not name.endswith(_SAVED_NAMES):
        return False
    try:
        names = begins_with_header(_plain_bytes(part.content()[:_PEEK]).decode("latin-1"))
    except ReportError:
        return False  # what cannot be decoded is no saved message; prose takes the report
    if name.endswith(".eml"):
        return len(names & {"received", "from", "to", "subject", "date", "message-id", "return-path"}) >= 2
    return "received" in names


def _read(part: Part, limits: MailLimits) -> Mail | None:
    if part.message is not None:
        return part.message
    return as_message(part.content(), limits)


def as_message(content: bytes, limits: MailLimits) -> Mail | None:
    """Read bytes that stand for a message, or for its header alone; None when they hold no header fields (a body
    replaced by "REDACTED").

    Raises MalformedMessage and LimitExceeded as `read_mail` does.
    """
    plain = _plain_bytes(content)
    if not begins_with_header(plain[:_PEEK].decode("latin-1")):
        return None
    return read_mail(plain, limits)


def _plain_bytes(content: bytes) -> bytes:
    """Without byte order mark and leading blank lines; UTF-16 (Windows Notepad) as UTF-8."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        content = content.decode("utf-16", "replace").encode()
    return content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")


def is_from_the_reporters_side(attached: Mail, report: Mail) -> bool:
    """Whether *attached* provably never came in from outside the organisation of who sent *report*.

    Only then does what it carries speak for the reporter: inside a message from outside everything, feedback reports
    and further messages too, was written by whoever sent it.
    """
    return stayed_inside(attached.raw_headers("Received"), sender(report)[1])


def is_from_a_colleagues_desk(attached: Mail, report: Mail) -> bool:
    """Whether *attached* was handed in at a personal machine of the organisation of who sent *report*.

    At a provider every other customer is on the reporter's side as well: then staff decide what his message carries.
    """
    return came_from_a_desk(attached.raw_headers("Received"), sender(report)[1])


def fingerprint(mail: Mail) -> str:
    """Equal for the same message attached twice, also once in full and once as headers alone.

    A header with a Received chain is unique by itself (queue ids, seconds); without one the whole message counts.
    """
    raw = mail.raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").strip(b"\n")
    if mail.raw_headers("Received"):
        raw = raw.partition(b"\n\n")[0]
    return hashlib.sha256(re.sub(rb"[ \t\n]+", b" ", raw).strip()).hexdigest()
