"""Whether a report may be answered by a program, and where to (RFC 3834 section 2; FACTS B7).

The desk must not become a source of backscatter: it answers one plausible sender and never a machine, a list, a bounce
or itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from abuse_pipeline.mail import Mail
from abuse_pipeline.model import Envelope
from abuse_pipeline.notices.notice import LOOP_HEADER
from abuse_pipeline.privacy.names import addresses_in, mailboxes
from abuse_pipeline.privacy.pseudonyms import person_address
from abuse_pipeline.trace.domains import registered_domain

# Dots in a row or before "@" break RFC 5321, yet Japanese carriers gave such addresses out until 2009; they are in use.
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATEXT}{{1,64}}@(?:{_LABEL}\.)+{_LABEL}")
_MACHINES = re.compile(
    r"owner-.*|.*-owner|.*-request|.*-bounces?(?:\+.*)?|bounces?(?:[+=-].*)?|mailer-daemon|postmaster|"
    r"no-?_?\.?reply.*|do-?_?not-?_?reply.*|nobody|prvs=.*|srs[01][=+-].*|daemon|auto[-_.]?(?:reply|responder|answer)",
    re.IGNORECASE,
)
_NULL_PATH = re.compile(r"\s*<\s*>\s*")
_SPECIAL_DOMAINS = ("localhost", "invalid", "local", "onion", "arpa", "internal", "localdomain")
_BULK = frozenset({"bulk", "list", "junk"})
# What fml, Majordomo, Yahoo and old Mailman write instead of the List- fields of RFC 2369.
_LIST_FIELDS = frozenset(
    {"x-ml-name", "x-ml-count", "x-beenthere", "mailing-list", "x-mailing-list", "x-mailman-version"}
)


@dataclass(frozen=True, slots=True)
class ReplyPermission:
    """to: the address to answer when allowed, else None. reason: for staff; names no address."""

    allowed: bool
    reason: str
    to: str | None = field(default=None, repr=False)


def may_reply(mail: Mail, envelope: Envelope, own_addresses: frozenset[str]) -> ReplyPermission:
    """Whether, and where, an automatic answer to *mail* may go.

    own_addresses: mail addresses of the desk itself, lower-case. The answer goes to the From address, as a service
    responder's may (RFC 3834 section 4), never to Reply-To, which anybody can aim at a stranger.
    """
    refusal = _automatic(mail) or _our_own_loop(mail, own_addresses) or _null_or_machine_path(mail, envelope)
    if refusal:
        return ReplyPermission(False, refusal)
    senders = mailboxes(mail.headers("From"))
    if len(senders) != 1 or len(mail.headers("From")) != 1:
        return ReplyPermission(False, "the report has no From address or several")
    address = senders[0].address
    refusal = _implausible(address, own_addresses) or _unaligned(address, mail, envelope)
    if refusal:
        return ReplyPermission(False, refusal)
    return ReplyPermission(True, "a person may be reading at the From address", address)


def _automatic(mail: Mail) -> str:
    """Why the message itself says that no answer is wanted, or ""."""
    if any(value.partition(";")[0].strip().lower() not in ("", "no") for value in mail.headers("Auto-Submitted")):
        return "Auto-Submitted says that a program wrote it (RFC 3834 section 5)"
    if mail.header(LOOP_HEADER) is not None:
        return f"it carries our own {LOOP_HEADER} field: a loop"
    if (mail.header("Precedence") or "").strip().lower() in _BULK:
        return "Precedence marks it as bulk or list mail"
    if any(name.lower().startswith("list-") or name.lower() in _LIST_FIELDS for name, _ in mail.all_headers()):
        return "it came through a mailing list"
    if (mail.header("Content-Type") or "").strip().lower().startswith("multipart/report"):
        return "it is a machine's report (RFC 6522)"
    if mail.header("X-Auto-Response-Suppress") is not None or mail.header("X-Autoreply") is not None:
        return "it asks not to be answered by a program"
    return ""


def _our_own_loop(mail: Mail, own_addresses: frozenset[str]) -> str:
    """X-Loop (procmail's custom, used by many responders) naming us: we have seen this message before."""
    named = {address for value in mail.headers("X-Loop") for address in addresses_in(value)}
    return "X-Loop names one of our addresses: a loop" if any(_is_own(a, own_addresses) for a in named) else ""


def _is_own(address: str, own_addresses: frozenset[str]) -> bool:
    """An address of the desk, also with a ``+tag`` or a dot at the end of the domain."""
    return person_address(address.rstrip(".")) in {person_address(own) for own in own_addresses}


def _null_or_machine_path(mail: Mail, envelope: Envelope) -> str:
    if envelope.mail_from == "" or any(_NULL_PATH.fullmatch(value) for value in mail.headers("Return-Path")):
        return "the return path is null (RFC 5321 section 4.5.5)"
    for path in _return_paths(mail, envelope):
        if _MACHINES.fullmatch(path.rpartition("@")[0]):
            return "the return path belongs to a list or a machine"
    return ""


def _return_paths(mail: Mail, envelope: Envelope) -> tuple[str, ...]:
    """The envelope's sender, or what the last delivery noted of it."""
    if envelope.mail_from:
        return (envelope.mail_from,)
    return tuple(box.address for box in mailboxes(mail.headers("Return-Path")[:1]))


def _implausible(address: str, own_addresses: frozenset[str]) -> str:
    local, _, domain = address.rpartition("@")
    if not _ADDRESS.fullmatch(address) or len(address) > 254:
        return "the From address is not a mail address"
    if _is_own(address, own_addresses):
        return "the From address is our own: a loop"
    if _MACHINES.fullmatch(local):
        return "the From address belongs to a list or a machine"
    last = domain.lower().rsplit(".", 1)[-1]
    if last in _SPECIAL_DOMAINS or last.isdigit():
        return "the From domain is not one that takes mail"
    return ""


def _unaligned(address: str, mail: Mail, envelope: Envelope) -> str:
    """The From domain must belong with the return path, when there is one: else a stranger's address was put there."""
    wanted = registered_domain(address.rpartition("@")[2])
    if wanted is None:
        return "the From domain is not one that takes mail"
    for path in _return_paths(mail, envelope):
        if registered_domain(path.rpartition("@")[2]) != wanted:
            return "the From domain has nothing to do with the return path"
    return ""
