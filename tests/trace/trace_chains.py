# ruff: noqa: E501  (Received lines are shown as they are written)
"""A generator of Received chains whose true origin is known: honest ones, and ones with a tail that a forger wrote.

The forger controls his HELO, the reverse name of his own address (confirmed only when it leads back to him), and every
field below the handover. Addresses that only a forger ever writes are in `FORGED`; no trace may end in one of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from chain_stamps import CONFIRMING, STAMPS, Peer, postfix

from abuse_pipeline.model import IPAddress
from abuse_pipeline.trace import RecipientSide, TraceRules, load_relays

OURS = (ip_network("192.0.2.0/24"), ip_network("198.51.100.0/25"), ip_network("2001:db8:100::/40"))
OWN_RELAY = ip_address("198.51.100.25")
FORGED = (ip_network("192.0.2.128/25"), ip_network("2001:db8:1ff::/48"), ip_network("203.0.113.128/25"))

RELAYS = """
[[relay]]
name = "Big Mail"
names = ["out-*.bigmail.example"]
networks = ["198.51.100.128/26"]
stamps = ["bigmail.example"]
vouches = ["received"]

[[relay]]
name = "Sender Service"
names = ["*.out.sendersvc.example"]
networks = ["198.51.100.192/27"]

[[relay]]
name = "Web Mail"
names = ["web-*.webmail.example"]
networks = ["198.51.100.224/27"]
stamps = ["webmail.example"]
vouches = ["received", "x-originating-ip"]
"""


def rules() -> TraceRules:
    return TraceRules(
        own_relays=(ip_network("198.51.100.25/32"),),
        relays=load_relays(RELAYS, "relays.toml"),
        max_skew=timedelta(hours=2),
        managed=lambda ip: any(ip in network for network in OURS),
    )


@dataclass(frozen=True)
class Chain:
    """fields: the header block, newest first. truth: whence it came."""

    fields: list[tuple[str, str]]
    side: RecipientSide
    truth: IPAddress | None
    forged: bool
    kind: str

    @property
    def received(self) -> list[str]:
        return [value for name, value in self.fields if name == "Received"]


class Maker:
    """Makes chains from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)

    def chain(self) -> Chain:
        """One chain, top first."""
        self.clock = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
        domain = self.random.choice(["reporter.example", "kaisha.co.jp", "uni.ac.jp"])
        kinds = ["direct", "direct", "own relay", "big mail", "sender service", "web mail", "alias"]
        kind = self.random.choice(kinds)
        forged = kind == "alias" or self.random.random() < 0.6
        side = RecipientSide(frozenset({domain} if self.random.random() < 0.8 else ()))
        if kind == "alias":
            side = RecipientSide()
            above, border = self._shared_host(domain)
        elif self.random.random() < 0.2:
            side = RecipientSide()
            above, border = self._hosted_mailbox(domain)
        else:
            inner, border = self._recipient(domain)
            above = _received(inner)
        handover, below, truth = getattr(self, "_" + kind.replace(" ", "_"))(border, domain, forged)
        tail = _received(self._forged_tail(domain) if forged else self._honest_tail(kind))
        planted = self._planted(kind) if forged else []
        fields = [*above, ("Received", handover), *below, *self._mixed(planted, tail)]
        return Chain(fields, side, truth, forged, kind)

    def _hosted_mailbox(self, domain: str) -> tuple[list[tuple[str, str]], str]:
        """The reporter writes from elsewhere; his mailbox is at a hoster, its border host under his own name."""
        border = f"mx1.{domain}"
        top = postfix(Peer(ip_address("203.0.113.111"), border, border), "www7.host.example", self._when())
        confirming = self.random.choice(
            [
                ("Delivered-To", f"taro@{domain}"),
                ("Authentication-Results", f"{border}; spf=fail"),
                ("ARC-Authentication-Results", f"i=1; {border}; dkim=none"),
            ]
        )
        return [confirming, ("Received", top.replace("a@b.example", f"taro@{domain}"))], border

    def _shared_host(self, domain: str) -> tuple[list[tuple[str, str]], str]:
        """The forger is a customer of the host on which the mailbox lies, and has an alias that leads to it."""
        return [("Delivered-To", f"taro@{domain}"), ("X-Original-To", "x@evil.example")], "www7.host.example"

    def _planted(self, kind: str) -> list[tuple[str, str]]:
        """What a forger puts beside his Received fields. A webmail provider removes what it vouches for."""
        planted = [
            ("Delivered-To", "x@evil.example"),
            ("Authentication-Results", "mail.evil.example; spf=pass"),
            ("X-Source-IP", str(self._forged_address())),
            *([] if kind == "web mail" else [("X-Originating-IP", f"[{self._forged_address()}]")]),
        ]
        return self.random.sample(planted, self.random.randint(0, len(planted)))

    def _mixed(self, some: list[tuple[str, str]], others: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Both lists in one; the Received fields keep their order."""
        mixed = list(others)
        for field in some:
            mixed.insert(self.random.randint(0, len(mixed)), field)
        return mixed

    def _when(self) -> str:
        self.clock -= timedelta(seconds=self.random.randint(0, 90))
        return format_datetime(self.clock.astimezone())

    def _address(self) -> IPAddress:
        return self.random.choice(
            [
                IPv4Address(f"192.0.2.{self.random.randint(1, 127)}"),
                IPv4Address(f"203.0.113.{self.random.randint(1, 100)}"),
                IPv6Address(f"2001:db8:100::{self.random.randint(1, 999):x}"),
                IPv4Address(f"8.20.{self.random.randint(1, 250)}.{self.random.randint(1, 250)}"),
            ]
        )

    def _forged_address(self) -> IPAddress:
        return self.random.choice(
            [
                IPv4Address(f"192.0.2.{self.random.randint(129, 254)}"),
                IPv6Address(f"2001:db8:1ff::{self.random.randint(1, 999):x}"),
                IPv4Address(f"203.0.113.{self.random.randint(129, 254)}"),
            ]
        )

    def _recipient(self, domain: str) -> tuple[list[str], str]:
        """Hops inside the recipient's side, and the name of the border host below them."""
        store, border = f"store.{domain}", f"mx1.{domain}"
        inner: list[str] = []
        if self.random.random() < 0.15:
            fetched = Peer(ip_address("203.0.113.110"), f"pop.{domain}")
            inner.append(
                f"from {fetched.helo} [{fetched.ip}] by localhost with POP3 (fetchmail-6.4) for <me@localhost>; {self._when()}"
            )
        for step in self.random.sample(["lmtp", "private", "public", "amavis", "qmail"], self.random.randint(0, 3)):
            if step == "lmtp":
                inner.append(
                    f"from {border} ([10.1.2.3]) by {store} (Dovecot) with LMTP id abc for <a@b.example>; {self._when()}"
                )
            elif step == "private":
                peer = Peer(ip_address("10.1.2.3"), border)
                inner.append(self.random.choice(STAMPS)(peer, f"mbox.{domain}", self._when()))
            elif step == "public":
                peer = Peer(ip_address("203.0.113.111"), border, border)
                inner.append(self.random.choice(CONFIRMING)(peer, f"mbox.{domain}", self._when()))
            elif step == "amavis":
                inner.append(
                    f"from localhost (localhost [127.0.0.1]) by {border} (Postfix) with ESMTP id 9; {self._when()}"
                )
                inner.append(
                    f"from {border} ([127.0.0.1]) by localhost ({border} [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id Q; {self._when()}"
                )
            else:
                inner.append(f"(qmail 28162 invoked from network); {self._when()}")
                inner.append(f"from unknown (HELO {border}) (10.4.4.4) by {border} with SMTP; {self._when()}")
        return inner, border

    def _client(self, ip: IPAddress, domain: str, forged: bool) -> Peer:
        host = f"h{str(ip).replace('.', '-').replace(':', '-')}.client.example"
        if not forged:
            return Peer(ip, host, self.random.choice([host, None]))
        names = (
            f"mx1.{domain}",
            f"mx2.{domain}",
            "localhost",
            "smtp.hosting.example",
            "out-3.bigmail.example",
            "[192.0.2.200]",
            "192.0.2.200",
        )
        hostile = (
            "x by mx1.reporter.example",
            "x (c.example [192.0.2.200])",
            "by",
            "x helo=[192.0.2.200]",
            "x) (y [192.0.2.200]",
            "x(y",
        )
        claimed = self.random.choice([None, f"mx1.{domain}", f"mx2.{domain}", "out-9.bigmail.example"])
        line = f"p{self.random.randint(1000, 9999)}.pool.{domain}" if self.random.random() < 0.15 else None
        return Peer(ip, self.random.choice((*names, *hostile)), self.random.choice([line, host, None]), claimed)

    def _direct(self, border: str, domain: str, forged: bool) -> tuple[str, list[tuple[str, str]], IPAddress]:
        ip = self._address()
        return self.random.choice(STAMPS)(self._client(ip, domain, forged), border, self._when()), [], ip

    def _own_relay(self, border: str, domain: str, forged: bool) -> tuple[str, list[tuple[str, str]], IPAddress]:
        relay = Peer(OWN_RELAY, "smtp.hosting.example", "smtp.hosting.example")
        handover = self.random.choice(STAMPS)(relay, border, self._when())
        ip = self._address()
        below: list[str] = []
        if self.random.random() < 0.4:
            below.append(
                f"from localhost (localhost [127.0.0.1]) by smtp.hosting.example (Postfix) with ESMTP id 2; {self._when()}"
            )
            below.append(
                f"from smtp.hosting.example ([127.0.0.1]) by localhost (smtp.hosting.example [127.0.0.1]) (amavisd-new) with ESMTP id P; {self._when()}"
            )
        below.append(postfix(self._client(ip, domain, forged), "smtp.hosting.example", self._when()))
        return handover, _received(below), ip

    def _big_mail(self, border: str, domain: str, forged: bool) -> tuple[str, list[tuple[str, str]], IPAddress]:
        relay = Peer(
            IPv4Address(f"198.51.100.{self.random.randint(129, 180)}"), "out-3.bigmail.example", "out-3.bigmail.example"
        )
        handover = self.random.choice(STAMPS)(relay, border, self._when())
        ip = self._address()
        client = self._client(ip, domain, forged)
        below = [f"by out-3.bigmail.example with SMTP id k2; {self._when()}"] if self.random.random() < 0.5 else []
        below.append(postfix(client, "smtp.bigmail.example", self._when()))
        return handover, _received(below), ip

    def _web_mail(self, border: str, domain: str, forged: bool) -> tuple[str, list[tuple[str, str]], IPAddress]:
        relay = Peer(
            IPv4Address(f"198.51.100.{self.random.randint(224, 250)}"), "web-1.webmail.example", "web-1.webmail.example"
        )
        handover = self.random.choice(STAMPS)(relay, border, self._when())
        ip = self._address()
        below = [("X-Originating-IP", self.random.choice([str(ip), f"[{ip}]"]))]
        if self.random.random() < 0.5:
            below.insert(0, ("Received", f"by web-1.webmail.example with HTTP; {self._when()}"))
        return handover, below, ip

    def _alias(self, border: str, domain: str, forged: bool) -> tuple[str, list[tuple[str, str]], IPAddress]:
        ip = IPv4Address(f"203.0.113.{self.random.randint(1, 100)}")
        stamp = self.random.choice(CONFIRMING)
        handover = stamp(Peer(ip, "mail.evil.example", "mail.evil.example"), border, self._when())
        forger = Peer(self._forged_address(), "cust.example", "cust.example")
        below = [("Received", stamp(forger, "mail.evil.example", self._when()))]
        return handover.replace("a@b.example", "x@evil.example"), below, ip

    def _sender_service(self, border: str, domain: str, forged: bool) -> tuple[str, list[tuple[str, str]], IPAddress]:
        relay = Peer(
            IPv4Address(f"198.51.100.{self.random.randint(193, 220)}"),
            "a1.out.sendersvc.example",
            "a1.out.sendersvc.example",
        )
        return self.random.choice(STAMPS)(relay, border, self._when()), [], relay.ip

    def _honest_tail(self, kind: str) -> list[str]:
        if kind == "sender service" or self.random.random() < 0.5:
            return []
        return [postfix(Peer(ip_address("10.20.30.40"), "[10.20.30.40]"), "mail.client.example", self._when())]

    def _forged_tail(self, domain: str) -> list[str]:
        bys = (
            "smtp.hosting.example",
            f"mx1.{domain}",
            f"mx2.{domain}",
            f"mbox.{domain}",
            "smtp.bigmail.example",
            "localhost",
            "mail.client.example",
            "mx.google.com",
        )
        tail: list[str] = []
        for _ in range(self.random.randint(1, 4)):
            if self.random.random() < 0.1:
                self.clock += timedelta(hours=self.random.randint(1, 9))
            ip = self._forged_address()
            peer = Peer(
                ip,
                self.random.choice(["cust.example", "mail.client.example", f"mx1.{domain}"]),
                self.random.choice(["cust.example", None]),
            )
            by = self.random.choice(bys)
            tail.append(
                self.random.choice(
                    [
                        *(stamp(peer, by, self._when()) for stamp in STAMPS),
                        f"by {by} with SMTP id q; {self._when()}",
                        "garbage",
                        f"(qmail 1 invoked by uid 9); {self._when()}",
                    ]
                )
            )
        return tail


def _received(values: list[str]) -> list[tuple[str, str]]:
    return [("Received", value) for value in values]


def is_forged(ip: IPAddress | None) -> bool:
    return ip is not None and any(ip in network for network in FORGED)
