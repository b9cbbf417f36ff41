"""No message makes a parser raise anything but a ReportError, and bids do not change from call to call."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abuse_pipeline.api import Bid, MailLimits, ParseContext, Parser, Report, ReportError, read_mail
from parsers.arf import ArfParser
from parsers.forwarded_attachment import ForwardedAttachmentParser
from parsers.not_a_report import NotAReportParser
from parsers.prose import ProseParser

CORPUS = Path(os.environ.get("ABUSE_CORPUS", Path(__file__).parents[2] / "../shared/corpus"))
CONTEXT = ParseContext(limits=MailLimits(), own_addresses=frozenset({"abuse@hosting.example.jp"}))
PARSERS: tuple[Parser, ...] = (ArfParser(), ForwardedAttachmentParser(), NotAReportParser(), ProseParser())
INNER = (
    b"Received: from a.example.com ([192.0.2.7]) by b.example.net; Fri, 20 Nov 2026 14:03:12 +0900\r\n"
    b"From: x@example.com\r\nSubject: =?ISO-2022-JP?B?GyRCTCMlYSE8JWsbKEI=?=\r\n\r\n\x1b$B%a!<%k\x1b(B\r\n"
)
SEEDS = (
    b"From: t@example.net\r\nSubject: \x96\xc0\x98f\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: message/rfc822\r\n\r\n" + INNER + b"--b\r\nContent-Type: application/octet-stream\r\n"
    b'Content-Disposition: attachment; filename="a.eml"\r\n\r\n' + INNER + b"--b--\r\n",
    b"From: f@example.net\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nSource-IP: ::ffff:192.0.2.7\r\n"
    b"Arrival-Date: Fri, 20 Nov 2026 14:03:12 JST\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n" + INNER,
    "From: t@example.net\r\nSubject: 不正アクセス\r\n\r\n192.0.2.7 から 2026年11月20日 14時03分に攻撃\r\n".encode(),
    b"Return-Path: <>\r\nFrom: <>\r\nSubject: failure notice\r\n\r\nsorry\r\n",
)


def work(raw: bytes) -> list[Bid]:
    """Every parser bids and parses, whoever won. Our own errors are answers; anything else is a bug and comes out."""
    try:
        mail = read_mail(raw, MailLimits())
    except ReportError:
        return []
    bids = [parser.recognise(mail, CONTEXT) for parser in PARSERS]
    for parser in PARSERS:
        try:
            report = parser.parse(mail, CONTEXT)
        except ReportError:
            continue
        assert isinstance(report, Report)
        assert report.incidents or (report.disposition is not None and report.reasons)
    return bids


@pytest.mark.skipif(not (CORPUS / "MANIFEST.tsv").exists(), reason="no corpus: set ABUSE_CORPUS")
def test_every_corpus_message() -> None:
    names = [line.split("\t")[0] for line in (CORPUS / "MANIFEST.tsv").read_text().splitlines()[1:]]
    answered = 0
    for name in names:
        raw = (CORPUS / name).read_bytes()
        bids = work(raw)
        answered += bool(bids)
        assert all(0 <= bid.strength <= 100 and bid.reason for bid in bids)
        assert all("@" not in bid.reason for bid in bids)
    assert answered > 900


@pytest.mark.parametrize("raw", SEEDS)
def test_bids_are_the_same_each_time(raw: bytes) -> None:
    bids = work(raw)
    assert bids == work(raw)
    assert any(bid.strength > 1 for bid in bids) or b"\xe4\xb8\x8d" in raw


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.sampled_from(SEEDS), data=st.data())
def test_damaged_messages(seed: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(start, min(len(seed), start + 40)))
    work(seed[:start] + data.draw(st.binary(max_size=40)) + seed[end:])


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    work(raw)


def test_entry_points_name_the_parsers() -> None:
    found = {entry.name: entry.load() for entry in entry_points(group="abuse_pipeline.parsers")}
    for name, parser in zip(("arf", "forwarded_attachment", "not_a_report", "prose"), PARSERS, strict=True):
        assert found[name] is type(parser)
        assert isinstance(parser, Parser)
