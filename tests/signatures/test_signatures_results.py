"""The client's address in a relay's Authentication-Results, and what a sender can do about it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_pipeline.signatures.results import client_in_results

GOOGLE = "i=1; mx.google.com; spf={} smtp.mailfrom=a@shop.example"
MICROSOFT = (
    "i=2; mx.microsoft.com 1; spf=pass (sender ip is 192.0.2.7) smtp.rcpttodomain=a.test smtp.mailfrom=shop.example;"
    " dmarc=pass (p=none sp=none pct=100) action=none header.from=shop.example; dkim=pass (signature was verified)"
    " header.d=shop.example; arc=pass (0 oda=1 ltdi=1 spf=[1,1,smtp.mailfrom=shop.example] dkim=[1,1,header.d=a.test])"
)
FOLDED = (
    'i=1; mx.google.com;\r\n       dkim=pass header.i=@shop.example header.s=s header.b="a/b+c";\r\n'
    "       spf=pass (google.com: domain of a@shop.example designates 192.0.2.7 as permitted sender)"
    " smtp.mailfrom=a@shop.example;\r\n       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=shop.example"
)
FAIL = "fail (google.com: domain of a@shop.example does not designate 2001:db8::7 as permitted sender)"
SOFTFAIL = (
    "softfail (google.com: domain of transitioning a@shop.example does not designate 192.0.2.7 as permitted sender)"
)
NEUTRAL = (
    "neutral (google.com: 192.0.2.7 is neither permitted nor denied by best guess record for domain of a@shop.example)"
)
NONE = "none (google.com: a@shop.example does not designate permitted sender hosts)"


@pytest.mark.parametrize(
    ("value", "ip"),
    [
        (FOLDED, "192.0.2.7"),
        (GOOGLE.format(FAIL), "2001:db8::7"),
        (GOOGLE.format(SOFTFAIL), "192.0.2.7"),
        (GOOGLE.format(NEUTRAL), "192.0.2.7"),
        (GOOGLE.format(NONE), None),
        (MICROSOFT, "192.0.2.7"),
        ("i=1; mx.microsoft.com 1; spf=none; dmarc=none; dkim=none; arc=none", None),
        # Others.
        ("i=1; mx.example.jp; arc=none smtp.remote-ip=192.0.2.7", "192.0.2.7"),
        ("i=1; mx.example.jp; iprev=pass smtp.remote-ip=2001:db8::7 (mail.shop.example)", "2001:db8::7"),
        ('i=1; mx.example.jp; iprev=pass policy.iprev="192.0.2.7"', "192.0.2.7"),
        ('i=1; mx.example.jp; iprev=pass policy.iprev="IPv6:2001:db8::7"', "2001:db8::7"),
        ("i=1; mx.example.jp; arc=none smtp.client-ip=192.0.2.7; spf=pass (sender ip is 192.0.2.7)", "192.0.2.7"),
        ("mx.example.jp; none", None),
        ("", None),
    ],
)
def test_what_relays_write(value: str, ip: str | None) -> None:
    assert client_in_results(value.encode()) == (ip_address(ip) if ip else None)


@pytest.mark.parametrize(
    "value",
    [
        # Two addresses, one of which the sender brought along.
        "i=1; mx; spf=pass (sender ip is 192.0.2.7); iprev=pass smtp.remote-ip=198.51.100.9",
        "i=1; mx; spf=pass (sender ip is 192.0.2.7) (sender ip is 198.51.100.9)",
        # MAIL FROM within the relay's comment. Only a comment that is one shape from end to end counts.
        'i=1; mx; spf=none (g.com: "a designates 198.51.100.9 as permitted sender"@x does not designate hosts)',
        "i=1; mx; spf=none (g.com: a designates 198.51.100.9 as permitted sender does not designate hosts)",
        "i=1; mx; spf=none (g.com: sender ip is 198.51.100.9 does not designate permitted sender hosts)",
        # MAIL FROM that closes the comment: a quote in a comment, or one without an end, makes all of it worthless.
        'i=1; mx; spf=none (g.com: "a) ; iprev=pass smtp.remote-ip=198.51.100.9 ("@x does not designate hosts)',
        'i=1; mx; spf=none (g.com: "a); spf=pass (sender ip is 198.51.100.9) x="@x does not designate hosts)',
        r"i=1; mx; spf=none (g.com: a\); spf=pass (sender ip is 198.51.100.9) does not designate hosts)",
        "i=1; mx; spf=none (a (b) c) smtp.remote-ip=198.51.100.9",
        "i=1; mx; spf=none smtp.remote-ip=198.51.100.9 (no end",
        'i=1; mx; spf=none smtp.remote-ip=198.51.100.9 "no end',
        # Properties inside quoted values.
        'i=1; mx; spf=none smtp.mailfrom="x; iprev=pass smtp.remote-ip=198.51.100.9 "@x',
        # What is no address.
        "i=1; mx; iprev=pass smtp.remote-ip=192.0.2.700",
        "i=1; mx; iprev=pass smtp.remote-ip=",
        "i=1; mx; iprev=pass smtp.remote-ip=192.0.2.700; spf=pass (sender ip is 192.0.2.7)",
        # An SPF comment at another method; a property that is no result's.
        "i=1; mx; dmarc=pass (sender ip is 198.51.100.9)",
        "smtp.remote-ip=198.51.100.9",
    ],
)
def test_doubt_gives_no_address(value: str) -> None:
    assert client_in_results(value.encode()) is None


@given(st.text('ab ="();\\:.@') | st.text(max_size=200))
def test_nobody_elses_words_bring_in_an_address(mail_from: str) -> None:
    """Whatever MAIL FROM is, the relay's own address is found or none."""
    text = (
        f"mx.google.com; spf=fail (google.com: domain of {mail_from} does not designate 192.0.2.7 as permitted sender)"
    )
    assert client_in_results(text.encode("utf-8", "replace")) in (None, ip_address("192.0.2.7"))
