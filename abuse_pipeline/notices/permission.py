"""Whether a report may be answered at all (RFC 3834)."""

from __future__ import annotations

from dataclasses import dataclass, field

from abuse_pipeline.mail import Mail
from abuse_pipeline.model import Envelope


@dataclass(frozen=True, slots=True)
class ReplyPermission:
    """to: the address to answer when allowed, else None. reason: for staff; names no address."""

    allowed: bool
    reason: str
    to: str | None = field(default=None, repr=False)


def may_reply(mail: Mail, envelope: Envelope, own_addresses: frozenset[str]) -> ReplyPermission:
    """Whether, and where, an automatic answer to *mail* may go."""
    sender = mail.header("From") or ""
    if not sender or envelope.mail_from == "" or sender.casefold() in own_addresses:
        return ReplyPermission(False, "no plausible sender")
    return ReplyPermission(True, "a plausible sender", sender.rpartition("<")[2].rstrip("> "))
