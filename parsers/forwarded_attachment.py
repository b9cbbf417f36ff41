"""Format `forwarded_attachment`: somebody forwards spam as an attachment, which keeps its headers whole.

message/rfc822 (RFC 2046 section 5.2.1), message/global (RFC 6532), text/rfc822-headers (RFC 6522 section 4), and saved
messages that a mail program sent as .eml or .txt files.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from abuse_pipeline.api import (
    NOT_MINE,
    Bid,
    Incident,
    Mail,
    MailLimits,
    MalformedReport,
    Missing,
    ParseContext,
    Report,
)
from parsers._attached import (
    Attached,
    attached_messages,
    fingerprint,
    has_attached_message,
    is_from_a_colleagues_desk,
    is_from_the_reporters_side,
)
from parsers._automatic import auto_submitted, is_feedback_report, why_automatic
from parsers._fields import sender
from parsers._inline import forwards_inline

_BIDS = {
    "embedded": Bid(80, "a message is attached (RFC 2046 section 5.2.1)"),
    "headers": Bid(75, "the headers of a message are attached (RFC 6522 section 4)"),
    "saved": Bid(70, "a saved message is attached as a file"),
}
_FORWARD = re.compile(r"\s*(?:\[?(?:fwd?|fw)\]?\s*:|\[fwd:|【?転送】?|fwd\s*\()", re.IGNORECASE)
_UNSURE = (
    "the attached message is itself a forward with a message inside, and nothing proves that it came from the "
    "reporter's side: a person must say which of the two is reported"
)
_NESTED = (
    "the message was attached to a forward from the reporter's side, and whose account that was cannot be told: a "
    "person must say whether to believe its lines"
)
_INLINE = (
    "the report quotes the mail in its text, so the attached message may be what was attached to that mail: a person "
    "must say what is reported"
)
_ATTACHED_FEEDBACK = "the attached message is itself a feedback report: a person must say what is reported"


@dataclass(frozen=True, slots=True)
class _Reported:
    """What a reporter means by one attachment."""

    mail: Mail | None
    staff_reason: str | None = None


class ForwardedAttachmentParser:
    """One incident of messaging/spam for each attached message.

    A reporter who writes "phishing" above it still shows us a mail: what we can trace is where the mail came from, so
    the incident stays messaging/spam; the site behind its links is another matter, by another report.
    """

    def recognise(self, mail: Mail, context: ParseContext) -> Bid:
        kind = has_attached_message(mail)
        if not kind or is_feedback_report(mail) or why_automatic(mail, context):
            return NOT_MINE
        return _BIDS[kind]

    def parse(self, mail: Mail, context: ParseContext) -> Report:
        """Raises MalformedReport when nothing is attached, MalformedMessage and LimitExceeded by a saved message."""
        found = attached_messages(mail, context.limits)
        if not found:
            raise MalformedReport("no message is attached (RFC 2046 section 5.2.1)")
        reported = [each for attached in found for each in _meant(attached, mail, context.limits)]
        if forwards_inline(mail, context.own_addresses):
            reported = [replace(each, staff_reason=each.staff_reason or _INLINE) for each in reported]
        incidents = tuple(_incident(each) for each in _distinct(reported))
        return Report("forwarded_attachment", incidents, machine=auto_submitted(mail) != "no")


@dataclass(frozen=True, slots=True)
class _Side:
    """The reporter's side: an address and its domain, for telling a colleague's forward from a spam."""

    address: str
    domain: str

    @classmethod
    def of(cls, mail: Mail) -> _Side:
        local, domain = sender(mail)
        return cls(f"{local}@{domain}", domain)

    def wrote(self, mail: Mail) -> bool:
        local, domain = sender(mail)
        return bool(domain) and (f"{local}@{domain}" == self.address or self.owns(domain))

    def owns(self, host: str) -> bool:
        """Same domain, or one below the other; a bare top-level domain owns nothing."""
        host = host.strip(".").lower()
        if "." not in self.domain or "." not in host:
            return False
        return f".{host}".endswith(f".{self.domain}") or f".{self.domain}".endswith(f".{host}")


def _meant(attached: Attached, report: Mail, limits: MailLimits) -> Iterator[_Reported]:
    """The message that one attachment of *report* means: itself, or what a forward by the reporter's side carries.

    What such a forward carries is traced and shown. Staff decide, unless it was handed in at a colleague's own machine:
    at a provider of mailboxes or lines any other customer can send a forward, and then he wrote all of it.
    """
    side = _Side.of(report)
    waiting: list[tuple[Mail | None, int, str | None]] = [(attached.mail, limits.max_depth, None)]
    while waiting:
        mail, depth, doubt = waiting.pop(0)
        inner = attached_messages(mail, limits) if mail is not None and depth > 0 else ()
        if mail is not None and is_feedback_report(mail):
            yield _Reported(mail, _ATTACHED_FEEDBACK)
        elif mail is None or not inner or not _looks_forwarded(mail, side):
            yield _Reported(mail, doubt)
        elif not is_from_the_reporters_side(mail, report):
            yield _Reported(mail, _UNSURE)
        else:
            doubt = doubt if is_from_a_colleagues_desk(mail, report) else _NESTED
            waiting = [(each.mail, depth - 1, doubt) for each in inner] + waiting


def _looks_forwarded(mail: Mail, side: _Side) -> bool:
    """A forward by hand: from the reporter's own people or with a forward's subject, and not a program's report."""
    if mail.root.content_type == "multipart/report":
        return False
    subject = unicodedata.normalize("NFKC", (mail.header("Subject") or "")[:200])
    return side.wrote(mail) or bool(_FORWARD.match(subject))


def _distinct(reported: Iterable[_Reported]) -> Iterator[_Reported]:
    """The same message attached twice is one incident; of parts that hold no message at all, one is enough to ask."""
    seen: set[str] = set()
    for each in reported:
        key = fingerprint(each.mail) if each.mail is not None else ""
        if key not in seen:
            seen.add(key)
            yield each


def _incident(reported: _Reported) -> Incident:
    traceable = reported.mail is not None and bool(reported.mail.raw_headers("Received"))
    return Incident(
        "messaging",
        "spam",
        message=reported.mail,
        staff_reason=reported.staff_reason,
        missing=() if traceable else (Missing.HEADERS,),
    )
