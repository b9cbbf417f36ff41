"""The list of well-known relays: the shipped one loads, and a wrong one says what is wrong where."""

from __future__ import annotations

from pathlib import Path

import pytest

from abuse_pipeline.errors import ConfigurationError
from abuse_pipeline.trace import load_relays, read_hop, registered_domain

SHIPPED = Path(__file__).parents[2] / "config" / "relays.toml"


def test_the_shipped_list_loads() -> None:
    relays = {relay.name: relay for relay in load_relays(SHIPPED.read_text(encoding="utf-8"), "relays.toml")}
    assert {"Google", "Microsoft 365", "Amazon SES", "Twilio SendGrid"} <= set(relays)
    google = relays["Google"]
    line = "from x ({name} [{ip}]) by mx.example.jp (Postfix) with ESMTP id 1; Fri, 20 Nov 2026 14:03:12 +0900"
    assert google.sent_as(read_hop(0, line.format(name="unknown", ip="209.85.220.41")))
    assert google.sent_as(read_hop(0, line.format(name="mail-qv1-f42.google.com", ip="203.0.113.9")))
    assert not google.sent_as(read_hop(0, line.format(name="mail.google.com.example.com", ip="203.0.113.9")))
    assert not google.sent_as(read_hop(0, line.format(name="9.113.0.203.bc.googleusercontent.com", ip="203.0.113.9")))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[relay]", "r.toml: is not valid TOML"),
        ("relay = 3", "r.toml: relay: write one [[relay]] table"),
        ("[[relays]]\nname = 'x'", "r.toml: relays: unknown key; did you mean 'relay'?"),
        ("[[relay]]\nnetworks = ['192.0.2.0/24']", "r.toml: relay 1: name: give the provider a name"),
        (
            "[[relay]]\nname = 'X'\nnetwork = ['192.0.2.0/24']",
            "relay 1 (X): network: unknown key; did you mean 'networks'?",
        ),
        ("[[relay]]\nname = 'X'", "relay 1 (X): give `names` or `networks`"),
        ("[[relay]]\nname = 'X'\nnetworks = ['192.0.2.1/24']", "relay 1 (X): networks: 192.0.2.1/24 has host bits set"),
        ("[[relay]]\nname = 'X'\nnetworks = '192.0.2.0/24'", "relay 1 (X): networks: write a list of texts"),
        ("[[relay]]\nname = 'X'\nnames = ['*']", "relay 1 (X): names: '*' is no host name pattern"),
        ("[[relay]]\nname = 'X'\nnames = ['a.example']\nvouches = ['all']", "vouches: 'all' is not known"),
        ("[[relay]]\nname = 'X'\nnames = ['a.example']\nvouches = ['received']", "stamps: needed"),
        ("[[relay]]\nname='X'\nnames=['a.example']\n[[relay]]\nname='X'\nnames=['b.example']", "'X' is listed twice"),
    ],
)
def test_a_wrong_list_names_file_entry_and_fault(text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_relays(text, "r.toml")
    assert complaint in str(caught.value)
    assert "r.toml" in str(caught.value)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_relays("[[relay]]\nname='X'\n[[relay]]\nnetworks=['x']", "r.toml")
    assert str(caught.value).count("\n") == 2


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("mx1.mail.example.co.jp.", "example.co.jp"),
        ("MX.Example.JP", "example.jp"),
        ("mx.日本語.jp", "xn--wgv71a119e.jp"),
        ("store.hosting.example", "hosting.example"),
        ("localhost", None),
        ("mx.corp.local", None),
        ("192.0.2.7", None),
        ("[192.0.2.7]", None),
        ("co.jp", None),
        ("a..b.example", None),
        ("x" * 300 + ".example", None),
        ("", None),
        (None, None),
    ],
)
def test_registered_domains(host: str | None, domain: str | None) -> None:
    assert registered_domain(host) == domain
