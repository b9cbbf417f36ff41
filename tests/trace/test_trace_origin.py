# ruff: noqa: E501  (Received lines are shown as they are written)
"""The rule of DESIGN.md, "Trace: who do we believe?", one situation at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_pipeline.model import Confidence, Origin
from abuse_pipeline.trace import RecipientSide, TraceRules, find_origin, load_relays

RELAYS = """
[[relay]]
name = "Big Mail"
names = ["out-*.bigmail.example"]
networks = ["198.51.100.128/26"]
inside = ["2001:db8:beef::/48"]
stamps = ["bigmail.example"]
vouches = ["received"]

[[relay]]
name = "Sender Service"
names = ["*.out.sendersvc.example"]
stamps = ["sendersvc.example"]
"""
OURS = (ip_network("192.0.2.0/24"), ip_network("198.51.100.0/25"))
RULES = TraceRules(
    own_relays=(ip_network("198.51.100.25/32"), ip_network("10.7.7.7/32")),
    relays=load_relays(RELAYS, "relays.toml"),
    max_skew=timedelta(hours=2),
    managed=lambda ip: any(ip in network for network in OURS),
)
REPORTER = RecipientSide(frozenset({"reporter.example"}))

CUSTOMER = "from pc ({name} [192.0.2.7]) by {by} (Postfix) with ESMTP id 1; {time}"
FORGED = "from victim.example (victim.example [192.0.2.200]) by {by} (Postfix) with ESMTP id 1; {time}"
OWN_RELAY = "from smtp.hosting.example (smtp.hosting.example [198.51.100.25]) by mx.reporter.example (Postfix) with ESMTP id 1; {time}"
BIG_MAIL = "from out-3.bigmail.example (out-3.bigmail.example [198.51.100.130]) by mx.reporter.example (Postfix) with ESMTP id 1; {time}"


def at(minute: int) -> str:
    return f"Fri, 20 Nov 2026 14:{minute:02}:12 +0900"


def customer(by: str = "mx.reporter.example", name: str = "unknown", minute: int = 3) -> str:
    return CUSTOMER.format(by=by, name=name, time=at(minute))


def forged(by: str, minute: int = 1) -> str:
    return FORGED.format(by=by, time=at(minute))


@dataclass(frozen=True)
class Case:
    """What is expected of a chain. verdicts: the first letters of the hops' verdicts where they matter."""

    received: list[str]
    ip: str | None
    confidence: str = "witnessed"
    witness: str | None = "mx.reporter.example"
    reason: str = ""
    verdicts: list[str] = field(default_factory=list)
    side: RecipientSide = REPORTER


CASES = {
    "handover at once": Case([customer()], "192.0.2.7", verdicts=["handover"]),
    "forged tail names the recipient's own host": Case(
        [customer(), forged("mx.reporter.example")], "192.0.2.7", verdicts=["handover", "claimed"]
    ),
    "forged tail names our relay": Case([customer(), forged("smtp.hosting.example")], "192.0.2.7"),
    "forged tail names a provider": Case([customer(), forged("smtp.bigmail.example")], "192.0.2.7"),
    "forged tail is garbage": Case([customer(), "x"], "192.0.2.7", verdicts=["handover", "unreadable"]),
    "forged tail runs backwards": Case(
        [customer(), forged("mx.reporter.example").replace("14:01", "23:01")],
        "192.0.2.7",
        verdicts=["handover", "broken"],
    ),
    "a scanner within the recipient's host names nobody": Case(
        [
            "from x@spam.example by mx.reporter.example by uid 89 with qmail-scanner-1.20 (clamscan: 0.7. Clear:RC:0:. Processed in 0.1 secs); 20 Nov 2026 05:03:12 -0000",
            customer(),
        ],
        "192.0.2.7",
        verdicts=["recipient_side", "handover"],
    ),
    "time runs backwards past a hop without a date": Case(
        [
            f"from mx.reporter.example ([10.1.2.3]) by store.reporter.example (Dovecot) with LMTP id 1; {at(5)}",
            "from mx.reporter.example ([127.0.0.1]) by mx.reporter.example (amavisd-new, port 10024) with ESMTP id 1",
            customer().replace("14:03", "23:03"),
        ],
        None,
        witness=None,
        verdicts=["recipient_side", "recipient_side", "broken"],
    ),
    "HELO is the recipient's own name": Case(
        [customer().replace("from pc", "from mx.reporter.example"), forged("mx.reporter.example")], "192.0.2.7"
    ),
    "mail store and private relay are passed over": Case(
        [
            f"from mx.reporter.example ([10.1.2.3]) by store.reporter.example (Dovecot) with LMTP id 1; {at(5)}",
            f"from localhost (localhost [127.0.0.1]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(4)}",
            f"from mx.reporter.example ([127.0.0.1]) by localhost (amavisd-new, port 10024) with ESMTP id 1; {at(4)}",
            customer(),
        ],
        "192.0.2.7",
        verdicts=["recipient_side"] * 3 + ["handover"],
    ),
    "second mail exchanger with a confirmed name": Case(
        [
            f"from mx2.reporter.example (mx2.reporter.example [203.0.113.28]) by mail.reporter.example (Postfix) with ESMTP id 1; {at(4)}",
            customer("mx2.reporter.example"),
        ],
        "192.0.2.7",
        witness="mx2.reporter.example",
        verdicts=["recipient_side", "handover"],
    ),
    "a name of the recipient that leads elsewhere is no proof": Case(
        [
            f"from mx2.reporter.example (mx2.reporter.example [203.0.113.28] (may be forged)) by mx.reporter.example (8.14/8.14) with ESMTP id 1; {at(4)}",
            forged("mx2.reporter.example"),
        ],
        "203.0.113.28",
    ),
    "a name of the recipient that nobody confirmed": Case(
        [
            f"from mx2.reporter.example (HELO x) (203.0.113.28) by mx.reporter.example with SMTP; {at(4)}",
            forged("mx2.reporter.example"),
        ],
        None,
        reason="nobody confirmed",
    ),
    "an access line of the recipient's provider is not its mail server": Case(
        [
            f"from x (p1234.tokyo.reporter.example [203.0.113.28]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(4)}",
            forged("p1234.tokyo.reporter.example"),
        ],
        "203.0.113.28",
    ),
    "a line whose name holds its address": Case(
        [
            f"from x (a113-28.reporter.example [203.0.113.28]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(4)}",
            forged("a113-28.reporter.example"),
        ],
        "203.0.113.28",
    ),
    "a customer of ours under the recipient's domain, nothing relayed": Case(
        [customer(name="shop.reporter.example")], "192.0.2.7"
    ),
    "our customer may be the reporter's own server": Case(
        [customer(name="mx9.reporter.example", minute=4), forged("mx9.reporter.example")],
        None,
        reason="may be the reporter's own server",
    ),
    "below a private neighbour a stranger's name does not fit": Case(
        [
            f"from gate ([10.1.2.3]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(4)}",
            forged("mx.attacker.example"),
        ],
        None,
        reason="does not fit",
        verdicts=["recipient_side", "broken"],
    ),
    "a private neighbour whose name the recipient's DNS confirmed": Case(
        [
            f"from gate.filter.example (gate.filter.example [10.1.2.3]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(4)}",
            customer("gate.filter.example"),
        ],
        "192.0.2.7",
        witness="gate.filter.example",
    ),
    "a private client that only greets as the recipient's may be anybody behind a load balancer": Case(
        [
            f"from mx.reporter.example (10.1.2.3) by store.reporter.example (10.1.2.4) with Microsoft SMTP Server id 15.1; {at(4)}",
            customer("mx.reporter.example"),
        ],
        None,
        witness=None,
        reason="nothing shows that 10.1.2.3 above it is that host and no NAT or proxy",
    ),
    "a host that speaks with itself": Case(
        [
            f"from ex1.reporter.example (10.1.2.4) by ex1.reporter.example (10.1.2.4) with Microsoft SMTP Server id 15.1; {at(5)}",
            f"from ex1.reporter.example (10.1.2.3) by ex1.reporter.example (10.1.2.4) with Microsoft SMTP Server id 15.1 via Mailbox Transport; {at(4)}",
            customer("ex1.reporter.example"),
        ],
        "192.0.2.7",
        witness="ex1.reporter.example",
    ),
    "an internal neighbour with an internal name": Case(
        [
            f"from gate (gate [10.1.2.3]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(4)}",
            customer("gate"),
        ],
        "192.0.2.7",
        witness="gate",
    ),
    "a filter between two visits to one host": Case(
        [
            f"from filter (filter [192.168.1.1]) by server (Postfix) with ESMTP id 1; {at(5)}",
            f"from server ([192.168.1.2]) by filter (filter [192.168.1.1]) (amavisd-new, port 10024) with ESMTP; {at(4)}",
            customer("server"),
        ],
        "192.0.2.7",
        witness="server",
    ),
    "a provider that receives for the reporter": Case(
        [customer("in-7.othermail.example"), forged("mx.reporter.example")],
        "192.0.2.7",
        witness="in-7.othermail.example",
    ),
    "inside the provider that receives for the reporter": Case(
        [
            f"from a.bigmail.example (2001:db8:beef::1) by b.bigmail.example (2001:db8:beef::2) with Microsoft SMTP Server id 15; {at(5)}",
            f"from pc (192.0.2.7) by a.bigmail.example (10.1.1.1) with Microsoft SMTP Server id 15; {at(4)}",
        ],
        "192.0.2.7",
        witness="a.bigmail.example",
    ),
    "fetched from the reporter's mailbox elsewhere": Case(
        [
            f"from pop.isp.example [203.0.113.9] by localhost with POP3 (fetchmail-6.4); {at(5)}",
            customer("in.isp.example"),
            forged("in.isp.example"),
        ],
        "192.0.2.7",
        witness="in.isp.example",
    ),
    "our relay shows the customer": Case(
        [OWN_RELAY.format(time=at(3)), customer("smtp.hosting.example", minute=2)],
        "192.0.2.7",
        "relayed",
        "smtp.hosting.example",
        verdicts=["handover", "believed"],
    ),
    "our relay with a content filter": Case(
        [
            OWN_RELAY.format(time=at(3)),
            f"from localhost (localhost [127.0.0.1]) by smtp.hosting.example (Postfix) with ESMTP id 1; {at(3)}",
            f"from smtp.hosting.example ([127.0.0.1]) by localhost (amavisd-new) with ESMTP id 1; {at(3)}",
            customer("smtp.hosting.example", minute=2),
            forged("smtp.hosting.example"),
        ],
        "192.0.2.7",
        "relayed",
        "smtp.hosting.example",
        verdicts=["handover", "believed", "believed", "believed", "claimed"],
    ),
    "our relay alone": Case([OWN_RELAY.format(time=at(3))], None, reason="our relay"),
    "our relay, and a line that does not fit": Case(
        [OWN_RELAY.format(time=at(3)), forged("mx.attacker.example")], None, verdicts=["handover", "broken"]
    ),
    "our relay, and a line that cannot be read": Case(
        [OWN_RELAY.format(time=at(3)), "garbage"], None, verdicts=["handover", "unreadable"]
    ),
    "our relay, and time runs backwards": Case(
        [OWN_RELAY.format(time=at(3)), customer("smtp.hosting.example").replace("14:03", "18:03")],
        None,
        reason="backwards",
    ),
    "our relay recorded a private client": Case(
        [
            OWN_RELAY.format(time=at(3)),
            f"from pc (unknown [10.0.0.5]) by smtp.hosting.example (Postfix) with ESMTP id 1; {at(2)}",
            forged("smtp.hosting.example"),
        ],
        None,
        reason="public address must stand",
        verdicts=["handover", "broken"],
    ),
    "our relay, web mail without an address": Case(
        [
            OWN_RELAY.format(time=at(3)),
            f"by smtp.hosting.example with HTTP id 1; {at(2)}",
            forged("smtp.hosting.example"),
        ],
        None,
    ),
    "a name of our relay without its address": Case(
        [
            f"from smtp.hosting.example (smtp.hosting.example [203.0.113.66]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(3)}",
            forged("smtp.hosting.example"),
        ],
        "203.0.113.66",
    ),
    "a provider's relay shows its client": Case(
        [
            BIG_MAIL.format(time=at(3)),
            f"by 10.2.3.4 with SMTP id 1; {at(3)}",
            customer("smtp.bigmail.example", minute=2),
        ],
        "192.0.2.7",
        "relayed",
        "smtp.bigmail.example",
        verdicts=["handover", "believed", "believed"],
    ),
    "a provider's relay, and a line that is not the provider's": Case(
        [BIG_MAIL.format(time=at(3)), forged("mx.attacker.example")], "198.51.100.130", verdicts=["handover", "broken"]
    ),
    "a provider's relay, web mail without an address": Case(
        [
            BIG_MAIL.format(time=at(3)),
            f"from 77463558223 named unknown by api.bigmail.example with HTTPREST; {at(2)}",
            forged("smtp.bigmail.example"),
        ],
        "198.51.100.130",
    ),
    "a provider's name without its address": Case(
        [
            f"from out-3.bigmail.example (unknown [203.0.113.66]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(3)}",
            forged("smtp.bigmail.example"),
        ],
        "203.0.113.66",
    ),
    "a provider known by its confirmed name": Case(
        [
            f"from x (out-9.bigmail.example [203.0.113.80]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(3)}",
            customer("smtp.bigmail.example", minute=2),
        ],
        "192.0.2.7",
        "relayed",
        "smtp.bigmail.example",
    ),
    "a provider that vouches for nothing": Case(
        [
            f"from x (a1.out.sendersvc.example [203.0.113.80]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(3)}",
            forged("smtp.sendersvc.example"),
        ],
        "203.0.113.80",
        reason="Sender Service",
    ),
    "a provider's relay in front of ours": Case(
        [
            BIG_MAIL.format(time=at(3)),
            OWN_RELAY.format(time=at(3)).replace("mx.reporter.example", "in.bigmail.example"),
            customer("smtp.hosting.example", minute=2),
        ],
        "192.0.2.7",
        "relayed",
        "smtp.hosting.example",
    ),
    "our relay stamps the top, a customer behind it": Case(
        [customer("smtp.hosting.example", name="v7.hosting.example")], "192.0.2.7", witness="smtp.hosting.example"
    ),
    "our inner relay by its private address": Case(
        [
            f"from inner.hosting.example ([10.7.7.7]) by mbox.hosting.example (Postfix) with ESMTP id 1; {at(4)}",
            customer("inner.hosting.example"),
        ],
        "192.0.2.7",
        witness="inner.hosting.example",
    ),
    "never leaves the recipient's side": Case(
        [f"from pc ([10.1.2.3]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(4)}"],
        None,
        reason="never leaves",
        verdicts=["recipient_side"],
    ),
    "a logged-in user inside the recipient's network": Case(
        [
            f"from pc ([10.1.2.3]) by mx.reporter.example (Postfix) with ESMTPSA id 1; {at(4)}",
            forged("mx.reporter.example"),
        ],
        None,
        reason="logged-in",
    ),
    "an address that nobody can have": Case(
        [f"from pc ([240.0.0.1]) by mx.reporter.example (Postfix) with ESMTP id 1; {at(4)}"],
        None,
        verdicts=["broken"],
    ),
    "an address that may be the HELO": Case(
        [f"from [192.0.2.7] by mx.reporter.example with surfront esmtp id 9; {at(4)}"], None, verdicts=["unreadable"]
    ),
    "a client whose address is not recorded": Case(
        [f"from mx.reporter.example by mx.reporter.example with SMTP; {at(4)}", forged("mx.reporter.example")],
        None,
        reason="not recorded",
    ),
    "the newest line cannot be read": Case(["garbage", customer()], None, verdicts=["unreadable", "claimed"]),
    "time runs backwards above the handover": Case(
        [
            f"from mx.reporter.example ([10.1.2.3]) by store.reporter.example with LMTP id 1; {at(1)}",
            customer().replace("14:03", "18:03"),
        ],
        None,
        reason="backwards",
    ),
    "clocks that differ within the allowance": Case(
        [
            f"from mx.reporter.example ([10.1.2.3]) by store.reporter.example with LMTP id 1; {at(1)}",
            customer().replace("14:03", "15:03"),
        ],
        "192.0.2.7",
    ),
    "our relay, and a line of some host inside": Case([OWN_RELAY.format(time=at(3)), forged("localhost")], None),
    "our relay, and an address that may be the HELO": Case(
        [
            OWN_RELAY.format(time=at(3)),
            f"from [192.0.2.200] by smtp.hosting.example with surfront esmtp id 9; {at(2)}",
        ],
        None,
        verdicts=["handover", "unreadable"],
    ),
    "a provider's relay, and a line of some private host": Case(
        [BIG_MAIL.format(time=at(3)), forged("10.2.3.4")], "198.51.100.130"
    ),
    "a provider's relay, handed in by a user": Case(
        [
            BIG_MAIL.format(time=at(3)),
            f"from a.bigmail.example ([fe80::1]) by a.bigmail.example ([fe80::1%6]) with mapi id 15.20; {at(2)}",
            forged("smtp.bigmail.example"),
        ],
        "198.51.100.130",
    ),
    "handed in by another user of the recipient's provider": Case(
        [
            f"from a.bigmail.example ([fe80::1]) by a.bigmail.example ([fe80::1%6]) with mapi id 15.20; {at(2)}",
            forged("smtp.bigmail.example"),
        ],
        None,
        reason="logged-in",
    ),
    "the recipient's own Exchange": Case(
        [
            f"from ex.reporter.example ([fe80::1]) by ex.reporter.example ([fe80::1%6]) with mapi id 15.1; {at(5)}",
            f"from pc (192.0.2.7) by ex.reporter.example (10.1.1.1) with Microsoft SMTP Server id 15.1; {at(4)}",
        ],
        "192.0.2.7",
        witness="ex.reporter.example",
    ),
    "a logged-in user whose address is hidden": Case(
        [f"by mx.reporter.example (Postfix) with ESMTPSA id 1; {at(4)}", forged("mx.reporter.example")],
        None,
        reason="logged-in",
    ),
    "a script on the recipient's own host": Case(
        [f"by mx.reporter.example (Postfix, from userid 1001) id 1; {at(4)}", forged("mx.reporter.example")],
        None,
        reason="by a user of the host itself",
    ),
    "a local user of the recipient's Exim": Case(
        [f"from www by mx.reporter.example with local (Exim 4.96) id 1; {at(4)}", forged("mx.reporter.example")],
        None,
        reason="by a user of the host itself",
    ),
    "a script on our relay": Case(
        [
            OWN_RELAY.format(time=at(3)),
            f"by smtp.hosting.example (Postfix, from userid 1001) id 1; {at(2)}",
            forged("smtp.hosting.example"),
        ],
        None,
    ),
    "our relay runs qmail": Case(
        [
            OWN_RELAY.format(time=at(3)),
            f"(qmail 28162 invoked from network); {at(3)}",
            f"from unknown (HELO pc) (192.0.2.7) by smtp.hosting.example with SMTP; {at(2)}",
        ],
        "192.0.2.7",
        "relayed",
        "smtp.hosting.example",
    ),
    "forwarded within the recipient's host": Case(
        [f"by mx.reporter.example (Postfix) id 1; {at(4)}", customer()], "192.0.2.7"
    ),
    "no chain": Case([], None, reason="no Received field"),
}


def trace(case: Case) -> Origin:
    return find_origin(case.received, case.side, RULES)


@pytest.mark.parametrize(
    ("client", "by"),
    [
        ("mail.spam.example (unknown [172.17.0.1])", "mail.spam.example"),
        ("mail.spam.example (unknown [172.17.0.1])", "mailhost"),
        ("mail.spam.example (unknown [172.17.0.1])", "mx.reporter.example"),
        ("mail.spam.example (unknown [10.42.3.7])", "mail.spam.example"),
        ("mail.spam.example (traefik.mail_default [172.18.0.4])", "mx.reporter.example"),
        ("mail.spam.example (_gateway [172.18.0.1])", "mailhost"),
        ("_gateway (_gateway [172.18.0.1])", "mailhost"),
        ("mailhost (unknown [172.17.0.1])", "mailhost"),
        ("mailhost (unknown [10.42.3.7])", "mailhost"),
        ("mx.reporter.example (unknown [172.17.0.1])", "mx.reporter.example"),
        ("mx.reporter.example (unknown [192.168.1.254])", "mx.reporter.example"),
        ("mx.reporter.example (unknown [IPv6:fd00::1])", "mx.reporter.example"),
        ("mx (unknown [10.42.3.7])", "mx"),
        ("mail.spam.example (localhost [127.0.0.1])", "mx.reporter.example"),
    ],
)
def test_behind_a_nat_the_senders_lines_are_not_the_recipients(client: str, by: str) -> None:
    """The recipient's host sees the same private address in front of every client, and the client chooses its HELO."""
    origin = trace(
        Case([f"from {client} by mx.reporter.example (Postfix) with ESMTP id 1; {at(4)}", customer(by)], None)
    )
    assert (origin.ip, origin.confidence) == (None, Confidence.UNKNOWN)
    assert "does not fit" in origin.reason


@pytest.mark.parametrize("name", CASES)
def test_the_rule(name: str) -> None:
    case = CASES[name]
    origin = trace(case)
    assert origin.ip == (ip_address(case.ip) if case.ip else None), origin.reason
    if case.ip is None:
        assert origin.confidence is Confidence.UNKNOWN
        assert origin.witness is None
    else:
        assert (origin.confidence, origin.witness) == (case.confidence, case.witness)
        assert origin.moment is not None
    assert case.reason in origin.reason
    assert [str(judged.verdict) for judged in origin.hops][: len(case.verdicts)] == case.verdicts
    assert len(origin.hops) == len(case.received)
    assert all(judged.reason for judged in origin.hops)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.ip != "192.0.2.200"])
def test_the_victim_is_never_named(name: str) -> None:
    assert str(trace(CASES[name]).ip) != "192.0.2.200"


def test_the_moment_is_what_the_believed_hop_stamped() -> None:
    origin = trace(CASES["our relay shows the customer"])
    assert origin.moment is not None
    assert origin.moment.at == datetime(2026, 11, 20, 5, 2, 12, tzinfo=UTC)


def test_an_unreadable_time_leaves_the_moment_open_and_says_why() -> None:
    origin = find_origin([customer().replace(" +0900", "")], REPORTER, RULES)
    assert str(origin.ip) == "192.0.2.7"
    assert origin.moment is None
    assert "no zone" in origin.reason


def test_the_source_port_is_kept() -> None:
    line = (
        f"from a.example ([192.0.2.7]:40225 helo=b.example) by mx.reporter.example with esmtp (Exim 4.96) id 1; {at(3)}"
    )
    assert find_origin([line], REPORTER, RULES).port == 40225


def test_a_thousand_hops_are_traced() -> None:
    chain = [customer()] + [forged("mx.reporter.example")] * 1000
    assert str(find_origin(chain, REPORTER, RULES).ip) == "192.0.2.7"


_PIECES = [line for case in CASES.values() for line in case.received]


@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=60)), max_size=6))
@settings(max_examples=200, deadline=None)
def test_any_chain_ends_in_an_answer(received: list[str]) -> None:
    origin = find_origin(received, REPORTER, RULES)
    assert origin.reason
    assert len(origin.hops) == len(received)
