"""ARF: the fields of RFC 5965, 6430, 6591 and 6692, and what feedback loops send instead."""

from __future__ import annotations

import json
import os
from ipaddress import ip_address
from pathlib import Path

import pytest

from abuse_pipeline.api import Disposition, MailLimits, MalformedReport, Missing, ParseContext, Report, read_mail
from parsers.arf import ArfParser

CORPUS = Path(os.environ.get("ABUSE_CORPUS", Path(__file__).parents[2] / "../shared/corpus"))
CONTEXT = ParseContext(limits=MailLimits())
FIELDS = "Feedback-Type: abuse\nUser-Agent: Example/1\nVersion: 1\n"
SPAM = (
    "Received: from mail.example.com (mail.example.com [192.0.2.7])\n"
    "\tby mx.example.net with ESMTP id 1; Fri, 20 Nov 2026 14:03:12 +0900\n"
    "From: sender@example.com\nSubject: offer\n"
)


def report(
    fields: str = FIELDS,
    third: str = SPAM + "\nbuy\n",
    third_type: str = "message/rfc822",
    *,
    second_type: str = "message/feedback-report",
    wrapper: str = "multipart/report; report-type=feedback-report",
    first: str = "A complaint.",
) -> bytes:
    parts = [f"Content-Type: text/plain\n\n{first}\n", f"Content-Type: {second_type}\n\n{fields}"]
    if third_type:
        parts.append(f"Content-Type: {third_type}\n\n{third}")
    body = "".join(f"--b\n{part}\n" for part in parts)
    head = f"From: fbl@example.net\nSubject: FW: offer\nMIME-Version: 1.0\nContent-Type: {wrapper}; boundary=b\n\n"
    return f"{head}{body}--b--\n".encode()


def parse(raw: bytes) -> Report:
    mail = read_mail(raw.replace(b"\n", b"\r\n"), MailLimits())
    assert ArfParser().recognise(mail, CONTEXT).strength >= 85
    return ArfParser().parse(mail, CONTEXT)


@pytest.mark.parametrize(
    ("written", "category", "kind", "staff"),
    [
        ("abuse", "messaging", "spam", False),
        ("other", "messaging", "spam", False),
        ("Fraud", "content", "phishing", False),
        ("virus", "content", "malware", False),
        ("auth-failure", "messaging", "spam", True),
        ("xarf", "messaging", "spam", True),
        ("spam", "messaging", "spam", False),
        ("something-new", "messaging", "spam", False),
    ],
)
def test_feedback_types_map_as_the_design_says(written: str, category: str, kind: str, staff: bool) -> None:
    (incident,) = parse(report(FIELDS.replace("abuse", written))).incidents
    assert (incident.category, incident.type, incident.feedback_type) == (category, kind, written.lower())
    assert (incident.staff_reason is not None) is staff


@pytest.mark.parametrize("written", ["not-spam", "opt-out"])
def test_what_complains_of_nothing_makes_no_incident(written: str) -> None:
    found = parse(report(FIELDS.replace("abuse", written)))
    assert found.incidents == ()
    assert found.disposition is Disposition.NONE
    assert written in found.reasons[0]


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("[192.0.2.7]", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("IPv6:::ffff:192.0.2.7", "192.0.2.7"),
        ("IPv6:2001:db8::7", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("'192.0.2.7'", "192.0.2.7"),
        ("192.0.2.7 (mail.example.com)", "192.0.2.7"),
        ("192.0.2.777", None),
        ("mail.example.com", None),
    ],
)
def test_source_ip_as_specified_and_as_sent(written: str, address: str | None) -> None:
    (incident,) = parse(report(f"{FIELDS}Source-IP: {written}\n")).incidents
    assert incident.source_ip == (ip_address(address) if address else None)


@pytest.mark.parametrize(
    ("written", "port"), [("40112", 40112), ("65535", 65535), ("0", None), ("65536", None), ("x", None)]
)
def test_source_port(written: str, port: int | None) -> None:
    (incident,) = parse(report(f"{FIELDS}Source-Port: {written}\n")).incidents
    assert incident.source_port == port


@pytest.mark.parametrize(
    ("line", "utc"),
    [
        ("Arrival-Date: Fri, 20 Nov 2026 14:03:12 +0900", "2026-11-20T05:03:12+00:00"),
        ("Received-Date: Fri, 20 Nov 2026 14:03:12 JST", "2026-11-20T05:03:12+00:00"),
        ("Arrival-Date: 2026-11-20T05:03:12Z", "2026-11-20T05:03:12+00:00"),
    ],
)
def test_arrival_dates_that_can_be_used(line: str, utc: str) -> None:
    (incident,) = parse(report(f"{FIELDS}{line}\n")).incidents
    assert incident.source_time is not None
    assert incident.source_time.at.isoformat() == utc
    assert incident.source_time_problem is None


@pytest.mark.parametrize(
    ("date", "missing"),
    [("Fri, 20 Nov 2026 14:03:12", Missing.ZONE), ("yesterday", Missing.TIME), ("", Missing.TIME)],
)
def test_arrival_dates_that_cannot_be_used_are_asked_for(date: str, missing: Missing) -> None:
    (incident,) = parse(report(f"{FIELDS}Source-IP: 192.0.2.7\nArrival-Date: {date}\n", third_type="")).incidents
    assert incident.source_time is None
    assert bool(incident.source_time_problem) is bool(date)
    assert incident.missing == (missing,)


@pytest.mark.parametrize(
    ("third", "third_type", "subject"),
    [
        (SPAM + "\nbuy\n", "message/rfc822", "offer"),
        (SPAM, "text/rfc822-headers", "offer"),
        (SPAM, "text/rfc822-header", "offer"),
        (SPAM, 'text/plain; name="email-1.txt"', "offer"),
        ("REDACTED\n", "message/rfc822", None),
        ("REDACTED\n", "text/plain", None),
    ],
)
def test_part_three_in_every_dress(third: str, third_type: str, subject: str | None) -> None:
    (incident,) = parse(report(third=third, third_type=third_type)).incidents
    assert (incident.message.header("Subject") if incident.message else None) == subject
    assert incident.missing == (() if subject else (Missing.ADDRESS, Missing.TIME))


def test_both_parts_are_kept_for_the_tracer_to_weigh() -> None:
    (incident,) = parse(report(f"{FIELDS}Source-IP: 198.51.100.9\n")).incidents
    assert incident.source_ip == ip_address("198.51.100.9")
    assert incident.message is not None
    assert "192.0.2.7" in incident.message.raw_headers("Received")[0]


@pytest.mark.parametrize(
    ("extra", "section"),
    [
        ("Feedback-Type: fraud\n", "RFC 5965 section 3.1"),
        ("Version: 1\n", "RFC 5965 section 3.1"),
        ("Source-IP: 192.0.2.7\nSource-IP: 192.0.2.8\n", "RFC 5965 section 3.2"),
        ("Incidents: 1\nIncidents: 2\n", "RFC 5965 section 3.2"),
        (
            "Arrival-Date: Fri, 20 Nov 2026 14:03:12 +0900\nReceived-Date: Fri, 20 Nov 2026 14:03:12 +0900\n",
            "RFC 5965 section 3.2",
        ),
        ("Source-Port: 1\nSource-Port: 2\n", "RFC 6692"),
        ("Auth-Failure: spf\nAuth-Failure: signature\n", "RFC 6591"),
    ],
)
def test_a_field_that_stands_too_often_is_malformed(extra: str, section: str) -> None:
    with pytest.raises(MalformedReport, match=section):
        parse(report(FIELDS + extra))


def test_several_recipients_are_one_incident_and_uris_are_kept_without_people() -> None:
    extra = (
        "Original-Rcpt-To: <a@example.net>\nOriginal-Rcpt-To: <b@example.net>\nReported-Domain: ''\n"
        "Reported-URI: https://shop.example.com/x\nReported-Uri: mailto:a@example.net\nX-New-Field: ok\n"
    )
    (incident,) = parse(report(FIELDS + extra)).incidents
    assert incident.urls == ("https://shop.example.com/x",)


@pytest.mark.parametrize("version", ["1.0", "'1'", "0.1", '"1"'])
def test_version_is_not_a_reason_to_refuse(version: str) -> None:
    assert len(parse(report(FIELDS.replace("Version: 1", f"Version: {version}"))).incidents) == 1


@pytest.mark.parametrize(
    ("fields", "first", "staff"),
    [
        ("User-Agent: x\nVersion: 1\nSource-IP: 192.0.2.7\n", "This is an email abuse report.", True),
        ("User-Agent: x\nVersion: 1\nAbuse-Type: complaint\n", "Hello.", False),
        ("User-Agent: x\nVersion: 1\nSource-IP: 192.0.2.7\n", "Hello.", True),
    ],
)
def test_a_missing_type_is_abuse_only_when_a_field_says_so(fields: str, first: str, staff: bool) -> None:
    (incident,) = parse(report(fields, first=first)).incidents
    assert incident.feedback_type is None
    assert (incident.staff_reason is not None) is staff


@pytest.mark.parametrize(
    "wrapper", ["multipart/report", "multipart/mixed", 'multipart/report; report-type="Feedback-Report"']
)
def test_the_wrapper_may_be_wrong(wrapper: str) -> None:
    assert parse(report(wrapper=wrapper)).incidents[0].feedback_type == "abuse"


def test_a_bare_feedback_report_rests_on_its_own_fields() -> None:
    raw = f"From: fbl@example.net\nContent-Type: message/feedback-report\n\n{FIELDS}Source-IP: 192.0.2.7\n"
    (incident,) = parse(raw.encode()).incidents
    assert (incident.message, incident.source_ip) == (None, ip_address("192.0.2.7"))


def test_part_two_as_plain_text_in_a_declared_report() -> None:
    assert parse(report(second_type="text/plain")).incidents[0].feedback_type == "abuse"


def test_fields_glued_to_the_header_of_their_part() -> None:
    glued = report().replace(b"message/feedback-report\n\nFeedback", b"message/feedback-report\nFeedback")
    assert parse(glued).incidents[0].feedback_type == "abuse"


def test_a_declared_report_without_part_two_is_malformed() -> None:
    raw = b"Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nhello\n--b--\n"
    with pytest.raises(MalformedReport, match="RFC 5965 section 2"):
        parse(raw)


def test_several_reports_in_one_message_keep_their_own_messages() -> None:
    parts = "".join(
        f"--b\nContent-Type: message/feedback-report\n\n{FIELDS}Source-IP: 192.0.2.{n}\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{SPAM.replace('offer', f'offer {n}')}\nbuy\n\n"
        for n in (1, 2)
    )
    raw = f"From: fbl@example.net\nContent-Type: multipart/mixed; boundary=b\n\n{parts}--b--\n".encode()
    incidents = parse(raw).incidents
    assert [str(each.source_ip) for each in incidents] == ["192.0.2.1", "192.0.2.2"]
    assert [each.message.header("Subject") for each in incidents if each.message] == ["offer 1", "offer 2"]


def test_the_first_message_after_part_two_is_the_reported_one() -> None:
    later = f"{SPAM.replace('offer', 'later')}\n--b\nContent-Type: message/rfc822\n\n"
    (incident,) = parse(report(third=SPAM + "\nbuy\n\n--b\nContent-Type: message/rfc822\n\n" + later)).incidents
    assert incident.message is not None
    assert incident.message.header("Subject") == "offer"


INTERNAL = (
    "Received: from robot (robot.example.net [10.1.2.3])\n"
    "\tby mail.example.net with ESMTP id 2; Fri, 20 Nov 2026 15:00:00 +0900\n"
)
OUTSIDE = (
    "Received: from robot.example.net (evil.example.org [203.0.113.66])\n"
    "\tby mail.example.net with ESMTP id 2; Fri, 20 Nov 2026 15:00:00 +0900\n"
)


def forwarded(*reports: bytes) -> bytes:
    parts = b"".join(b"--o\nContent-Type: message/rfc822\n\n" + each + b"\n" for each in reports)
    return b"From: u@example.net\nContent-Type: multipart/mixed; boundary=o\n\n" + parts + b"--o--\n"


def test_feedback_reports_of_the_reporters_side_forwarded_as_attachments_by_a_person() -> None:
    found = parse(forwarded(INTERNAL.encode() + report()))
    assert [each.feedback_type for each in found.incidents] == ["abuse"]
    assert ["who sent it cannot be told" in (each.staff_reason or "") for each in found.incidents] == [True]
    assert found.machine is False


def test_fields_of_an_attached_report_never_stand_by_themselves() -> None:
    """A feed vouches for its own reports, not for what it attaches."""
    (incident,) = parse(
        forwarded(INTERNAL.encode() + report(f"{FIELDS}Source-IP: 192.0.2.7\n", third_type=""))
    ).incidents
    assert incident.staff_reason is not None


@pytest.mark.parametrize("wrapper", ["multipart/report; report-type=feedback-report", "multipart/mixed"])
@pytest.mark.parametrize("head", [OUTSIDE, OUTSIDE + INTERNAL, ""])
def test_a_feedback_report_inside_spam_is_not_a_report(wrapper: str, head: str) -> None:
    mail = read_mail(forwarded(head.encode() + report(wrapper=wrapper)).replace(b"\n", b"\r\n"), MailLimits())
    assert ArfParser().recognise(mail, CONTEXT).strength == 0
    with pytest.raises(MalformedReport):
        ArfParser().parse(mail, CONTEXT)


def test_one_report_from_outside_spoils_its_neighbours() -> None:
    mixed = forwarded(INTERNAL.encode() + report(), OUTSIDE.encode() + report())
    assert ArfParser().recognise(read_mail(mixed.replace(b"\n", b"\r\n"), MailLimits()), CONTEXT).strength == 0


@pytest.mark.parametrize(
    ("wrapper", "staff"), [("multipart/mixed", True), ("multipart/report; report-type=feedback-report", False)]
)
def test_a_feedback_report_that_an_inline_forward_carries_along_is_for_a_person(wrapper: str, staff: bool) -> None:
    first = "spam\n\n-------- Forwarded Message --------\nSubject: offer\nFrom: sender@example.com\n\nbuy"
    (incident,) = parse(report(first=first, wrapper=wrapper)).incidents
    assert (incident.staff_reason is not None) is staff


def test_a_japanese_feedback_report() -> None:
    spam = SPAM.replace("offer", "=?ISO-2022-JP?B?GyRCTCMlYSE8JWsbKEI=?=")
    found = parse(report(third=spam + "\n本文\n", first="迷惑メールの報告です。"))
    assert found.machine is True
    message = found.incidents[0].message
    assert message is not None
    assert "=?" not in (message.header("Subject") or "=?")


TRUTH = CORPUS / "groundtruth/sisimai_arf.json"
CASES = json.loads(TRUTH.read_text())["cases"] if TRUTH.exists() else []


@pytest.mark.skipif(not CASES, reason="no corpus: set ABUSE_CORPUS")
@pytest.mark.parametrize("folder", ["bsd", "dos", "mac"])
def test_ground_truth_of_the_corpus(folder: str) -> None:
    """Its count is by recipient, where ours is by report: seven Original-Rcpt-To are one incident (DESIGN.md)."""
    seen = 0
    for case in CASES:
        path = CORPUS / "permissive/sisimai+set-of-emails/maildir" / folder / case["file"]
        if not path.exists():
            continue
        seen += 1
        mail = read_mail(path.read_bytes(), MailLimits())
        assert ArfParser().recognise(mail, CONTEXT).strength == 100
        found = ArfParser().parse(mail, CONTEXT)
        assert path.read_bytes().count(b"Feedback-Type:") == 1
        types = {each.feedback_type for each in found.incidents} or {"opt-out"}
        assert types == set(case["feedback_types"])
        assert len(found.incidents) == (0 if types == {"opt-out"} else 1)
        assert (found.disposition is Disposition.NONE) is (types == {"opt-out"})
    assert seen >= (7 if folder == "bsd" else 1)
