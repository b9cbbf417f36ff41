# ruff: noqa: E501  (Received lines are shown as they are written)
"""Ways to have an innocent address believed: the last line of each chain is the attacker's, and names the customer.

Whatever stands above was recorded by real hosts, with what the attacker could choose: his greeting (HELO), his login, the
name of a line or host that he rents, the envelope. Honest chains that look alike stand beside the attacks.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from chain_parts import RELAYS, rules

from abuse_pipeline.model import Confidence, Origin
from abuse_pipeline.trace import RecipientSide, beside, find_origin, load_relays

CUSTOMER = "192.0.2.7"
EVIL = "203.0.113.66"
MX = "mx.reporter.example"
WELL_KNOWN = (Path(__file__).parents[2] / "config" / "relays.toml").read_text(encoding="utf-8")
RULES = replace(rules(), relays=load_relays(WELL_KNOWN + RELAYS, "relays.toml"))
BELIEVED = (Confidence.WITNESSED, Confidence.RELAYED)


def at(second: int) -> str:
    return f"Fri, 20 Nov 2026 14:03:{second:02} +0900"


def postfix(
    client: str, by: str = MX, second: int = 12, rest: str = "with ESMTP id b for <hana@reporter.example>"
) -> str:
    return f"from {client} by {by} (Postfix) {rest}; {at(second)} (JST)"


def naming_the_customer(by: str = MX) -> str:
    """What the attacker writes at the bottom."""
    client = f"mail.aozora-shop.example (mail.aozora-shop.example [{CUSTOMER}])"
    return postfix(client, by, 5, "with ESMTPS id F00D1")


def trace(lines: list[str], domain: str = "reporter.example") -> Origin:
    return find_origin(lines, RecipientSide(frozenset({domain})), RULES, beside([("Received", line) for line in lines]))


def assert_not_accused(origin: Origin) -> None:
    assert not (str(origin.ip) == CUSTOMER and origin.confidence in BELIEVED), origin.reason


# --- a NAT, container bridge, proxy or load balancer in front of the recipient's host --------------------------------

BEHIND_NAT = (
    *("10.0.0.2", "10.0.2.2", "10.0.2.100", "172.17.0.1", "10.244.1.0", "10.0.1.17", "192.168.65.3", "127.0.0.6"),
    *("169.254.1.7", "100.64.0.9", "IPv6:fd00:ec2::17", "IPv6:fd00::1", "IPv6:fe80::1", "IPv6:fe80::2"),
)
GREETINGS = (
    *(MX, "reporter.example", "store.reporter.example", "localhost", "x", "ip-10-0-0-2", "[10.0.0.2]"),
    *("evil.example", "x by store.reporter.example (amavisd-new)", "x by store.reporter.example (10.0.0.2)"),
    *("pc with LMTP", "x via Mailbox Transport;"),
)
UNNAMED = (
    "unknown",
    "k8s-node-7.cluster.local",
    "lb1.reporter.example",
)


@pytest.mark.parametrize("ip", BEHIND_NAT)
def test_behind_a_nat_nobody_can_be_told_from_the_recipients_own_host(ip: str) -> None:
    for greeting in GREETINGS:
        for name in UNNAMED:
            origin = trace([postfix(f"{greeting} ({name} [{ip}])"), naming_the_customer()])
            assert origin.ip is None, f"{greeting} ({name} [{ip}]): {origin.reason}"


@pytest.mark.parametrize(
    "client",
    [
        f"from unknown (HELO {MX}) (10.0.2.2) by {MX} with SMTP",
        f"from {MX} (HELO {MX}) (10.0.2.2) by {MX} with SMTP",
        f"from {MX} (10.0.2.2) by {MX} (10.0.0.1) with Microsoft SMTP Server id 15.1",
        f"from [10.0.2.2] (helo={MX}) by {MX} with esmtp (Exim 4.96) id b",
        f"from {MX} ([10.0.2.2]) by {MX} (8.15.2/8.15.2) with ESMTP id b",
        f"from store.reporter.example (HELO {MX}) ([10.0.2.2]) by {MX} with ESMTP",
        f"from {MX} ({MX} [::ffff:10.0.2.2]) by {MX} with ESMTPS",
        f"from {MX} ({MX} [10.0.2.2] (may be forged)) by {MX} (8.15.2/8.15.2) with ESMTP id b",
        f"from {MX} ({MX} [10.0.2.2]) by {MX} (Haraka/3.0.3) with ESMTP id b",
    ],
)
def test_behind_a_nat_in_other_dialects(client: str) -> None:
    assert trace([f"{client}; {at(12)}", naming_the_customer()]).ip is None


@pytest.mark.parametrize(
    "name",
    [
        *(
            "gw",
            "gw1",
            "gw-tokyo",
            "gateway",
            "router1",
            "nat-gw",
            "lb1",
            "slb",
            "elb",
            "nlb",
            "alb",
            "proxy",
            "haproxy",
        ),
        *(
            "fw",
            "firewall",
            "vip",
            "ingress",
            "traefik",
            "edge",
            "kube-node-3",
            "node7",
            "docker-host",
            "host",
            "bigip",
        ),
        *("vpn2", "ip-10-0-0-5", "10-0-0-5"),
    ],
)
def test_a_name_of_a_gateway_is_nobodys_even_for_who_greets_with_it(name: str) -> None:
    for greeting in ("evil.example", f"{name}.reporter.example", name, MX):
        line = postfix(f"{greeting} ({name}.reporter.example [10.0.0.5])")
        assert trace([line, naming_the_customer()]).ip is None, greeting


@pytest.mark.parametrize("greeting", ["evil.example", MX, "localhost", "reporter.example", "x"])
def test_a_neighbour_must_greet_with_the_name_that_it_has(greeting: str) -> None:
    line = postfix(f"{greeting} (front.reporter.example [10.0.0.5])")
    assert trace([line, naming_the_customer()]).ip is None


@pytest.mark.parametrize(
    "greeting", ["x", "evil.example", "[192.0.2.7]", "WIN-ABC", "192.0.2.7", "unknown", "x.localhost.evil.example"]
)
def test_on_loopback_a_strangers_greeting_shows_a_tunnel(greeting: str) -> None:
    for client in ("localhost [127.0.0.1]", "unknown [127.0.0.1]", "localhost [IPv6:::1]"):
        for signed in (MX, "localhost"):
            assert trace([postfix(f"{greeting} ({client})"), naming_the_customer(signed)]).ip is None


# --- a line or host of the recipient's own provider, or an account there ---------------------------------------------

SUBSCRIBERS = (
    *("pdcd2a4.tkyoac00.ap", "zaqd37c5bff", "www234", "sv123", "h66", "evil.users", "mail.customer", "cb007142"),
    *("0xcb007142", "host-203-0-113-66", "203x0x113x66", "kd.203.0.113.066"),
)


@pytest.mark.parametrize("name", SUBSCRIBERS)
def test_a_customer_of_the_recipients_provider_is_not_the_recipient(name: str) -> None:
    client = f"evil.example ({name}.isp.example [{EVIL}])"
    for by in ("mail.isp.example", f"{name}.isp.example", "mx1.isp.example"):
        origin = trace([postfix(client, "mx1.isp.example"), naming_the_customer(by)], "isp.example")
        assert str(origin.ip) in (EVIL, "None"), origin.reason


@pytest.mark.parametrize("name", [*SUBSCRIBERS, "mail", "mx2", "smtp"])
@pytest.mark.parametrize(
    "login",
    [
        "from pc ({name} [{ip}]) (Authenticated sender: taro@isp.example) by smtp.isp.example (Postfix) with ESMTPSA id q",
        "from pc ({name} [{ip}]) by smtp.isp.example (Postfix) with ESMTPSA id q",
        "from {name} ([{ip}] helo=pc) by smtp.isp.example with esmtpsa (Exim 4.96) id q",
        "from pc ({name} [{ip}]) (authenticated bits=0) by smtp.isp.example (8.15.2/8.15.2) with ESMTPSA id q",
    ],
)
def test_who_logged_in_is_a_user_and_no_host_of_the_recipient(name: str, login: str) -> None:
    for ip in (EVIL, "10.1.2.3"):
        line = login.format(name=f"{name}.isp.example", ip=ip)
        origin = trace([f"{line}; {at(12)}", naming_the_customer("mail.isp.example")], "isp.example")
        assert str(origin.ip) in (EVIL, "None"), origin.reason


def test_a_host_of_the_same_hosting_provider() -> None:
    line = f"from www234.host.example (www234.host.example [{EVIL}]) by www801.host.example (8.15.2/8.15.2) with ESMTPS id x for <hana@reporter.example>; {at(12)}"
    assert_not_accused(trace([line, naming_the_customer("www234.host.example")]))


@pytest.mark.parametrize(
    "headers",
    [
        [("Delivered-To", "x@evil.example"), ("Received", "MINE"), ("Received", "TAIL")],
        [("Received", "MINE"), ("Delivered-To", "x@evil.example"), ("Received", "TAIL")],
        [("Authentication-Results", "evil.example; x"), ("Received", "MINE"), ("Received", "TAIL")],
        [("X-Delivered-To", "x@evil.example"), ("Received", "MINE"), ("Received", "TAIL")],
    ],
)
def test_an_alias_of_the_attacker_on_the_recipients_host(headers: list[tuple[str, str]]) -> None:
    mine = postfix(
        f"evil ({EVIL.replace('.', '-')}.evil.example [{EVIL}])", rest="with ESMTP id b for <hana@reporter.example>"
    )
    lines = {"MINE": mine, "TAIL": naming_the_customer("h.evil.example")}
    fields = [(name, lines.get(value, value)) for name, value in headers]
    received = [value for name, value in fields if name == "Received"]
    origin = find_origin(received, RecipientSide(frozenset({"reporter.example"})), RULES, beside(fields))
    assert str(origin.ip) == EVIL


# --- another tenant, or a fetched mailbox, of a well-known provider --------------------------------------------------


@pytest.mark.parametrize("ip", ["2603:1096:400:1::12", "[2603:1096:400:1::12]", "[fe80::1]", "[::1]", "[10.1.1.1]"])
@pytest.mark.parametrize("protocol", ["mapi id 15.20.1", "MAPI id 15.20"])
def test_another_tenant_of_the_provider_hands_in_what_he_likes(ip: str, protocol: str) -> None:
    store = "TYC.jpnprd01.prod.outlook.com"
    above = f"from {store} (2603:1096:400:1::12) by OS9.jpnprd01.prod.outlook.com with HTTPS; {at(14)}"
    tenant = f"from OS1.jpnprd01.prod.outlook.com ({ip}) by {store} ({ip}) with {protocol}; {at(12)}"
    relay = postfix("jpn01.outbound.protection.outlook.com (mail-x.outbound.protection.outlook.com [40.107.113.66])")
    forged = f"from v ({CUSTOMER}) by {store} (2603:1096:400:1::12) with Microsoft SMTP Server id 15.20.1; {at(5)}"
    assert trace([tenant, forged], "outlook.com").ip is None
    assert trace([above, tenant, forged], "outlook.com").ip is None
    assert str(trace([relay, tenant, forged]).ip) in ("40.107.113.66", "None")


@pytest.mark.parametrize(
    "fetched",
    [
        "by 2002:a05:6820:1:b0:1:2:3 with POP3 id a1",
        "by 10.1.2.3 with POP3 id a1",
        "by mail-oo1-f41.google.com with POP3 id a1",
        "from pop.evil.example by mail-oo1.google.com with POP3 id a1",
        "from pop.evil.example by mx.google.com with IMAP id a1",
        "from pop.evil.example ([10.0.0.5]) by mail-oo1.google.com with POP3 id a1",
        "by mail-oo1-f41.google.com with HTTP",
        "by mail-oo1-f41.google.com with gmailapi",
        "from 1 named unknown by gmailapi.google.com with HTTPREST",
        "by mx.google.com (from userid 1)",
        "from evil ([10.0.0.5]) by smtp.gmail.com with ESMTPSA id x",
    ],
)
def test_what_a_user_of_a_provider_made_or_fetched_is_his_own_story(fetched: str) -> None:
    relay = postfix("mail-oo1-f41.google.com (mail-oo1-f41.google.com [209.85.161.41])")
    forged = f"from v ([{CUSTOMER}]) by mx.google.com with ESMTPS id d1; {at(5)}"
    origin = trace([relay, f"{fetched}; {at(10)}", forged])
    assert str(origin.ip) in ("209.85.161.41", "None"), origin.reason


# --- honest chains that look alike ------------------------------------------------------------------------------------

HONEST = {
    "a host that the recipient's DNS names and that greets with its name": f"from filter.reporter.example (filter.reporter.example [10.1.2.3]) by {MX} (Postfix) with ESMTP id a",
    "it greets with its short name": f"from filter (filter.reporter.example [10.1.2.3]) by {MX} (Postfix) with ESMTP id a",
    "an internal name": f"from filter (filter.lan [10.1.2.3]) by {MX} (Postfix) with ESMTP id a",
    "a store by LMTP": f"from {MX} ([10.1.2.3]) by store.reporter.example (Dovecot) with LMTP id a",
    "Exchange to its mailbox": f"from {MX} (10.9.0.7) by {MX} (10.9.0.2) with Microsoft SMTP Server id 15.1.2507.39 via Mailbox Transport",
    "the host itself, by its own address": f"from {MX} (10.9.0.2) by {MX} (10.9.0.2) with Microsoft SMTP Server id 15.1.2507.39",
    "a content filter on the host": f"from localhost (localhost [127.0.0.1]) by {MX} (Postfix) with ESMTP id a",
    "the host itself, on loopback, by its name": f"from {MX} ({MX} [127.0.0.1]) by {MX} (Postfix) with ESMTP id a",
    "a second MX": f"from mx2.reporter.example (mx2.reporter.example [203.0.113.5]) by {MX} (Postfix) with ESMTP id a",
    "a second MX at a site": f"from mta1.mail.tky.reporter.example (mta1.mail.tky.reporter.example [203.0.113.5]) by {MX} (Postfix) with ESMTP id a",
}


@pytest.mark.parametrize("line", HONEST.values(), ids=HONEST)
def test_the_recipients_own_hosts_are_still_passed_over(line: str) -> None:
    origin = trace([f"{line}; {at(12)}", postfix(f"pc (pc.example [{EVIL}])", MX, 5)])
    assert str(origin.ip) == EVIL, origin.reason


# --- attacks that the rules above do not stop by their first words -----------------------------------------------------

EXCHANGE = "with Microsoft SMTP Server id 15.1.2507.39"


def _behind(client: str) -> list[str]:
    return [postfix(client), naming_the_customer()]


def _exchange(client: str) -> list[str]:
    """The line below gives the name and address that the one above recorded; bounces tell everybody that address."""
    return [postfix(client), f"from v ({CUSTOMER}) by ex1.reporter.example (10.0.0.5) {EXCHANGE}; {at(5)}"]


def _behind_the_date(remark: str) -> list[str]:
    line = f"from x ([10.0.0.2]) by {MX} (8.15.2/8.15.2) with ESMTP id b; {at(12)} ({remark})"
    return [line, naming_the_customer()]


def _google(below: str) -> list[str]:
    return [postfix("mail-oo1-f41.google.com (mail-oo1-f41.google.com [209.85.161.41])"), f"{below}; {at(8)}"]


SLY = {
    "a greeting that is no name, from a neighbour with a name": _behind("[203.0.113.66] (front.reporter.example [10.0.0.5])"),
    "the same, of a container": _behind("[203.0.113.66] (mailserver_default [172.18.0.1])"),
    "the same, not a host name": _behind("a..b (front.reporter.example [10.0.0.5])"),
    "a greeting with a BY": _behind(f"x by {MX} (front.reporter.example [10.0.0.5])"),
    "a greeting with a BY, on loopback": _behind(f"x by {MX} (localhost [127.0.0.1])"),
    "a name that only begins with localhost": _behind("localhost.evil.example (localhost [127.0.0.1])"),
    "another domain's name with the same first label": _behind("front.evil.example (front.reporter.example [10.0.0.5])"),
    "localhost beside the loopback": _behind("localhost (localhost [10.0.0.5])"),
    "an IPv6 address spelled as a name": _behind("ip-fd00--17 (ip-fd00--17.ec2.internal [IPv6:fd00::17])"),
    "another address spelled as a name": _behind("ip-10-0-0-2 (ip-10-0-0-2.ec2.internal [10.0.1.17])"),
    "a load balancer called f5": _behind("f5.reporter.example (f5.reporter.example [10.0.0.5])"),
    "below, the name and address recorded above": _exchange("ex1.reporter.example (unknown [10.0.0.5])"),
    "the same behind a named load balancer": _exchange("ex1.reporter.example (lb1.reporter.example [10.0.0.5])"),
    "a mailbox transport in the envelope": _behind_the_date('envelope-from "a via Mailbox Transport; b"@evil.example'),
    "a mail server from which a provider fetched": _google(f"from pop.evil.example ([{CUSTOMER}]) by mail-oo1.google.com with POP3 id a1"),
    "a customer's own label in front of `mail`": [
        postfix(f"x (bob-mail.isp.example [{EVIL}])", "mx1.isp.example"),
        naming_the_customer("mail.isp.example"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("lines", SLY.values(), ids=SLY)
def test_sly_chains(lines: list[str]) -> None:
    origin = trace(lines, "isp.example" if "isp.example" in lines[0] else "reporter.example")
    assert_not_accused(origin)
