# ruff: noqa: E501  (Received lines are shown as they are written)
"""Evidence beside the Received fields: what it may do, and above all what it may not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest

from abuse_pipeline.model import Confidence, Origin, Signature, Verdict
from abuse_pipeline.trace import RecipientSide, TraceRules, beside, find_origin, load_relays

RELAYS = load_relays(
    """
[[relay]]
name = "Web Mail"
names = ["out-*.webmail.example"]
stamps = ["webmail.example"]
signs = ["webmail.example"]
vouches = ["received", "x-originating-ip"]

[[relay]]
name = "Silent"
names = ["*.out.silent.example"]
signs = ["silent.example"]
vouches = ["x-source-ip"]
""",
    "relays.toml",
)
RULES = TraceRules(
    own_relays=(ip_network("198.51.100.25/32"),),
    relays=RELAYS,
    max_skew=timedelta(hours=2),
    managed=lambda ip: ip in ip_network("192.0.2.0/24"),
)
VICTIM = "192.0.2.200"


def at(minute: int) -> str:
    return f"Fri, 20 Nov 2026 14:{minute:02}:12 +0900"


def postfix(name: str, ip: str, by: str, recipient: str = "", minute: int = 3) -> str:
    towards = f" for <{recipient}>" if recipient else ""
    return f"from {name} ({name} [{ip}]) by {by} (Postfix) with ESMTP id 4F1{towards}; {at(minute)}"


def trace(
    headers: list[tuple[str, str]],
    side: RecipientSide = RecipientSide(),  # noqa: B008  frozen
    signatures: tuple[Signature, ...] = (),
) -> Origin:
    received = [value for name, value in headers if name.lower() == "received"]
    return find_origin(received, side, RULES, beside(headers, signatures))


# --- the recipient's side: the reporter writes from elsewhere, his mailbox is hosted at host.example ----------------

SPAMMER = ("Received", postfix("pc.example", "192.0.2.7", "mx.kaisha.example", "taro@kaisha.example", 2))
STORE = ("Received", postfix("mx.kaisha.example", "203.0.113.5", "www1.host.example", "taro@kaisha.example"))
RESULTS = ("Authentication-Results", "mx.kaisha.example 1; spf=fail smtp.mailfrom=x@y.example")


@dataclass(frozen=True)
class Told:
    headers: list[tuple[str, str]]
    ip: str | None


RECOGNISED = {
    "FOR and Delivered-To agree": Told([("Delivered-To", "taro@kaisha.example"), STORE, SPAMMER], "192.0.2.7"),
    "FOR and Authentication-Results agree": Told([RESULTS, STORE, SPAMMER], "192.0.2.7"),
    "FOR and ARC agree": Told(
        [("ARC-Authentication-Results", "i=1; mx.kaisha.example; spf=fail"), STORE, SPAMMER], "192.0.2.7"
    ),
    "nothing agrees": Told([STORE, SPAMMER], "203.0.113.5"),
    "another Delivered-To": Told([("Delivered-To", "taro@host.example"), STORE, SPAMMER], "203.0.113.5"),
    "only the topmost Delivered-To counts": Told(
        [("Delivered-To", "a@host.example"), ("Delivered-To", "taro@kaisha.example"), STORE, SPAMMER], "203.0.113.5"
    ),
    "a Delivered-To below a Received field is the sender's": Told(
        [STORE, ("Delivered-To", "taro@kaisha.example"), SPAMMER], "203.0.113.5"
    ),
    "results written by the host in question": Told([STORE, RESULTS, SPAMMER], "203.0.113.5"),
    "results at the bottom": Told([STORE, SPAMMER, RESULTS], "203.0.113.5"),
    "fields without FOR": Told(
        [
            ("Delivered-To", "t@kaisha.example"),
            RESULTS,
            (STORE[0], STORE[1].replace(" for <taro@kaisha.example>", "")),
            SPAMMER,
        ],
        "203.0.113.5",
    ),
    "a confirmed name of another domain stays outside": Told(
        [
            ("Delivered-To", "taro@kaisha.example"),
            ("Received", postfix("mx.other.example", "203.0.113.5", "www1.host.example", "taro@kaisha.example")),
            SPAMMER,
        ],
        "203.0.113.5",
    ),
    "an address of ours is never passed over": Told(
        [
            ("Delivered-To", "taro@kaisha.example"),
            ("Received", postfix("mx.kaisha.example", "192.0.2.9", "www1.host.example", "taro@kaisha.example")),
            ("Received", postfix("pc.example", VICTIM, "elsewhere.example", minute=2)),
        ],
        "192.0.2.9",
    ),
}


@pytest.mark.parametrize("told", RECOGNISED.values(), ids=RECOGNISED)
def test_the_recipients_side_is_recognised_where_two_writings_of_its_own_agree(told: Told) -> None:
    origin = trace(told.headers)
    assert (str(origin.ip) if origin.ip else None) == told.ip, origin.reason


def test_an_alias_of_a_stranger_on_a_shared_host_makes_him_nobodys_recipient() -> None:
    """`x@evil.example` leads to the reporter's mailbox on the same host: FOR is his, Delivered-To is not."""
    evil = ("Received", postfix("mail.evil.example", "203.0.113.66", "www1.host.example", "x@evil.example"))
    planted = [
        ("Received", postfix("victim.example", VICTIM, "mail.evil.example", minute=1)),
        ("Delivered-To", "x@evil.example"),
        ("Authentication-Results", "mail.evil.example; spf=pass"),
    ]
    origin = trace([("Delivered-To", "taro@kaisha.example"), ("X-Original-To", "x@evil.example"), evil, *planted])
    assert str(origin.ip) == "203.0.113.66"


def test_what_a_greeting_or_an_envelope_sender_says_is_not_a_FOR() -> None:
    for line in (
        f"from x (for <a@evil.example>) (mail.evil.example [203.0.113.66]) by www1.host.example (Postfix) with ESMTP id 1; {at(3)}",
        f"from mail.evil.example ([203.0.113.66]) by www1.host.example with esmtp (Exim 4.96) (envelope-from <a@evil.example>) id 1u1; {at(3)}",
        f"from mail.evil.example (mail.evil.example [203.0.113.66]) by www1.host.example (Postfix) with ESMTP id 1 for <taro@kaisha.example>; for <a@evil.example> {at(3)}",
    ):
        headers = [("Authentication-Results", "evil.example; none"), ("Received", line)]
        lower = ("Received", postfix("victim.example", VICTIM, "mail.evil.example", minute=1))
        origin = trace([*headers, lower])
        assert str(origin.ip) in ("203.0.113.66", "None"), origin.reason


# --- X-Originating-IP ------------------------------------------------------------------------------------------------

AT_WEBMAIL = ("Received", postfix("out-1.webmail.example", "203.0.113.9", "mx.reporter.example", minute=5))
WEB_HOP = ("Received", f"by web7.webmail.example with HTTP; {at(4)}")
USER = ("X-Originating-IP", "[192.0.2.7]")
SIDE = RecipientSide(frozenset({"reporter.example"}))


def test_the_webmail_providers_field_is_believed() -> None:
    origin = trace([AT_WEBMAIL, WEB_HOP, USER], SIDE)
    assert (str(origin.ip), origin.confidence) == ("192.0.2.7", Confidence.RELAYED)
    assert origin.moment is not None
    assert origin.moment.at.minute == 4
    assert "Web Mail vouches" in origin.reason


def test_a_provider_that_shows_its_clients_only_in_a_field() -> None:
    handover = ("Received", postfix("a.out.silent.example", "203.0.113.9", "mx.reporter.example", minute=5))
    origin = trace([handover, ("x-source-ip", "192.0.2.7")], SIDE)
    assert (str(origin.ip), origin.confidence) == ("192.0.2.7", Confidence.RELAYED)
    assert origin.moment is not None
    assert origin.moment.at.minute == 5
    other = trace([handover, USER], SIDE)
    assert str(other.ip) == "203.0.113.9"
    assert "x-originating-ip claims 192.0.2.7, which counts for nothing" in other.reason


NOT_BELIEVED = {
    "nobody vouches": [("Received", postfix("pc.example", "203.0.113.77", "mx.reporter.example")), USER],
    "above the handover somebody else wrote it": [USER, AT_WEBMAIL, WEB_HOP],
    "two of them": [AT_WEBMAIL, WEB_HOP, USER, ("X-Originating-IP", VICTIM)],
    "twice the same": [AT_WEBMAIL, WEB_HOP, USER, USER],
    "a private address": [AT_WEBMAIL, WEB_HOP, ("X-Originating-IP", "10.1.2.3")],
    "no address": [AT_WEBMAIL, WEB_HOP, ("X-Originating-IP", "192.0.2.7, 192.0.2.8")],
    "another field": [AT_WEBMAIL, WEB_HOP, ("X-Source-IP", "192.0.2.7")],
    "only a greeting names the provider": [
        (
            "Received",
            f"from out-1.webmail.example (unknown [203.0.113.77]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(5)}",
        ),
        WEB_HOP,
        USER,
    ],
}


@pytest.mark.parametrize("headers", NOT_BELIEVED.values(), ids=NOT_BELIEVED)
def test_the_field_is_a_claim_otherwise(headers: list[tuple[str, str]]) -> None:
    origin = trace(headers, SIDE)
    assert str(origin.ip) in ("203.0.113.9", "203.0.113.77")


def test_a_received_field_of_the_provider_comes_before_its_field() -> None:
    smtp = ("Received", postfix("pc.example", "192.0.2.7", "smtp.webmail.example", minute=4))
    origin = trace([AT_WEBMAIL, smtp, ("X-Originating-IP", VICTIM)], SIDE)
    assert str(origin.ip) == "192.0.2.7"
    assert f"claims {VICTIM}" in origin.reason


def test_without_a_chain_the_field_is_no_more_than_a_claim() -> None:
    origin = trace([("Subject", "x"), USER])
    assert (str(origin.ip), origin.confidence) == ("192.0.2.7", Confidence.CLAIMED)
    assert trace([USER, ("X-Source-IP", VICTIM)]).ip is None


# --- signatures ------------------------------------------------------------------------------------------------------

DKIM = Signature("dkim", "webmail.example", "s1")
CLIENT = ("Received", postfix("pc.example", "192.0.2.7", "smtp.webmail.example", minute=4))


def test_a_signature_of_the_relay_raises_the_confidence_and_is_named() -> None:
    assert trace([AT_WEBMAIL, CLIENT], SIDE).confidence is Confidence.RELAYED
    origin = trace([AT_WEBMAIL, CLIENT], SIDE, (DKIM,))
    assert (str(origin.ip), origin.confidence) == ("192.0.2.7", Confidence.WITNESSED)
    assert "the DKIM signature of webmail.example verifies over the message" in origin.reason
    assert trace([AT_WEBMAIL, WEB_HOP, USER], SIDE, (DKIM,)).confidence is Confidence.WITNESSED


def test_a_sealed_record_that_names_the_client_is_said() -> None:
    origin = trace(
        [AT_WEBMAIL, CLIENT], SIDE, (Signature("arc", "mail.webmail.example", "a", ip_address("192.0.2.7")),)
    )
    assert origin.confidence is Confidence.WITNESSED
    assert "which names the same client" in origin.reason


@pytest.mark.parametrize(
    "signature",
    [Signature("arc", "webmail.example", "a", ip_address(VICTIM)), replace(DKIM, domain="silent.example")],
)
def test_another_record_or_another_signer_raises_nothing(signature: Signature) -> None:
    origin = trace([AT_WEBMAIL, CLIENT], SIDE, (signature,))
    assert (str(origin.ip), origin.confidence) == ("192.0.2.7", Confidence.RELAYED)


def test_a_signature_makes_nobody_believed() -> None:
    """A signed message can be sent again by anybody, with any Received fields below."""
    bot = ("Received", postfix("pc.example", "203.0.113.77", "mx.reporter.example"))
    forged = ("Received", postfix("victim.example", VICTIM, "smtp.webmail.example", minute=1))
    sealed = Signature("arc", "webmail.example", "a", ip_address(VICTIM))
    origin = trace([bot, forged], SIDE, (DKIM, sealed))
    assert (str(origin.ip), origin.confidence) == ("203.0.113.77", Confidence.WITNESSED)
    assert "signature" not in origin.reason


# --- learned hosts ---------------------------------------------------------------------------------------------------

FILTER = ("Received", postfix("gw.filter.example", "203.0.113.9", "mail.reporter.example", minute=5))
BEHIND = ("Received", postfix("pc.example", "192.0.2.7", "gw.filter.example", minute=4))
LEARNED = replace(
    SIDE, learned=frozenset({ip_address("203.0.113.9"), ip_address("192.0.2.9"), ip_address("198.51.100.25")})
)


def test_a_learned_host_is_passed_over_and_what_it_names_is_a_claim() -> None:
    assert str(trace([FILTER, BEHIND], SIDE).ip) == "203.0.113.9"
    origin = trace([FILTER, BEHIND], LEARNED)
    assert (str(origin.ip), origin.confidence) == ("192.0.2.7", Confidence.CLAIMED)
    assert [judged.verdict for judged in origin.hops] == [Verdict.RECIPIENT_SIDE, Verdict.CLAIMED]


def test_behind_a_learned_host_another_name_is_nobody() -> None:
    origin = trace([FILTER, ("Received", postfix("pc.example", VICTIM, "mx.else.example", minute=4))], LEARNED)
    assert (origin.ip, origin.confidence) == (None, Confidence.UNKNOWN)
    assert trace([FILTER], LEARNED).ip is None


@pytest.mark.parametrize(("ip", "believed"), [("192.0.2.9", "192.0.2.9"), ("198.51.100.25", "192.0.2.7")])
def test_neither_a_customer_nor_our_relay_can_be_learned_away(ip: str, believed: str) -> None:
    client = ("Received", postfix("gw.filter.example", ip, "mail.reporter.example", minute=5))
    origin = trace([client, BEHIND], LEARNED)
    assert str(origin.ip) == believed
    assert not any("earlier reports" in judged.reason for judged in origin.hops)
