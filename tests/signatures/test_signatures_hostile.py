"""What a sender may put into a message: nothing raises, nothing takes long, nothing is asked that should not be."""

from __future__ import annotations

import logging
import random
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signing import dkim_signed, key, sealed

from abuse_pipeline.signatures import verified, wanted_keys
from abuse_pipeline.signatures.claims import is_ordinary
from abuse_pipeline.signatures.crypto import read_tags, usable_key
from abuse_pipeline.signatures.message import read_message

AT = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)
RELAYS = frozenset({"relay.example"})
MESSAGE = b"From: a@shop.example\r\nSubject: x\r\nTo: b@example.jp\r\n\r\nbody\r\n"
RESULTS = "mx.relay.example; spf=pass (sender ip is 192.0.2.7)"
SECONDS = 2.0
"""Far above what is measured (docstring of the test), far below what a quadratic step takes on these sizes."""


def record(_: str) -> str:
    return key().record


def many(field: bytes, count: int) -> bytes:
    return field * count + MESSAGE


def with_own_body(body: bytes) -> bytes:
    """Signed by someone who can compute a body hash, so that nothing is refused early."""
    signed = dkim_signed(MESSAGE, key())
    return signed.replace(b"body\r\n", body)


SIGNATURE = dkim_signed(MESSAGE, key())[: -len(MESSAGE)]
SETS = sealed(MESSAGE, key(), RESULTS)[: -len(MESSAGE)]

NAMES = ("from", *(f"x-{number}" for number in range(149)))
WHITE = b"\r\n " * 33
"""The longest run of white space that is read."""

HOSTILE: dict[str, Callable[[], bytes]] = {
    "spaces in the body": lambda: with_own_body(b" " * 4_900_000 + b"x"),
    "spaces and tabs in the body": lambda: with_own_body(b" \tx" * 1_600_000),
    "empty lines in the body": lambda: with_own_body(b"\r\n" * 2_400_000),
    "line feeds in the body": lambda: with_own_body(b"\n" * 2_400_000),
    "carriage returns in the body": lambda: with_own_body(b"\r" * 4_900_000 + b"\n"),
    "carriage returns alone": lambda: b"\r" * 4_900_000,
    "too large": lambda: with_own_body(b"x" * 30_000_000),
    "a header without end": lambda: b"A: b\r\n" * 800_000,
    "one field folded for ever": lambda: b"From: a\r\n" + b" b\r\n" * 65_000 + SIGNATURE + MESSAGE,
    "thousands of signatures": lambda: many(SIGNATURE, 10_000),
    "as many signatures as are read": lambda: many(SIGNATURE, 500),
    "as many names as are read": lambda: many(dkim_signed(MESSAGE, key(), names=NAMES)[: -len(MESSAGE)], 90),
    "as many sets as there may be": lambda: many_sets(50),
    "spaces in a signature": lambda: b"DKIM-Signature: v=1; a=rsa-sha256; b" + b" " * 200_000 + b"x;\r\n" + MESSAGE,
    "runs in a signature": lambda: SIGNATURE.replace(b"b=", b"b=" + (b"a" + b" " * 100) * 140) + MESSAGE,
    "runs of folds in a signature": lambda: SIGNATURE.replace(b"b=", b"b=" + (b"a" + WHITE) * 120 + b"!") + MESSAGE,
    "runs of folds in a list": lambda: SIGNATURE.replace(b"h=", b"h=" + (b"a" + WHITE + b"b:") * 120) + MESSAGE,
    "runs of folds between tags": lambda: SIGNATURE.replace(b"b=", b"n=" + (WHITE + b";b") * 120 + b"=;b=") + MESSAGE,
    "folds in a signature": lambda: SIGNATURE.replace(b"b=", b"b=" + b"\r\n " * 5_000) + MESSAGE,
    "one enormous tag": lambda: SIGNATURE.replace(b"b=", b"b=" + b"A" * 15_000) + MESSAGE,
    "thousands of tags": lambda: (
        SIGNATURE.replace(b"v=1;", b"v=1;" + b"".join(b"t%d=;" % n for n in range(1_500))) + MESSAGE
    ),
    "enormous numbers": lambda: (
        SIGNATURE.replace(b"v=1;", b"v=1; t=" + b"9" * 5_000 + b"; l=" + b"9" * 5_000 + b";") + MESSAGE
    ),
    "results without end": lambda: SETS.replace(b"i=1; mx", b"i=1; " + b"(a) ;" * 40_000) + MESSAGE,
    "results of quotes": lambda: SETS.replace(b"i=1; mx", b"i=1; " + b'"\\' * 8_000) + MESSAGE,
    "results of equal signs": lambda: SETS.replace(b"i=1; mx", b"i=1; spf=x (" + b"a: " * 5_000 + b")") + MESSAGE,
    "8-bit bytes": lambda: bytes(range(256)) * 1_000 + SIGNATURE + MESSAGE,
    "nothing": lambda: b"",
    "a colon": lambda: b":",
    "a fold first": lambda: b" x\r\n" + MESSAGE,
    "only a header": lambda: MESSAGE.partition(b"\r\n\r\n")[0],
}


def many_sets(count: int) -> bytes:
    raw = MESSAGE
    for instance in range(1, count + 1):
        raw = sealed(raw, key(), RESULTS, instance=instance)
    return raw


@pytest.mark.parametrize("name", list(HOSTILE))
def test_it_ends_soon_and_quietly(name: str) -> None:
    """Measured: 0.2 s for five megabytes of blanks, 0.1 s for fifty sets, a few milliseconds for most."""
    raw = HOSTILE[name]()
    start = time.process_time()
    names = wanted_keys(raw, RELAYS)
    found = verified(raw, RELAYS, record, AT)
    assert time.process_time() - start < SECONDS
    assert len(names) <= 8
    assert len(found) <= 58


@pytest.mark.parametrize(
    "mutation",
    ["v=", "d=", "s=", "h=", "b=", "bh=", "c=", "i=@x", "i=x", "l=-1", "q=http", "t=-1", "x=1.5", "a=rsa-sha256 "],
)
def test_broken_tags(mutation: str) -> None:
    tag = mutation.partition("=")[0]
    for raw in (
        dkim_signed(MESSAGE, key(), **{tag: mutation.partition("=")[2]}),
        SETS.replace(b"i=1", mutation.encode()),
    ):
        assert verified(raw, RELAYS, record, AT) == () or mutation == "a=rsa-sha256 "


@settings(max_examples=400, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([SIGNATURE, SETS, SIGNATURE + SETS]))
def test_mutated_signatures_never_raise_and_never_verify_something_else(source: random.Random, fields: bytes) -> None:
    raw = bytearray(fields + MESSAGE)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(raw))
        kind = source.randrange(4)
        if kind == 0:
            raw[at] = source.randrange(256)
        elif kind == 1:
            del raw[at : at + source.randint(1, 20)]
        elif kind == 2:
            raw[at:at] = source.choice(
                [b"\r\n ", b";", b"=", b"\x00", b"b=", b"\xff", b"(", b'"', b"i=1;", b"\r\n\r\n"]
            )
        else:
            raw[at:at] = raw[at : at + source.randint(1, 60)]
    for signature in verified(bytes(raw), RELAYS, record, AT):
        assert b"a@shop.example" in raw
        assert signature.remote_ip is None or b"192.0.2.7" in raw


KEYS = st.one_of(
    st.text(max_size=300),
    st.binary(max_size=400).map(lambda der: f"p={b64encode(der).decode()}"),
    st.text("pkvstn=;:y*", max_size=30).map(lambda text: f"{text};{key().record}"),
)


@settings(max_examples=400, deadline=None)
@given(KEYS)
def test_no_key_record_makes_it_raise(text: str) -> None:
    verified(SIGNATURE + SETS + MESSAGE, RELAYS, lambda _: text, AT)


def der(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x84]) + len(content).to_bytes(4) + content


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1))


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [
        (0, 0),
        (1 << 1023, 0),
        (1 << 1023 | 1, 1),
        (1 << 20_000 | 1, 3),
        (1 << 1023 | 1, 1 << 1020 | 1),
        (1 << 9_000 | 1, 1 << 9_000 | 1),
        (3, 3),
    ],
    ids=["zero", "even", "exponent 1", "huge", "huge exponent", "both huge", "tiny"],
)
def test_absurd_rsa_keys(modulus: int, exponent: int) -> None:
    text = "p=" + b64encode(der(0x30, number(modulus) + number(exponent))).decode()
    start = time.process_time()
    assert verified(SIGNATURE + MESSAGE, RELAYS, lambda _: text, AT) == ()
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("bits", "exponent", "size"),
    [(1024, 3, 128), (4096, 65537, 512), (1023, 3, None), (4097, 3, None), (1024, 1, None), (1024, 1 << 32, None)],
)
def test_bounds_of_rsa_keys(bits: int, exponent: int, size: int | None) -> None:
    body = der(0x30, number(1 << (bits - 1) | 1) + number(exponent))
    assert usable_key("p=" + b64encode(body).decode()) == size


def test_bounds_of_tag_lists() -> None:
    assert read_tags(b"a=" + b"x" * 16_382) is not None
    assert read_tags(b"a=" + b"x" * 16_383) is None
    assert read_tags(b"a=" + b" " * 100 + b"x") is not None
    assert read_tags(b"a=" + b"\r\n " * 34 + b"x") is None


def test_bounds_of_messages() -> None:
    assert read_message(MESSAGE + b"x" * (5_000_000 - len(MESSAGE))) is not None
    assert read_message(MESSAGE + b"x" * (5_000_001 - len(MESSAGE))) is None
    assert read_message(b"X: " + b"x" * 200_000 + b"\r\n" + MESSAGE) is not None
    assert read_message(b"X: " + b"x" * 262_144 + b"\r\n" + MESSAGE) is None
    assert read_message(b"X: y\r\n" * 597 + MESSAGE) is not None
    assert read_message(b"X: y\r\n" * 598 + MESSAGE) is None


def test_a_signature_that_fits_a_key_of_exponent_one_is_no_signature() -> None:
    """With e = 1 anybody writes the padded hash itself as the signature."""
    one = type(key())(key().modulus, 1, 1, key().first, key().second)
    assert verified(dkim_signed(MESSAGE, one), RELAYS, lambda _: one.record, AT) == ()
    good = dkim_signed(MESSAGE, key())
    assert verified(good, RELAYS, record, AT) != ()


# What is asked


ORDINARY = (
    "20230601 arc-20240605 arcselector10001 selector1-contoso-onmicrosoft-com s2048 1a1hai k1 mg yj20110701 dk2016-0001"
    " pf.2023 20211129174835pm dkimprovmx1 x"
)
TOKENS = (
    "a8d4f21b9c7e d41d8cd98f00b204e9800998ecf8427e 224i4yxa5dv7c2xz3womw6peuasteono 1f2e3d4c sel.1f2e3d4c"
    " dGFyb0BleGFtcGxlLmpw1x9z8 20261120140312123456 abcdefghijklmnopqrstuvw x4kz9qw7tn2m"
)
NO_HOST_NAMES = "taro=example.jp taro@example a_b -a a- k1. .k1 \u3042"


def names_of(*pairs: tuple[str, str]) -> tuple[str, ...]:
    raw = MESSAGE
    for selector, domain in reversed(pairs):
        raw = dkim_signed(raw, key(), s=selector, d=domain)
    return wanted_keys(raw, RELAYS)


def test_keys_are_asked_for_once_and_only_when_listed() -> None:
    raw = dkim_signed(dkim_signed(MESSAGE, key(), d="shop.example"), key(), s="a8d4f21b9c7e")
    raw = sealed(dkim_signed(dkim_signed(raw, key()), key()), key(), RESULTS)
    asked: list[str] = []

    def key_of(name: str) -> str | None:
        asked.append(name)
        return None

    verified(raw, RELAYS, key_of, AT)
    assert asked == ["arc-2026._domainkey.relay.example", "sel2026._domainkey.relay.example"]
    assert tuple(asked) == wanted_keys(raw, RELAYS)


def test_at_most_eight_names_the_newest_first() -> None:
    pairs = [(f"s{number}", "relay.example") for number in range(20)]
    assert names_of(*pairs) == tuple(f"s{number}._domainkey.relay.example" for number in range(8))
    raw = MESSAGE
    for selector, _ in reversed(pairs):
        raw = dkim_signed(raw, key(), s=selector)
    asked: list[str] = []
    found = verified(raw, RELAYS, lambda name: asked.append(name) or key().record, AT)  # type: ignore[func-returns-value]
    assert len(asked) == 8
    assert [signature.selector for signature in found] == [f"s{number}" for number in range(8)]


@pytest.mark.parametrize(
    "domain",
    [
        "shop.example",
        "relay.example.evil.example",
        "evilrelay.example",
        "example",
        "",
        ".relay.example",
        "a..relay.example",
        "a8d4f21b9c7e.relay.example",
        "x_y.relay.example",
        "relay.example.",
        "relay.example\x00",
        "*.relay.example",
        ("x" * 60 + ".") * 3 + "relay.example",
    ],
)
def test_nobody_elses_key_is_asked_for(domain: str) -> None:
    assert names_of(("sel", domain)) == ()


@pytest.mark.parametrize("selector", ORDINARY.split())
def test_ordinary_selectors(selector: str) -> None:
    assert is_ordinary(selector)
    assert names_of((selector, "relay.example")) == (f"{selector}._domainkey.relay.example",)


@pytest.mark.parametrize("selector", [*TOKENS.split(), *NO_HOST_NAMES.split(), "", "a b", "a" * 64, "a.b" * 30])
def test_selectors_that_may_be_made_for_one_recipient(selector: str) -> None:
    assert not is_ordinary(selector.lower())
    assert names_of((selector, "relay.example")) == ()


def test_nothing_of_the_mail_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """dkimpy writes to its log what it dislikes, in the mail's own words."""
    caplog.set_level(logging.DEBUG)
    broken = SIGNATURE.replace(b"v=1;", b"v=1; q=taro@reporter.example;")
    verified(broken + MESSAGE, RELAYS, record, AT)
    verified(SIGNATURE + MESSAGE, RELAYS, lambda _: "p=taro@reporter.example", AT)
    verified(SIGNATURE.replace(b"b=", b"b=A") + MESSAGE, RELAYS, record, AT)
    verified(SIGNATURE + SETS + MESSAGE, RELAYS, record, AT)
    assert caplog.text == ""
    # Left to itself it does.
    dkim.verify(SIGNATURE + MESSAGE, dnsfunc=lambda *_, **__: b"p=taro", logger=logging.getLogger("dkimpy"))
    assert "taro" in caplog.text
