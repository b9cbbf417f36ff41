"""Promise 4: whatever bytes go into `explain`, JSON of the contract's shape comes out within 10 seconds.

In this process for volume, and for some in a process of its own, which starts Python too. What is slow stands in
`hostile_bytes.SLOW`; `ABUSE_PROPERTY_SCALE` (longer_runs.py) makes the random tests longer.
"""

from __future__ import annotations

import hashlib
import random
import time
from typing import Any

import contract_shapes
import hostile_bytes
import pytest
from abuse_command import SAMPLES, abuse, abuse_process
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from longer_runs import times

WITHIN_SECONDS = 10.0
RAW_SAMPLES = [file.read_bytes() for file in sorted(SAMPLES.glob("*/*.eml"))]


def tried(examples: int) -> settings:
    return settings(
        max_examples=times(examples), deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
    )


_names = st.sampled_from(
    ["From", "To", "Received", "Subject", "Date", "Content-Type", "Content-Transfer-Encoding", "Message-ID",
     "Auto-Submitted", "Return-Path", "MIME-Version", "X-Failed-Recipients", "\u5dee\u51fa\u4eba"]
).map(str.encode)  # fmt: skip
_values = st.one_of(
    st.binary(max_size=80),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"multipart/report; report-type=feedback-report; boundary=b", b"multipart/mixed; boundary=b",
         b"message/rfc822", b"message/feedback-report", b"text/html; charset=shift_jis", b"base64", b"quoted-printable",
         b"from a ([192.0.2.7]) by b with SMTP; Fri, 20 Nov 2026 14:03:12 +0900", b"=?iso-2022-jp?B?GyRCOzMbKEI=?=",
         b"Fri, 20 Nov 2026 14:03:12 -0000", b"<a@b.example>", b"auto-replied", b"\0"]
    ),
)  # fmt: skip
_fields = st.lists(st.tuples(_names, _values), max_size=8).map(
    lambda fields: b"".join(name + b": " + value + b"\r\n" for name, value in fields)
)
_bodies = st.lists(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.sampled_from(
            [b"--b\r\n", b"--b--\r\n", b"\r\n\r\n", b"Feedback-Type: abuse\r\nVersion: 1\r\n", b"<p>", b"{"]
        ),
        _fields,
    ),
    max_size=12,
).map(b"".join)


def explained(raw: bytes, *more: str) -> dict[str, Any]:
    """What `explain --json` says of *raw*, checked field by field, and in time."""
    started = time.monotonic()
    ran = abuse("explain", "--json", "-", *more, stdin=raw)
    seconds = time.monotonic() - started
    document = ran.document()
    contract_shapes.report(document, stored=False, evidence="--evidence" in more)
    assert isinstance(document, dict)
    assert document["digest"] == f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert "defect" not in ran.err, ran.err
    assert seconds < WITHIN_SECONDS, f"{seconds:.1f} s for {len(raw)} bytes"
    return document


@tried(120)
@given(st.binary(max_size=2_000))
def test_any_bytes(raw: bytes) -> None:
    explained(raw)


@tried(250)
@given(st.tuples(_fields, _bodies).map(b"\r\n".join))
def test_bytes_that_look_like_mail(raw: bytes) -> None:
    explained(raw, "--evidence")


@tried(350)
@given(st.integers(min_value=0, max_value=2**64))
def test_damaged_reports(seed: int) -> None:
    explained(hostile_bytes.damaged(RAW_SAMPLES, random.Random(seed)), "--evidence")


@tried(60)
@given(st.integers(min_value=0, max_value=2**64))
def test_people_get_text_for_damaged_reports_too(seed: int) -> None:
    """Without --json: stages for a terminal, with nothing in them that drives it."""
    ran = abuse("explain", "-", "--evidence", stdin=hostile_bytes.damaged(RAW_SAMPLES, random.Random(seed)))
    assert ran.code == 0, ran.err
    assert not {c for c in ran.out if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)}


@tried(150)
@given(st.integers(min_value=0, max_value=2**64))
def test_damaged_chains_are_traced(seed: int) -> None:
    raw = hostile_bytes.damaged(RAW_SAMPLES, random.Random(seed))
    ran = abuse("trace", "--json", "-", stdin=raw)
    if ran.code == 1:  # the one way to fail: no message can be made of it, and that is said in one line
        assert ran.out == ""
        assert "abuse: -: the message cannot be read: " in ran.err
    else:
        contract_shapes.trace(ran.document())


@pytest.mark.parametrize("name", hostile_bytes.SLOW)
def test_what_is_made_to_be_slow(name: str) -> None:
    explained(hostile_bytes.SLOW[name]())


@pytest.mark.parametrize("name", ["5 MB of a", "nested HTML", "1 MB of comments in From", "messages 50,000 deep"])
def test_a_process_of_its_own_answers_in_time(name: str) -> None:
    """Interpreter and imports included; a person who waits does not care where the time went."""
    raw = hostile_bytes.SLOW[name]()
    ran = abuse_process("explain", "--json", "-", stdin=raw, seconds=WITHIN_SECONDS)
    contract_shapes.report(ran.document(), stored=False)
