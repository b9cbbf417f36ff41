"""Format `arf`: feedback reports (RFC 5965) with not-spam (RFC 6430), auth-failure (RFC 6591), Source-Port (RFC 6692).

Read as they are sent, not only as they are specified: without the multipart/report wrapper, with several reports in one
message, with tagged or mapped addresses, with the reported headers as plain text. What a field says is a claim.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from abuse_pipeline.api import (
    NOT_MINE,
    Bid,
    Disposition,
    Incident,
    IPAddress,
    Mail,
    MailLimits,
    MalformedReport,
    Missing,
    Moment,
    ParseContext,
    Part,
    Report,
    UnreadableTime,
    parse_address,
    parse_date,
)
from parsers._attached import EMBEDDED, HEADERS_ONLY, as_message, is_from_a_colleagues_desk, is_from_the_reporters_side
from parsers._fields import Field, begins_with_header, field_blocks, report_type
from parsers._inline import forwards_inline

_EXACTLY_ONCE = ("feedback-type", "user-agent", "version")
_AT_MOST_ONCE = (
    "original-envelope-id", "original-mail-from", "arrival-date", "received-date", "reporting-mta", "source-ip",
    "incidents",
)  # fmt: skip
_AT_MOST_ONCE_6591 = ("auth-failure", "delivery-result", "dkim-domain", "dkim-identity", "dkim-selector")
_MARKS = frozenset({"feedback-type", "abuse-type", "original-rcpt-to", "reported-domain", "source-ip", "auth-failure"})
_KINDS = {"fraud": ("content", "phishing"), "virus": ("content", "malware")}
_NO_INCIDENT = {
    "not-spam": "a not-spam report: the recipient wanted the message (RFC 6430)",
    "opt-out": "an opt-out request: it complains of nothing",
    "opt-out-list": "an opt-out request: it complains of nothing",
}
_FOR_STAFF = {
    "auth-failure": "an authentication failure report (RFC 6591) does not say that the message was abusive",
    "dkim": "an authentication failure report (RFC 6591) does not say that the message was abusive",
    "miscategorized": "the report says that a filter was wrong, not that the message was abusive",
    "xarf": "the facts of this report stand in its XARF part, which this format does not read",
}
_UNTYPED = "the feedback report does not say its type (RFC 5965 section 3.1), and nothing else in it says abuse"
_NOT_ITS_OWN = "an attached feedback report is not the reporter's own record, and who sent it cannot be told"
_INLINE = "the report quotes a mail in its text, so the feedback report may be what was attached to that mail"
_URLS_KEPT = 200


@dataclass(frozen=True, slots=True)
class _Feedback:
    """One feedback report: the fields of its part 2 and the part that carries the reported message, if any."""

    fields: tuple[Field, ...]
    reported: Part | None

    def first(self, name: str) -> str:
        return next((value for field, value in self.fields if field == name and value.strip("'\" ")), "")

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for field, value in self.fields if field == name)


class ArfParser:
    """One incident for each feedback report that complains; several Original-Rcpt-To are one incident."""

    def recognise(self, mail: Mail, context: ParseContext) -> Bid:  # noqa: ARG002
        if "message/feedback-report" in {part.content_type for part in mail.walk()}:
            if report_type(mail) == "feedback-report":
                return Bid(100, "a multipart/report of feedback (RFC 5965 section 2)")
            return Bid(95, "a message/feedback-report part (RFC 5965 section 2)")
        if report_type(mail) == "feedback-report":
            return Bid(90, "says that it is a feedback report, without its second part (RFC 5965 section 2)")
        if _only_own_feedback_attached(mail):
            return Bid(85, "feedback reports of the reporter's own side are attached, forwarded as messages")
        return NOT_MINE

    def parse(self, mail: Mail, context: ParseContext) -> Report:
        """Raises MalformedReport citing RFC 5965 when a report breaks a rule that its meaning hangs on."""
        own = _is_feedback(mail)
        sources = [mail] if own else [inner for inner in _attached(mail) if _is_own_feedback(inner, mail)]
        feedback = [each for source in sources for each in _feedback_in(source)]
        sure = all(is_from_a_colleagues_desk(source, mail) for source in sources)
        if not feedback:
            raise MalformedReport("no message/feedback-report part (RFC 5965 section 2)")
        for each in feedback:
            _check(each)
        complaints = [each for each in feedback if _type_of(each) not in _NO_INCIDENT]
        incidents = tuple(_incident(each, context.limits) for each in complaints)
        if not own:
            incidents = tuple(_unvouched(each, sure) for each in incidents)
        elif report_type(mail) != "feedback-report" and forwards_inline(mail, context.own_addresses):
            incidents = tuple(replace(each, staff_reason=each.staff_reason or _INLINE) for each in incidents)
        if incidents:
            return Report("arf", incidents, machine=own)
        reasons = tuple(dict.fromkeys(_NO_INCIDENT[_type_of(each)] for each in feedback))
        return Report("arf", disposition=Disposition.NONE, reasons=reasons, machine=own)


def _is_feedback(mail: Mail) -> bool:
    return report_type(mail) == "feedback-report" or any(
        part.content_type == "message/feedback-report" for part in mail.walk()
    )


def _attached(mail: Mail) -> Iterator[Mail]:
    return (part.message for part in mail.walk() if part.message is not None)


def _only_own_feedback_attached(mail: Mail) -> bool:
    attached = list(_attached(mail))
    return bool(attached) and all(_is_own_feedback(inner, mail) for inner in attached)


def _is_own_feedback(attached: Mail, mail: Mail) -> bool:
    """Whether *attached* is a feedback report of the reporter's own side; a spammer may put one into his spam."""
    return _is_feedback(attached) and is_from_the_reporters_side(attached, mail)


def _unvouched(incident: Incident, sure: bool) -> Incident:
    """Fields of an attached report are not the reporter's own records: they do not stand by themselves.

    sure: it was handed in at a colleague's machine. Else any other customer of a provider can have sent all of it.
    """
    if sure and incident.message is not None and incident.message.raw_headers("Received"):
        return incident
    return replace(incident, staff_reason=incident.staff_reason or _NOT_ITS_OWN)


def _feedback_in(mail: Mail) -> list[_Feedback]:
    """Pair each part 2 with the reported message that follows it; a single report may have it before."""
    found: list[_Feedback] = []
    unpaired: list[Part] = []
    stand_in = all(part.content_type != "message/feedback-report" for part in mail.walk())
    for part in mail.walk():
        if fields := _feedback_fields(part, mail, stand_in=stand_in):
            found.append(_Feedback(tuple(fields), None))
        elif _may_be_reported(part):
            if found and found[-1].reported is None:
                found[-1] = replace(found[-1], reported=part)
            else:
                unpaired.append(part)
    if len(found) == 1 and found[0].reported is None and unpaired:
        return [replace(found[0], reported=unpaired[-1])]
    return found


def _feedback_fields(part: Part, mail: Mail, *, stand_in: bool) -> list[Field]:
    """The fields of a part 2, or nothing. Where no part is declared as one, a text part may stand in for it."""
    declared = part.content_type == "message/feedback-report"
    if not declared and not (stand_in and part.content_type == "text/plain"):
        return []
    text = part.text()
    if not declared and "feedback-type" not in begins_with_header(text):
        return []
    blocks = [block for block in field_blocks(text) if _MARKS & {name for name, _ in block}]
    fields = blocks[0] if blocks else []
    if declared and part is not mail.root:
        # Without the empty line between a part's header and its body the fields end up in the header.
        fields += [(name.lower(), value) for name, value in part.headers if not _is_mime_field(name)]
    return fields or ([("", "")] if declared else [])


def _is_mime_field(name: str) -> bool:
    return name.lower().startswith("content-") or name.lower() == "mime-version"


def _may_be_reported(part: Part) -> bool:
    if part.message is not None or part.content_type in EMBEDDED | HEADERS_ONLY:
        return True
    if part.content_type not in {"text/plain", "application/octet-stream"} or part.children:
        return False
    return bool(begins_with_header(part.text()) & {"received", "return-path", "message-id"})


def _check(feedback: _Feedback) -> None:
    """The rules on how often a field may stand. Two values of one fact leave nothing to rest on."""
    counts = Counter(name for name, _ in feedback.fields)
    for names, section in (
        (_EXACTLY_ONCE, "RFC 5965 section 3.1"),
        (_AT_MOST_ONCE, "RFC 5965 section 3.2"),
        (("source-port",), "RFC 6692 section 3"),
        (_AT_MOST_ONCE_6591, "RFC 6591 section 3.1"),
    ):
        twice = next((name for name in names if counts[name] > 1), None)
        if twice is not None:
            raise MalformedReport(f"the field {twice.title()} stands twice ({section})", where="feedback report")
    if counts["arrival-date"] and counts["received-date"]:
        raise MalformedReport(
            "both Arrival-Date and Received-Date stand, which name the same time (RFC 5965 section 3.2)",
            where="feedback report",
        )


def _type_of(feedback: _Feedback) -> str:
    word = feedback.first("feedback-type").strip("'\" ").lower()
    return re.split(r"[\s;(]", word + " ", maxsplit=1)[0][:64]


def _incident(feedback: _Feedback, limits: MailLimits) -> Incident:
    kind = _type_of(feedback)
    category, type_ = _KINDS.get(kind, ("messaging", "spam"))
    message = _reported_message(feedback.reported, limits)
    address = _source_ip(feedback)
    when, problem = _source_time(feedback)
    traceable = message is not None and bool(message.raw_headers("Received"))
    return Incident(
        category,
        type_,
        message=message,
        source_ip=address,
        source_port=_source_port(feedback),
        source_time=when,
        source_time_problem=problem,
        urls=_urls(feedback.all("reported-uri")),
        feedback_type=kind or None,
        staff_reason=_staff_reason(kind, feedback),
        missing=() if traceable else _missing(address, when, problem),
    )


def _reported_message(part: Part | None, limits: MailLimits) -> Mail | None:
    """Part 3 as a message; None when there is none or its content was replaced by a word like "REDACTED"."""
    if part is None:
        return None
    if part.message is not None:
        return part.message if part.message.all_headers() else None
    return as_message(part.content(), limits)


def _staff_reason(kind: str, feedback: _Feedback) -> str | None:
    """Unknown types are as good as "other" (RFC 5965 section 6). A missing one could have been not-spam: only a field
    that says abuse stands in for it, not the prose of part 1, which is no part of the report (section 2, item g)."""
    if kind:
        return _FOR_STAFF.get(kind)
    return None if feedback.first("abuse-type") else _UNTYPED


def _source_ip(feedback: _Feedback) -> IPAddress | None:
    """``a.b.c.d``, ``IPv6:…`` (RFC 5321 section 4.1.3), and as sent: bare IPv6, mapped IPv4, in brackets or quotes."""
    text = feedback.first("source-ip").strip("'\" \t<>")
    return parse_address(re.split(r"[\s(;,]", text + " ", maxsplit=1)[0])


def _source_port(feedback: _Feedback) -> int | None:
    found = re.fullmatch(r"(\d{1,5})(?:\s*\(.*)?", feedback.first("source-port").strip("'\" "))
    return int(found[1]) if found and 0 < int(found[1]) <= 65535 else None


def _source_time(feedback: _Feedback) -> tuple[Moment | None, str | None]:
    text = (feedback.first("arrival-date") or feedback.first("received-date")).strip("'\" ")
    if not text:
        return None, None
    when = parse_date(text)
    return (None, when.reason) if isinstance(when, UnreadableTime) else (when, None)


def _missing(address: IPAddress | None, when: Moment | None, problem: str | None) -> tuple[Missing, ...]:
    """What stops the report from standing on its own fields, when no traceable message is beside them."""
    found = [Missing.ADDRESS] if address is None else []
    if when is None:
        found.append(Missing.ZONE if problem is not None and "zone" in problem else Missing.TIME)
    return tuple(found)


def _urls(values: Iterable[str]) -> tuple[str, ...]:
    """Reported-URI values as written; mail addresses are people, not places."""
    urls = (value.strip("'\" <>") for value in values)
    return tuple(dict.fromkeys(url for url in urls if url and not url.lower().startswith("mailto:")))[:_URLS_KEPT]
