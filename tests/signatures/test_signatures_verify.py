"""Which signatures verify: really signed messages, whole and altered, by a signer of our own and by dkimpy's."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address

import dkim
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from signing import body_hash, dkim_signed, field, key, sealed

from abuse_pipeline.mail import read_mail
from abuse_pipeline.model import Signature
from abuse_pipeline.settings import MailLimits
from abuse_pipeline.signatures import verified, wanted_keys
from abuse_pipeline.signatures.message import SignedMessage

AT = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)
RELAYS = frozenset({"relay.example", "filter.example"})
DKIM_NAME = "sel2026._domainkey.relay.example"
ARC_NAME = "arc-2026._domainkey.relay.example"
OTHER_ARC_NAME = "arc-2026._domainkey.filter.example"
SPF = "mx.relay.example; spf=pass (relay.example: domain of a@shop.example designates {} as permitted sender)"
RESULTS = SPF.format("192.0.2.7") + " smtp.mailfrom=a@shop.example"
LATER = AT + timedelta(days=36_500)
"""dkimpy signs with the time of the machine."""
CLIENT = ip_address("192.0.2.7")

MESSAGE = (
    b"Received: from a (a [192.0.2.7]) by mx.relay.example; Fri, 20 Nov 2026 14:03:12 +0900\r\n"
    b"From: Shop <a@shop.example>\r\nTo: taro@example.jp\r\nSubject: =?UTF-8?B?44GC?=\r\n  twice   folded\r\n"
    b"Date: Fri, 20 Nov 2026 14:03:10 +0900\r\nMessage-ID: <1@shop.example>\r\n\r\n"
    b"Hello  there \t\r\n\r\nbuy   this\r\n\r\n\r\n"
)
DKIM = Signature("dkim", "relay.example", "sel2026")
ARC = Signature("arc", "relay.example", "arc-2026", CLIENT)


def known(**more: str) -> Callable[[str], str | None]:
    records = {DKIM_NAME: key().record, ARC_NAME: key().record, OTHER_ARC_NAME: key(seed=8).record}
    return {**records, **{name.replace("__", "."): text for name, text in more.items()}}.get


def found(raw: bytes, key_of: Callable[[str], str | None] | None = None, at: datetime = AT) -> tuple[Signature, ...]:
    return verified(raw, RELAYS, key_of or known(), at)


def dkimpy_signed(message: bytes, **options: object) -> bytes:
    settings = {"canonicalize": (b"relaxed", b"relaxed"), "include_headers": [b"from", b"subject"], **options}
    return bytes(dkim.sign(message, b"sel2026", b"relay.example", key().pem, **settings)) + message


# DKIM


def test_a_signed_message() -> None:
    raw = dkim_signed(MESSAGE, key())
    assert wanted_keys(raw, RELAYS) == (DKIM_NAME,)
    assert found(raw) == (DKIM,)


@pytest.mark.parametrize("header", [b"simple", b"relaxed"])
@pytest.mark.parametrize("body", [b"simple", b"relaxed"])
def test_both_canonicalizations_as_dkimpy_signs_them(header: bytes, body: bytes) -> None:
    assert found(dkimpy_signed(MESSAGE, canonicalize=(header, body)), at=LATER) == (DKIM,)


def test_a_host_below_a_listed_domain_signs_too() -> None:
    raw = dkim_signed(MESSAGE, key(), d="Tenant.Relay.Example")
    name = "sel2026._domainkey.tenant.relay.example"
    assert wanted_keys(raw, RELAYS) == (name,)
    assert found(raw, {name: key().record}.get) == (Signature("dkim", "tenant.relay.example", "sel2026"),)


def test_what_arrives_with_other_line_ends_is_verified_as_it_was_sent() -> None:
    raw = dkim_signed(MESSAGE, key())
    assert found(raw.replace(b"\r\n", b"\n")) == (DKIM,)
    assert found(raw.replace(b"\r\n", b"\r")) == (DKIM,)
    assert found(raw.replace(b"\r\n", b"\r\r\n")) == (DKIM,)
    assert found(b"  \n\n" + raw) == (DKIM,)
    assert found(b"From a@shop.example Fri Nov 20 05:03:12 2026\n" + raw) == (DKIM,)


def test_fields_that_hosts_add_on_top_change_nothing() -> None:
    assert found(b"Received: from b by c; x\r\nX-Spam: yes\r\nSubject_: z\r\n" + dkim_signed(MESSAGE, key())) == (DKIM,)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"buy   this", b"buy that"),
        (b"\r\n\r\nHello", b"\r\n\r\n\r\nHello"),
        (b"buy   this", b"buy   this\r\n\r\n--\r\nunsubscribe"),
        (b"a@shop.example>\r\nTo", b"b@shop.example>\r\nTo"),
        (b"Subject: ", b"Subject: Re: "),
        (b"From: Shop", b"From: <x@evil.example>\r\nFrom: Shop"),
        (b"Date: Fri", b"broken line\r\nDate: Fri"),
        (b"s=sel2026", b"s=sel2025"),
        (b"t=0", b"t=1"),
        (b"v=1", b"v=2"),
        (b"a=rsa-sha256", b"a=rsa-sha1"),
        (b"c=relaxed/relaxed", b"c=relaxed/none"),
        (b"; b", b"; b="),
        (b"\tb=", b"\tb=AAAA"),
    ],
)
def test_what_was_altered_does_not_verify(old: bytes, new: bytes) -> None:
    raw = dkim_signed(MESSAGE, key(), t="0")
    assert found(raw) == (DKIM,)
    assert old in raw
    assert found(raw.replace(old, new, 1)) == ()


def test_without_the_right_key_nothing_verifies() -> None:
    raw = dkim_signed(MESSAGE, key())
    assert found(raw, lambda _: None) == ()
    assert found(raw, {DKIM_NAME: key(seed=8).record}.get) == ()
    assert verified(raw, frozenset({"other.example"}), known(), AT) == ()
    # The domain must end where a label does.
    evil = dkim_signed(MESSAGE, key(), d="evilrelay.example")
    assert wanted_keys(evil, RELAYS) == ()


def test_a_length_that_leaves_something_out_is_no_signature_of_the_message() -> None:
    """RFC 6376 section 8.2: what follows is anybody's."""
    raw = dkimpy_signed(MESSAGE, length=True)
    assert b"l=" in raw
    assert found(raw, at=LATER) == (DKIM,)
    assert found(raw + b"and buy this too\r\n", at=LATER) == ()
    short = sha256(b"Hello there\r\n").digest()
    assert found(dkim_signed(MESSAGE, key(), bh=b64encode(short).decode(), l="13")) == ()
    # dkimpy, left alone, takes it.
    assert dkim.verify(raw + b"and buy this too\r\n", dnsfunc=lambda *_, **__: key().record.encode())


def test_the_version_must_be_there() -> None:
    tags = {"d": "relay.example", "s": "sel2026"}
    assert found(field(MESSAGE, b"DKIM-Signature", {"v": "1", **tags}, key()) + MESSAGE) == (DKIM,)
    assert found(field(MESSAGE, b"DKIM-Signature", tags, key()) + MESSAGE) == ()


def test_from_must_be_signed() -> None:
    assert found(dkim_signed(MESSAGE, key(), names=("subject", "date"))) == ()


def test_times() -> None:
    now = int(AT.timestamp())
    assert found(dkim_signed(MESSAGE, key(), t=str(now - 60), x=str(now + 600))) == (DKIM,)
    assert found(dkim_signed(MESSAGE, key(), t=str(now - 600), x=str(now - 1))) == ()
    assert found(dkim_signed(MESSAGE, key(), t=str(now + 3600))) == (DKIM,)
    assert found(dkim_signed(MESSAGE, key(), t=str(now + 3 * 3600))) == ()
    assert found(dkim_signed(MESSAGE, key(), t=str(now + 600), x=str(now + 300))) == ()
    assert found(dkim_signed(MESSAGE, key(), x="never")) == ()
    assert found(dkim_signed(MESSAGE, key(), x=str(now + 60)), at=AT + timedelta(minutes=2)) == ()


def test_sha1_is_not_asked_about() -> None:
    raw = dkimpy_signed(MESSAGE, signature_algorithm=b"rsa-sha1")
    assert wanted_keys(raw, RELAYS) == ()
    assert found(raw) == ()


def test_weak_keys_do_not_count() -> None:
    weak = key(bits=768)
    raw = dkim_signed(MESSAGE, weak)
    assert found(raw, {DKIM_NAME: weak.record}.get) == ()
    strong = key(bits=2048)
    assert found(dkim_signed(MESSAGE, strong), {DKIM_NAME: strong.record}.get) == (DKIM,)


@pytest.mark.parametrize(
    ("flag", "counts"),
    [
        ("t=s;", True),
        ("t=y;", False),
        ("t=y:s;", False),
        ("h=sha256;", True),
        ("h=sha1;", False),
        ("s=email;", True),
        ("s=*;", True),
        ("s=tlsrpt;", False),
        ("n=note;", True),
        ("v=DKIM2;", False),
        ("k=ed25519;", False),
        ("k=dsa;", False),
    ],
)
def test_key_records_say_what_they_are_for(flag: str, counts: bool) -> None:
    encoded = key().record.partition("p=")[2]
    assert bool(found(dkim_signed(MESSAGE, key()), {DKIM_NAME: f"{flag} p={encoded}"}.get)) is counts


@pytest.mark.parametrize(
    "record", ["", "p=", "v=DKIM1; p=", "p=AAAA", "p=%%%", "nonsense", "p=\u3042", "p=" + "A" * 5000]
)
def test_broken_and_withdrawn_keys(record: str) -> None:
    assert found(dkim_signed(MESSAGE, key()), {DKIM_NAME: record}.get) == ()


def test_several_signatures_each_for_itself() -> None:
    once = dkim_signed(MESSAGE, key())
    twice = dkim_signed(once, key(seed=8), d="filter.example")
    both = known(**{"sel2026___domainkey__filter__example".replace("___", "._"): key(seed=8).record})
    assert [signature.domain for signature in found(twice, both)] == ["filter.example", "relay.example"]
    assert [signature.domain for signature in found(twice)] == ["relay.example"]


# ARC


def test_one_sealed_set_names_the_client() -> None:
    raw = sealed(MESSAGE, key(), RESULTS)
    assert wanted_keys(raw, RELAYS) == (ARC_NAME,)
    assert found(raw) == (ARC,)
    assert found(raw.replace(b"\r\n", b"\n")) == (ARC,)


def test_two_sets_of_two_relays() -> None:
    first = sealed(MESSAGE, key(), RESULTS)
    other = SPF.format("198.51.100.9")
    raw = sealed(first, key(seed=8), other, instance=2, domain="filter.example")
    second = Signature("arc", "filter.example", "arc-2026", ip_address("198.51.100.9"))
    assert found(raw) == (ARC, second)
    # Without the second one's key the first one's word still stands.
    assert found(raw, {ARC_NAME: key().record}.get) == (ARC,)
    # The second seal covers the first set.
    assert found(raw.replace(b"designates 192.0.2.7", b"designates 192.0.2.8")) == ()


def test_the_order_of_the_fields_does_not_matter() -> None:
    raw = sealed(MESSAGE, key(), RESULTS)
    seal, _, rest = raw.partition(b"\r\nARC-Message")
    assert found(b"ARC-Message" + rest.replace(b"Received:", seal + b"\r\nReceived:", 1)) == (ARC,)


def test_a_set_of_somebody_unknown_is_not_asked_about() -> None:
    first = sealed(MESSAGE, key(), RESULTS)
    raw = sealed(first, key(seed=9), SPF.format("198.51.100.9"), instance=2, domain="list.example")
    assert wanted_keys(raw, RELAYS) == (ARC_NAME,)
    assert found(raw) == (ARC,)


def test_a_message_changed_after_the_first_seal() -> None:
    first = sealed(MESSAGE, key(), RESULTS).replace(b"buy   this", b"[list] buy this")
    raw = sealed(first, key(seed=8), RESULTS, instance=2, domain="filter.example")
    assert [signature.domain for signature in found(raw)] == ["filter.example"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"designates 192.0.2.7", b"designates 192.0.2.8"),
        (b"cv=none", b"cv=pass"),
        (b"cv=none", b"cv=fail"),
        (b"buy   this", b"buy that"),
        (b"From: Shop", b"From: Shopping"),
        (b"ARC-Authentication-Results:", b"X-ARC-Authentication-Results:"),
        (b"ARC-Message-Signature:", b"X-ARC-Message-Signature:"),
        (b"ARC-Authentication-Results: i=1", b"ARC-Authentication-Results: i=2"),
        (b"ARC-Authentication-Results: i=1;", b"ARC-Authentication-Results: x; i=1;"),
        (b"Received:", b"ARC-Authentication-Results: i=1; mx.relay.example; spf=none\r\nReceived:"),
        (b"Received:", b"ARC-Authentication-Results: i=2; mx.relay.example; spf=none\r\nReceived:"),
        (b"Received:", b"ARC-Seal: i=0; cv=none\r\nReceived:"),
    ],
)
def test_an_altered_chain_does_not_verify(old: bytes, new: bytes) -> None:
    raw = sealed(MESSAGE, key(), RESULTS)
    assert old in raw
    assert found(raw.replace(old, new, 1)) == ()


def test_a_seal_that_says_the_chain_failed_ends_it() -> None:
    first = sealed(MESSAGE, key(), RESULTS)
    assert found(sealed(first, key(seed=8), RESULTS, instance=2, domain="filter.example", cv="fail")) == ()
    assert found(sealed(first, key(seed=8), RESULTS, instance=2, domain="filter.example", cv="none")) == ()
    # A correct seal that says the wrong thing for its place.
    assert found(sealed(MESSAGE, key(), RESULTS, cv="pass")) == ()


def test_a_gap_in_the_chain() -> None:
    assert found(sealed(MESSAGE, key(), RESULTS, instance=2)) == ()


def test_sealed_rightly_but_against_the_rules() -> None:
    late = str(int(AT.timestamp()) + 3 * 3600)
    assert found(sealed(MESSAGE, key(), RESULTS, t=late)) == ()
    assert found(sealed(MESSAGE, key(), RESULTS, before="x; ")) == ()  # RFC 8617 section 4.1.1: the instance is first
    assert found(sealed(MESSAGE, key(), RESULTS, h="from")) == ()  # section 4.1.3
    first = sealed(MESSAGE, key(), RESULTS)
    second = sealed(first, key(seed=8), RESULTS, instance=2, domain="filter.example", names=("from", "arc-seal"))
    assert found(second) == (ARC,)  # section 4.1.2: a message signature signs no seal


def test_every_field_of_a_set_twice() -> None:
    raw = sealed(MESSAGE, key(), RESULTS)
    assert found(raw[: raw.index(b"Received:")] + raw) == ()


def test_a_wrong_seal_of_a_known_relay_voids_what_others_sealed() -> None:
    first = sealed(MESSAGE, key(), RESULTS)
    raw = sealed(first, key(seed=9), RESULTS, instance=2, domain="filter.example")
    assert found(raw) == ()
    assert found(raw, {ARC_NAME: key().record}.get) == (ARC,)


def test_a_seal_over_somebody_elses_message_signature() -> None:
    """Header and body were signed by another domain than the one that sealed."""
    raw = sealed(MESSAGE, key(), RESULTS, d="filter.example")
    mixed = {ARC_NAME: key().record, OTHER_ARC_NAME: key().record}.get
    assert b"d=filter.example" in raw
    assert found(raw, mixed) == ()


def test_sets_taken_from_another_message() -> None:
    """The set of a message that the relay did receive from that client, in front of another message."""
    raw = sealed(MESSAGE, key(), RESULTS)
    sets = raw[: raw.index(b"Received:")]
    assert found(sets + MESSAGE.replace(b"buy   this", b"something else")) == ()
    assert found(sets + MESSAGE.replace(b"Shop <a@", b"Bank <b@")) == ()


def test_the_same_message_sent_again_still_verifies() -> None:
    """A replay is not visible in the message: the tracer must not believe an address for a signature alone."""
    raw = sealed(MESSAGE, key(), RESULTS)
    assert found(b"Received: from z ([203.0.113.5]) by mx.example.jp; x\r\n" + raw) == (ARC,)


# Where the message stands within a report


@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
@pytest.mark.parametrize("where", ["rfc822", "base64", "nested"])
def test_the_embedded_message_is_verified_byte_by_byte(where: str, line: bytes) -> None:
    raw = sealed(dkim_signed(MESSAGE, key()), key(), RESULTS)
    coding = b"base64" if where == "base64" else b"8bit"
    inner = b64encode(raw) if where == "base64" else raw
    report = (
        b"From: taro@example.jp\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nSpam.\r\n"
        b"--x\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: %s\r\n\r\n%s\r\n--x--\r\n" % (coding, inner)
    )
    if where == "nested":
        report = b"From: b@example.jp\r\nMIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n" + report
    mail = read_mail(report.replace(b"\r\n", line), MailLimits())
    while (part := next((part for part in mail.walk() if part.message is not None), None)) is not None:
        assert part.message is not None
        mail = part.message
    assert found(mail.raw) == (DKIM, ARC)


# The body, held against dkimpy's


@settings(max_examples=500, deadline=None)
@given(st.text("ab \t\r\n", max_size=40).map(lambda text: text.replace("\n", "\r\n").encode()))
@example(b"a" + b" " * 1_000 + b"b" + b"\t " * 50 + b"\r\n")
def test_bodies_are_hashed_as_dkimpy_hashes_them(body: bytes) -> None:
    message = SignedMessage((), body)
    for name in (b"simple", b"relaxed"):
        theirs = dkim.CanonicalizationPolicy.from_c_value(b"simple/" + name).canonicalize_body(body)
        ours = message.body_hash(name)
        if name == b"simple" or not body.endswith(
            (b" ", b"\t")
        ):  # white space at an end without CRLF: RFC 6376 is silent
            assert ours == (b64encode(sha256(theirs).digest()), len(theirs)), name


def test_the_body_hash_of_the_standard() -> None:
    """RFC 6376 sections 3.4.3 and 3.4.4 give the hashes of an empty body."""
    message = SignedMessage((), b"")
    assert message.body_hash(b"simple") == (b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=", 2)
    assert message.body_hash(b"relaxed") == (b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 0)
    assert body_hash(b"") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
