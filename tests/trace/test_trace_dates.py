"""Date texts as mail and reports carry them, with the instant that each names."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_pipeline.model import Moment
from abuse_pipeline.trace.dates import UnreadableTime, parse_date

AFTERNOON = "2026-11-20T05:03:12"

NAMES_OF_JST = (
    *("GMT+09:00", "UTC+9", "JST+9", "JST-9", "+09", "Asia/Tokyo", "Japan", "Tokyo Standard Time"),
    *("Japan Standard Time", "東京 (標準時)", "日本標準時"),
)
READABLE = [
    ("Fri, 20 Nov 2026 14:03:12 +0900", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 +0900 (JST)", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 +0900 (東京 (標準時))", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 +0900 JST", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 JST", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 (JST)", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 JST (+0900)", AFTERNOON, "second"),
    ("\r\n\tFri,  20 Nov\r\n 2026 14:03:12\t+0900\r\n", AFTERNOON, "second"),
    ("Mon, 20 Nov 2026 14:03:12 +0900", AFTERNOON, "second"),
    ("Fri,20 Nov 2026 14:03:12 +0900", AFTERNOON, "second"),
    ("20 Nov 26 14:03:12 +0900", AFTERNOON, "second"),
    ("20 Nov 126 14:03:12 +0900", AFTERNOON, "second"),
    ("20 November 2026 14:03:12 +0900", AFTERNOON, "second"),
    ("20-Nov-2026 14:03:12 +0900", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 +09:00", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 +09", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 GMT+9", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 05:03:12 -0000", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 05:03:12 GMT", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 05:03:12 UT", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 05:03:12 Z", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 00:03:12 EST", AFTERNOON, "second"),
    ("Thu, 19 Nov 2026 22:03:12 PDT", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 10:33:12 +0530", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 01:33:12 -0330", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 02:03:12 PM +0900", AFTERNOON, "second"),
    ("Fri Nov 20 14:03:12 2026 +0900", AFTERNOON, "second"),
    ("Fri Nov 20 14:03:12 JST 2026", AFTERNOON, "second"),
    ("Fri Nov 20 2026 14:03:12 GMT+0900 (日本標準時)", AFTERNOON, "second"),
    ("November 20, 2026 14:03:12 JST", AFTERNOON, "second"),
    ("2026-11-20T14:03:12+09:00", AFTERNOON, "second"),
    ("2026-11-20t05:03:12z", AFTERNOON, "second"),
    ("2026-11-20T05:03:12.123456Z", AFTERNOON, "second"),
    ("2026-11-20 14:03:12 +0900", AFTERNOON, "second"),
    ("2026/11/20 14:03:12 JST", AFTERNOON, "second"),
    ("20261120T050312Z", AFTERNOON, "second"),
    ("2026年11月20日 14時3分12秒 JST", AFTERNOON, "second"),
    ("２０２６年１１月２０日（金）１４：０３：１２（日本時間）", AFTERNOON, "second"),
    ("2026年11月20日14時3分 日本時間", "2026-11-20T05:03:00", "minute"),
    ("Fri, 20 Nov 2026 14:03 +0900", "2026-11-20T05:03:00", "minute"),
    ("2026-11-20 14:03+09:00", "2026-11-20T05:03:00", "minute"),
    ("20 Nov 2026 24:00:00 +0900", "2026-11-20T15:00:00", "second"),
    ("Fri, 20 Nov 2026 16:03:12 +1100 (EST)", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 +0900 (Asia/Tokyo)", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 Asia/Tokyo", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 Japan", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 JST-9", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 (Asia/Tokyo)", AFTERNOON, "second"),
    ("Fri, 20 Nov 2026 14:03:12 (JST) (+0900)", AFTERNOON, "second"),
    ("金, 20 11月 2026 14:03:12 +0900", AFTERNOON, "second"),
    ("2026-11-20 05:03:12 +0000 UTC m=+123.456", AFTERNOON, "second"),
    ("2026-11-20 14:03:12.123456 +0900 JST m=+0.001", AFTERNOON, "second"),
    *((f"Fri, 20 Nov 2026 14:03:12 +0900 ({name})", AFTERNOON, "second") for name in NAMES_OF_JST),
    ("20 Nov 2026 24:00 +0900", "2026-11-20T15:00:00", "minute"),
    ("31 Dec 2016 23:59:60 +0000", "2017-01-01T00:00:00", "second"),
    ("Tue, 29 Feb 2000 12:00:00 +0000", "2000-02-29T12:00:00", "second"),
    ("6 Jan 94 12:00:00 +0000", "1994-01-06T12:00:00", "second"),
]

CONTRADICT = "two zones stand there that contradict each other"
UNREADABLE = [
    ("", "no date"),
    ("(Fri, 20 Nov 2026 14:03:12 +0900)", "no date"),
    ("Fri, 20 Nov 2026 14:03:12", "no zone"),
    ("Fri, 20 Nov 2026 14:03:12 (postmaster said so)", "no zone"),
    ("Fri Nov 20 14:03:12 2026", "no zone"),
    ("2026-11-20T14:03:12", "no zone"),
    ("2026年11月20日14時3分", "no zone"),
    ("Fri, 20 Nov 2026 14:03:12 CST", "the zone name is ambiguous"),
    ("Fri, 20 Nov 2026 14:03:12 IST", "the zone name is ambiguous"),
    ("Fri, 20 Nov 2026 14:03:12 BST", "the zone name is ambiguous"),
    ("Fri, 20 Nov 2026 14:03:12 A", "the zone name is ambiguous"),
    ("Fri, 20 Nov 2026 14:03:12 XYZ", "unknown zone"),
    ("Fri, 20 Nov 2026 14:03:12 +9900", "the offset is absurd"),
    ("Fri, 20 Nov 2026 14:03:12 +0960", "the offset is absurd"),
    ("Fri, 20 Nov 2026 14:03:12 +0000 (JST)", CONTRADICT),
    ("Fri, 20 Nov 2026 14:03:12 -0000 (JST)", CONTRADICT),
    ("Fri, 20 Nov 2026 14:03:12 +0900 (UTC)", CONTRADICT),
    ("Fri, 20 Nov 2026  14:03:12 +0000 (JST)", CONTRADICT),
    ("Fri, 20 Nov 2026 14:03:12 +0000 JST", CONTRADICT),
    ("Fri, 20 Nov 2026 14:03:12 JST (+0000)", CONTRADICT),
    ("Fri, 20 Nov 2026 14:03:12 GMT (JST)", CONTRADICT),
    ("Fri, 20 Nov 2026 14:03:12 (JST) (+0000)", CONTRADICT),
    *((f"Fri, 20 Nov 2026 14:03:12 {zone} ({name})", CONTRADICT) for zone in ("+0000", "UTC") for name in NAMES_OF_JST),
    ("Fri, 20 Nov 2026 14:03:12 JST+9", "unknown zone"),
    ("20 Nov 2026 14:03:12 +0900 m=+123", "unknown zone"),
    ("20 13月 2026 14:03:12 +0900", "no such month"),
    ("20 Nov 1826 14:03:12 +0900", "the year is absurd"),
    ("20 Nov 9999 14:03:12 +0900", "the year is absurd"),
    ("Thu, 1 Jan 1970 00:00:00 +0000", "the year is absurd"),
    ("31 Feb 2026 14:03:12 +0900", "no such day"),
    ("20 Nux 2026 14:03:12 +0900", "no such month"),
    ("2026-13-20T14:03:12Z", "no such month"),
    ("20 Nov 2026 25:00:00 +0900", "no such time of day"),
    ("20 Nov 2026 24:00:01 +0900", "no such time of day"),
    ("20 Nov 2026 14:61:00 +0900", "no such time of day"),
    ("20 Nov 2026 13:00:00 PM +0900", "no such time of day"),
    ("11/12/2026 14:03:12 +0900", "not a date of a known form"),
    ("yesterday", "not a date of a known form"),
    ("\u0660" * 40, "not a date of a known form"),
    ("a" * 10_240, "too long for a date"),
    ("a" * 1_000_000, "too long for a date"),
]


@pytest.mark.parametrize(("text", "instant", "precision"), READABLE)
def test_a_readable_date_names_its_instant(text: str, instant: str, precision: str) -> None:
    moment = parse_date(text)
    assert isinstance(moment, Moment), moment
    assert moment.at == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert moment.at.utcoffset() == datetime.now(UTC).utcoffset()
    assert moment.precision == precision


@pytest.mark.parametrize(("text", "reason"), UNREADABLE, ids=lambda value: value[:40])
def test_an_unreadable_date_says_why(text: str, reason: str) -> None:
    found = parse_date(text)
    assert isinstance(found, UnreadableTime), found
    assert str(found) == reason


@given(st.text(alphabet=st.one_of(st.sampled_from("0123456789:+-/(), JSTNovFri年月日"), st.characters()), max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_ends_in_an_answer(text: str) -> None:
    assert isinstance(parse_date(text), Moment | UnreadableTime)


@pytest.mark.parametrize("piece", ["(", "()", "(a", " ", "1 ", "Fri, ", "20 Nov 2026 ", "+0900 ", "\u0130", "年"])
def test_ten_kilobytes_of_anything_are_fast(piece: str) -> None:
    text = (piece * 10_240)[:10_240]
    begin = time.perf_counter()
    parse_date(text)
    assert time.perf_counter() - begin < 0.05
