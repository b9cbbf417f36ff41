"""Received fields of every dialect, a file each: a line and the fields it must give; `helo = ""` where none is said."""

from __future__ import annotations

import time
import tomllib
import tracemalloc
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from received_promises import one_field

from abuse_pipeline.trace import read_hop
from abuse_pipeline.trace.clauses import _split_flat, _split_nested

CASES = [
    pytest.param(line, id=f"{file.stem}-{number}")
    for file in sorted((Path(__file__).parent / "dialects").glob("*.toml"))
    for number, line in enumerate(tomllib.loads(file.read_text(encoding="utf-8"))["line"], start=1)
]
POSTFIX = (
    "from {helo} (unknown [203.0.113.5]) by mx.example.jp (Postfix) with ESMTP id A; Fri, 20 Nov 2026 14:03:12 +0900"
)


@pytest.mark.parametrize("case", CASES)
def test_a_line_gives_its_fields(case: dict[str, Any]) -> None:
    hop = read_hop(0, case["received"])
    assert str(hop.ip) == case["ip"] if "ip" in case else hop.ip is None, hop.defects
    for name in ("helo", "rdns", "port", "by", "protocol", "queue_id", "authenticated"):
        if name in case:
            assert getattr(hop, name) == (None if case[name] == "" else case[name]), name
    if "at" in case:
        assert hop.stamped_at is not None
        assert hop.stamped_at.at == datetime.fromisoformat(case["at"])
        assert hop.stamped_at.precision == case.get("precision", "second")
    if "defects" in case:
        assert list(hop.defects) == case["defects"]
    if "addresses" in case:
        assert list(hop.envelope_addresses) == case["addresses"]


@pytest.mark.parametrize(
    "client",
    [
        "x (authenticated.evil.example [203.0.113.5])",
        "x (auth [203.0.113.5])",
        "x (authenticated@real.example [203.0.113.5])",
        "x (auth:y@real.example [203.0.113.5])",
        "x (user=y@real.example [203.0.113.5])",
        "unknown (HELO x) (authenticated@203.0.113.5)",
        "unknown (HELO x) (user=y@203.0.113.5)",
        "x(authenticated) (real.example [203.0.113.5])",
        "x([192.0.2.4])(authenticated) (real.example [203.0.113.5])",
        "x (authenticated bits=0)",
        "x by y with ESMTPA id",
    ],
)
@pytest.mark.parametrize("mark", [" (Postfix)", ""])
def test_what_the_client_writes_is_no_log_in(client: str, mark: str) -> None:
    line = f"from {client} by mx.example.jp{mark} with ESMTP id A for <x@y.example>; Fri, 20 Nov 2026 14:03:12 +0900"
    assert not read_hop(0, line).authenticated


def test_a_recipient_is_no_log_in() -> None:
    recipient = '<"a@b"(authenticated)@c.example>'
    line = POSTFIX.replace("id A", f"id A for {recipient}").format(helo="x")
    assert not read_hop(0, line).authenticated
    assert read_hop(0, POSTFIX.replace(" by", " (Authenticated sender: taro) by").format(helo="x")).authenticated


_LINES = [case.values[0]["received"] for case in CASES]  # type: ignore[index]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_bent_field_keeps_its_promises(data: st.DataObject) -> None:
    one_field(lambda number: data.draw(st.integers(0, number - 1)))


@given(st.integers(0, 2**64 - 1))
@settings(max_examples=150, deadline=None)
def test_many_bent_fields_keep_their_promises(seed: int) -> None:
    below = Random(seed).randrange
    for _ in range(20):
        one_field(below)


_WORDS = st.sampled_from(["(", ")", " ", ";", "x", " by ", "(a)", "; Fri", " (b (c)) ", "[192.0.2.4]"])


@given(st.sampled_from(["from ", "by ", ""]), st.lists(_WORDS, max_size=12).map("".join))
@settings(max_examples=500, deadline=None)
def test_the_quick_split_says_what_the_thorough_one_says(first: str, rest: str) -> None:
    text = " ".join((first + rest).split())
    quick = _split_flat(text)
    assert quick is None or quick == _split_nested(text)


_HELO = st.text(alphabet=st.sampled_from("()[]; by1.92.0.2.4@<>HELO=\t\nabc\"'\\:"), min_size=1, max_size=60)


@given(_HELO)
@settings(max_examples=500, deadline=None)
def test_no_helo_moves_the_address(helo: str) -> None:
    hop = read_hop(0, POSTFIX.format(helo=helo))
    assert hop.ip in (None, ip_address("203.0.113.5")), hop


@pytest.mark.parametrize(
    "piece",
    ["(", ")", "()", "(a", "a", " by ", "[", "[1.2.3.4] ", "from ", ";", "@", "a@b ", "\u3042", "((()))", ":", "1."],
)
@pytest.mark.parametrize("size", [60_000, 1_000_000])
def test_a_huge_field_is_read_in_bounded_time(piece: str, size: int) -> None:
    raw = POSTFIX.format(helo=(piece * size)[:size])
    begin = time.process_time()
    hop = read_hop(0, raw)
    elapsed = time.process_time() - begin
    assert hop.ip in (None, ip_address("203.0.113.5"))
    assert elapsed < (0.05 if size == 1_000_000 else 0.2)


@pytest.mark.parametrize(
    "helo",
    [
        "x ([192.0.2.4]) by mx.evil.example (Postfix) with ESMTPA; Mon, 1 Jan 2001 00:00:00 +0000; y",
        "x by mx.evil.example with ESMTPA; Mon, 1 Jan 2001 00:00:00 +0000; y",
        "x ([192.0.2.4]) by mx.evil.example (Postfix) with ESMTPA;;;;;;;;; y",
    ],
)
def test_a_date_in_the_helo_does_not_end_the_field(helo: str) -> None:
    hop = read_hop(0, POSTFIX.format(helo=helo))
    assert hop.ip in (None, ip_address("203.0.113.5"))
    assert hop.by in (None, "mx.example.jp")
    assert not hop.authenticated
    assert hop.stamped_at is None


def test_long_names_are_not_remembered() -> None:
    """What is remembered of earlier fields is bounded in characters, not only in number."""
    tracemalloc.start()
    for number in range(100):
        name = "a" * 15_000 + str(number)
        read_hop(0, f"from x ({name} [203.0.113.5]) by mx.example.jp with {name} {name} {name} id A; Fri, 20 Nov 2026")
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 1_000_000


def test_ten_kilobytes_of_helo_shift_nothing() -> None:
    hop = read_hop(0, POSTFIX.format(helo="x" * 10_240))
    assert (str(hop.ip), hop.by) == ("203.0.113.5", "mx.example.jp")


def test_a_thousand_hops_are_read_fast() -> None:
    lines = [POSTFIX.format(helo=f"h{number}.example") for number in range(1000)]
    begin = time.process_time()
    hops = [read_hop(number, line) for number, line in enumerate(lines)]
    assert time.process_time() - begin < 0.5
    assert all(hop.ip is not None for hop in hops)
