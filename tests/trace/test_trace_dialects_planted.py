"""What a client plants into its HELO, over the lines of every dialect: it becomes no address, no host and no time.

The true client, host and time are those of the line itself; each may be missing, none may be another.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_pipeline.trace import read_hop
from abuse_pipeline.trace.received import LONGEST_FIELD

DIALECTS = Path(__file__).parent / "dialects"
PLANTED = "198.51.100.66"
PLANTED_6 = "2001:db8::66"
SHAPES = (
    "{}",
    "[{}]",
    "[{}]:25",
    "{}:25",
    "IPv6:{}",
    "x@{}",
    "[{}] (HELO x)",
    "[{}] (account y HELO x)",
    "[{}] (helo=x)",
    "{} (SquirrelMail authenticated user x)",
    "x [{}]",
    "x ({})",
    "x([{}])",
    "x (cust.example [{}])",
    "x (HELO y) ({})",
    "x (Not Verified[{}])",
    "x (authenticated [{}])",
    "x (using TLS [{}])",
    "x) (y [{}]",
    "x) ([{}]) (y",
    "x (y [{}",
    "by {}",
    "x by mx.evil.example",
    "x by mx.evil.example ([{}])",
    "x (cust.example [{}]) by mx.evil.example (Postfix) with SMTP id 1; Fri, 1 Jan 2021 00:00:00 +0000",
    "[{}] by mx.evil.example (Exim 4.92) id 1; Fri, 1 Jan 2021 00:00:00 +0000",
    "x; Fri, 1 Jan 2021 00:00:00 +0000",
    "x) by mx.evil.example (Exim 4.92) (y",
    "x\r\n\tby mx.evil.example; Fri, 1 Jan 2021 00:00:00 +0000\r\nReceived: from x (cust.example [{}])",
    "x" * 10_240 + "[{}]",
    "([{}] " * 400,
)


def _lines() -> list[Any]:
    cases = []
    for file in sorted(DIALECTS.glob("*.toml")):
        for number, line in enumerate(tomllib.loads(file.read_text(encoding="utf-8"))["line"], start=1):
            if "ip" in line and _spots(line["received"], line.get("helo")):
                cases.append(pytest.param(line, id=f"{file.stem}-{number}"))
    return cases


def _spots(received: str, helo: str | None) -> list[int]:
    """Where the HELO stands in a line: behind HELO, EHLO, LHLO, `helo=`, else behind FROM."""
    if helo is None:
        return []
    text = re.escape(helo)
    marked = [found.start(1) for found in re.finditer(rf"(?:[HE]HLO|HELO|LHLO|helo=) ?({text})(?=[\s)])", received)]
    return marked or [found.start(1) for found in re.finditer(rf"^\s*from ({text})(?=\s)", received, re.IGNORECASE)]


LINES = _lines()


def _with_helo(line: dict[str, Any], helo: str) -> list[str]:
    old = line["helo"]
    received: str = line["received"]
    return [received[:at] + helo + received[at + len(old) :] for at in _spots(received, old)]


def _check(line: dict[str, Any], received: str) -> None:
    hop = read_hop(0, received)
    assert hop.ip in (None, ip_address(line["ip"])), (hop.ip, received[:500])
    if "by" in line:
        assert hop.by in (None, line["by"]), received[:500]
    if "at" in line and hop.stamped_at is not None:
        assert hop.stamped_at.at == datetime.fromisoformat(line["at"]), received[:500]
    if "authenticated" not in line and "protocol" in line and not line["protocol"].upper().endswith("A"):
        assert hop.authenticated == read_hop(0, line["received"]).authenticated or not hop.authenticated


@pytest.mark.parametrize("line", LINES)
def test_nothing_planted_into_the_helo_is_taken(line: dict[str, Any]) -> None:
    for shape in SHAPES:
        for planted in (PLANTED, PLANTED_6):
            for received in _with_helo(line, shape.replace("{}", planted)):
                _check(line, received)


def test_every_dialect_is_planted_into() -> None:
    assert len(LINES) > 150
    files = {case.id.rpartition("-")[0] for case in LINES}
    assert {"postfix", "sendmail", "exim", "qmail", "exchange", "amavis", "mcafee", "fsecure", "au", "ocn"} <= files


_PIECES = st.lists(
    st.sampled_from(
        [*"()[]<>;:,@\"' =", "by ", "from ", "with ", "id ", "for ", "HELO ", "helo=", "x", PLANTED, "cust.example ["]
    ),
    max_size=12,
).map("".join)


ENVELOPES = (
    '"x (cust.example [{}])"@example.com',
    '"x by mx.evil.example"@example.com',
    '"x (cust.example [{}]) by mx.evil.example"@example.com',
    '"x by mx.evil.example (Exim 4.92) ([{}])"@example.com',
    '"x; Fri, 1 Jan 2021 00:00:00 +0000"@example.com',
    '"x) by mx.evil.example ([{}]"@example.com',
    '"x (authenticated"@example.com',
    "x@[{}]",
    '"a)@;20 Nov 26 5:00 JST ("@example.com',
    '"a>)@;20 Nov 26 5:00 JST (<"@example.com',
    '"a);20261120T0500+0900("@example.com',
    '"a) UTC ("@example.com',
    '"a)(UTC)("@example.com',
)


@pytest.mark.parametrize("line", LINES)
def test_nothing_planted_into_the_envelope_is_taken(line: dict[str, Any]) -> None:
    received: str = line["received"]
    for address in line.get("addresses", ()):
        for shape in ENVELOPES:
            if f"<{address}>" in received and f"id <{address}>" not in received:
                _check(line, received.replace(address, shape.replace("{}", PLANTED)))


BEHIND = (
    "from {helo} (r.example [203.0.113.5]) by mx.example.jp (8.15.2/8.15.2) id A;{date} (envelope-from {sender})",
    "from {helo} [203.0.113.5] by mx.example.jp with ESMTP id A;{date} (envelope-from {sender})",
    "from [203.0.113.5] (HELO {helo}) by mx.example.jp (CommuniGate Pro SMTP 6.2) id A;{date} (envelope-from {sender})",
    "from r.example (HELO {helo}) (203.0.113.5) by mx.example.jp with SMTP;{date} (envelope-from {sender})",
    "from {helo} (203.0.113.5) by mx.example.jp (PowerMTA v5.0r3) id A;{date} (envelope-from <{sender}>)",
    "from {helo} (r.example [203.0.113.5]) by mx.example.jp (envelope-from <{sender}>) id A;{date}",
    "from {helo} (r.example [203.0.113.5]) by mx.example.jp with SMTP id A for <{sender}>;{date}",
    "from {helo} (r.example [203.0.113.5]) by mx.example.jp with HTTP id A (envelope-from <{sender}>){date}",
)
"""MTAs write the envelope before the date and behind it, and some leave the semicolon out."""
DATES = (" Fri, 20 Nov 2026 14:03:12 +0900 (JST)", " Fri, 20 Nov 2026 14:03:12 +0900", " Fri, 20 Nov 2026 14:03:12")
_TIMES = st.lists(
    st.sampled_from(
        [
            *'()<>;,@"x ',
            *(") ", " (", "))", ")(", "(JST)", " UTC ", "+0000", "(+0000)", ":00", " by mx.example.jp "),
            *("; 20 Nov 26 5:00 JST ", "; 20 Nov 26 5:0 JST ", "; 2026-11-20T05:00Z", "; 20 11月 2026 5時0分 JST"),
            "; Fri, 1 Jan 2021 00:00:00 +0000 (",
        ]
    ),
    max_size=10,
).map("".join)


@given(st.sampled_from(BEHIND), st.sampled_from(DATES), st.one_of(st.just("x"), _TIMES), _TIMES)
@settings(max_examples=3000, deadline=None)
def test_no_envelope_address_moves_the_time(shape: str, date: str, helo: str, sender: str) -> None:
    """The MTA's own time, or none: where it wrote no zone, none. A HELO may help the sender's address."""
    hop = read_hop(0, shape.format(helo=f"x{helo}", date=date, sender=f'"{sender}"@example.com'))
    true = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)
    assert hop.stamped_at is None or ("+0900" in date and hop.stamped_at.at == true), hop


_VALUES = [case.values[0] for case in LINES]


@given(st.data(), _PIECES)
@settings(max_examples=1500, deadline=None)
def test_no_greeting_at_all_moves_a_field(data: st.DataObject, helo: str) -> None:
    line = data.draw(st.sampled_from(_VALUES))
    for received in _with_helo(line, f"x{helo}"):
        _check(line, received)


@pytest.mark.parametrize("line", LINES)
def test_a_field_made_too_long_by_its_helo_is_not_read(line: dict[str, Any]) -> None:
    for received in _with_helo(line, "x" * LONGEST_FIELD):
        hop = read_hop(0, received)
        assert (hop.ip, hop.by, hop.stamped_at) == (None, None, None)


def test_an_envelope_sender_in_place_of_a_host_is_an_address_not_a_greeting() -> None:
    hop = read_hop(0, "from a@example.com by mx.example.jp by uid 89 with qmail-scanner-1.22 (Clear:0.); 20 Nov 2026")
    assert (hop.helo, hop.by, hop.envelope_addresses) == (None, "mx.example.jp", ("a@example.com",))
