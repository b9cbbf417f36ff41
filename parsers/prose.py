"""Format `prose`: the fallback for any readable message that no other parser takes.

It makes no incident: it decides who acts next. A complaint gets the question that policy 003 asks, a claim about
content the written procedure (policy 000, 001, 003: on paper only), an authority or a threat a person at once, and all
else a person too: an answer to what may be spam sent to the desk would make it a backscatter source.
"""

from __future__ import annotations

from abuse_pipeline.api import Bid, Disposition, Mail, Missing, ParseContext, Report
from parsers._automatic import auto_submitted
from parsers._stated import states_address, states_place, states_time, states_zone
from parsers._words import (
    ATTACK,
    FORWARD_SUBJECT,
    INLINE_FORWARD,
    MAIL_COMPLAINT,
    PASTED_HEADERS,
    PHISHING,
    STRONG_CLAIM,
    THREAT,
    Words,
    claims_right,
    complains,
    writes_as_authority,
)

_BULK_FIELDS = ("List-Unsubscribe", "List-Id", "List-Post")


class ProseParser:
    """Reads what people write freely, for its kind and for what it lacks."""

    def recognise(self, mail: Mail, context: ParseContext) -> Bid:  # noqa: ARG002
        return Bid(1, "any readable message can be read as prose")

    def parse(self, mail: Mail, context: ParseContext) -> Report:  # noqa: ARG002
        words = Words.of(mail.header("Subject") or "", mail.text())
        machine = auto_submitted(mail) != "no" or _is_bulk(mail)
        for rule in (_threat, _authority, _claim):
            if report := rule(words, machine):
                return report
        if machine:
            return _staff("a program or a list sent it, in a form that no parser reads", machine=True)
        return _complaint(words) or _staff("no parser understood it, and nothing in it says that it is a complaint")


def _staff(reason: str, *, machine: bool = False) -> Report:
    return Report("prose", disposition=Disposition.STAFF, reasons=(reason,), machine=machine)


def _ask(reason: str, *missing: Missing) -> Report:
    return Report("prose", disposition=Disposition.ASK_REPORTER, reasons=(reason,), missing=missing)


def _is_bulk(mail: Mail) -> bool:
    precedence = (mail.header("Precedence") or "").strip().lower()
    return precedence in {"bulk", "list", "junk"} or any(mail.header(name) is not None for name in _BULK_FIELDS)


def _threat(words: Words, machine: bool) -> Report | None:
    if THREAT.search(words.said):
        return _staff("its words may be a threat: a person must read it first (policy 004)", machine=machine)
    return None


def _authority(words: Words, machine: bool) -> Report | None:
    if writes_as_authority(words.said):
        return _staff("it may come from an authority or a lawyer: a person must answer", machine=machine)
    return None


def _claim(words: Words, machine: bool) -> Report | None:
    """A claim about content. Words of a mail complaint outweigh a right that is named only in passing."""
    about_mail = complains(MAIL_COMPLAINT, words.said) or complains(PHISHING, words.said)
    in_passing = about_mail and not claims_right(words.subject)
    if not STRONG_CLAIM.search(words.said) and (in_passing or not claims_right(words.said)):
        return None
    reason = "it claims a right about content or personal data, which is taken on paper only (policy 000, 001, 003)"
    return Report("prose", disposition=Disposition.WRITTEN_PROCEDURE, reasons=(reason,), machine=machine)


def _complaint(words: Words) -> Report | None:
    """The question that a complaint deserves; None when nobody complains."""
    forwarded = bool(FORWARD_SUBJECT.match(words.subject) or INLINE_FORWARD.search(words.whole))
    about_mail = complains(MAIL_COMPLAINT, words.said)
    about_site = complains(PHISHING, words.said)
    about_attack = complains(ATTACK, words.said)
    if about_mail or (forwarded and not about_attack):
        return _about_mail(words)
    if about_site:
        return _about_site(words)
    return _about_attack(words) if about_attack else None


def _about_mail(words: Words) -> Report:
    if PASTED_HEADERS.search(words.whole):
        return _staff("a complaint about mail with the headers pasted into its text: a person must read them")
    return _ask("a complaint about mail without the header of the mail", Missing.HEADERS)


def _about_site(words: Words) -> Report:
    if states_place(words.whole):
        return _staff("a complaint about phishing that names a place: a person must look at it")
    if "メール" in words.said or "mail" in words.said.lower():
        return _ask("a complaint about phishing mail without the header of the mail", Missing.HEADERS)
    return _ask("a complaint about phishing that names no address", Missing.ADDRESS)


def _about_attack(words: Words) -> Report:
    """Policy 003 asks for the address or host name, and the date and time in a known zone."""
    missing = [] if states_address(words.whole) else [Missing.ADDRESS]
    if not states_time(words.whole):
        missing.append(Missing.TIME)
    elif not states_zone(words.whole):
        missing.append(Missing.ZONE)
    if not missing:
        return _staff("a complaint in prose that states address and time: a person must read them")
    return _ask("a complaint in prose that lacks what an investigation needs", *missing)
