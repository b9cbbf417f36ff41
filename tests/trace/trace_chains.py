# ruff: noqa: E501  (Received lines are shown as they are written)
"""A generator of Received chains whose true origin is known: honest ones, and ones with a tail that a forger wrote.

The forger controls his HELO, the reverse name of his own address (confirmed only when it leads back to him), and every
field below the handover. Addresses that only a forger ever writes are in `FORGED`; no trace may end in one of them.
"""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, ip_address

from chain_attacks import ATTACKS, Attacks
from chain_parts import FORGED as FORGED
from chain_parts import OURS as OURS
from chain_parts import OWN_RELAY as OWN_RELAY
from chain_parts import Chain, Fields
from chain_parts import is_forged as is_forged
from chain_parts import received as _received
from chain_parts import rules as rules
from chain_stamps import CONFIRMING, STAMPS, Peer, exchange, postfix

from abuse_pipeline.model import IPAddress
from abuse_pipeline.trace import RecipientSide

UNNAMED = 0.006
"""How often the recipient's own relay has a private address and no name: one or two of a hundred honest chains, as in real
mail. Such a chain ends unknown, since a stranger behind a balancer writes the same."""


class Maker(Attacks):
    """Makes chains from one seed."""

    def chain(self) -> Chain:
        """One chain, top first."""
        domain = self.random.choice(["reporter.example", "kaisha.co.jp", "uni.ac.jp"])
        if self.random.random() < 0.3:
            return self._attacked(self.random.choice(ATTACKS), domain)
        kinds = ["direct", "direct", "own relay", "big mail", "sender service", "web mail", "alias", "cloud"]
        kind = self.random.choice(kinds) if self.random.random() >= UNNAMED else "unnamed"
        forged = kind == "alias" or (kind not in ("cloud", "unnamed") and self.random.random() < 0.6)
        if kind == "alias":
            side = RecipientSide()
            above, border = self._shared_host(domain)
        else:
            side, above, border = self._cloud_mailbox() if kind == "cloud" else self._above(domain)
        handover, below, truth = getattr(self, "_" + kind.replace(" ", "_"))(border, domain, forged)
        tail = _received(self._forged_tail(domain) if forged else self._honest_tail(kind))
        planted = self._planted(kind) if forged else []
        fields = [*above, ("Received", handover), *below, *self._mixed(planted, tail)]
        return Chain(fields, side, truth, forged, kind)

    def _attacked(self, kind: str, domain: str) -> Chain:
        side, above, border = self._cloud_mailbox() if kind == "tenant" else self._above(domain)
        attack = self.attack(kind, border, domain)
        tail = [*self.signed_tail(attack), *_received(self._forged_tail(domain))]
        fields = [*above, *attack.upper, *self._mixed(self._planted(kind), tail)]
        return Chain(fields, side, attack.truth, True, kind)

    def _above(self, domain: str) -> tuple[RecipientSide, Fields, str]:
        """What the recipient's own hosts wrote above the handover, and the name of the border host."""
        side = RecipientSide(frozenset({domain} if self.random.random() < 0.8 else ()))
        if self.random.random() < 0.2:
            above, border = self._hosted_mailbox(domain)
            return RecipientSide(), above, border
        inner, border = self._recipient(domain)
        return side, _received(inner), border

    def _cloud_mailbox(self) -> tuple[RecipientSide, Fields, str]:
        """The mailbox is at a provider whose own hosts record each other with public addresses."""
        border, stores = f"TY{self.random.randint(1, 99)}.prod.cloud.example", Fields()
        for protocol in self.random.sample(["HTTPS", "Microsoft SMTP Server id 15.20.1.1"], self.random.randint(0, 2)):
            store = f"OS{self.random.randint(1, 99)}.prod.cloud.example"
            inside = f"2001:db8:c10::{self.random.randint(1, 99):x}"
            stores.append(("Received", f"from {border} ({inside}) by {store} with {protocol}; {self._when()}"))
        return RecipientSide(frozenset({"cloud.example"})), stores, border

    def _hosted_mailbox(self, domain: str) -> tuple[Fields, str]:
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

    def _shared_host(self, domain: str) -> tuple[Fields, str]:
        """The forger is a customer of the host on which the mailbox lies, and has an alias that leads to it."""
        return [("Delivered-To", f"taro@{domain}"), ("X-Original-To", "x@evil.example")], "www7.host.example"

    def _planted(self, kind: str) -> Fields:
        """What a forger puts beside his Received fields. A webmail provider removes what it vouches for."""
        planted = [
            ("Delivered-To", "x@evil.example"),
            ("Authentication-Results", "mail.evil.example; spf=pass"),
            ("X-Source-IP", str(self._forged_address())),
            *([] if kind == "web mail" else [("X-Originating-IP", f"[{self._forged_address()}]")]),
        ]
        return self.random.sample(planted, self.random.randint(0, len(planted)))

    def _recipient(self, domain: str) -> tuple[list[str], str]:
        """Hops inside the recipient's side, and the name of the border host below them."""
        border = f"mx1.{domain}"
        inner: list[str] = []
        if self.random.random() < 0.15:
            fetched = Peer(ip_address("203.0.113.110"), f"pop.{domain}")
            inner.append(
                f"from {fetched.helo} [{fetched.ip}] by localhost with POP3 (fetchmail-6.4) for <me@localhost>; {self._when()}"
            )
        steps = ["lmtp", "named", "second mx", "amavis", "own address", "transport"]
        for step in self.random.sample(steps, self.random.randint(0, 3)):
            inner += self._inner_step(step, border, domain)
        return inner, border

    def _inner_step(self, step: str, border: str, domain: str) -> list[str]:
        """Hosts of the recipient that hand the mail on, newest line first."""
        if step == "lmtp":
            return [
                f"from {border} ([10.1.2.3]) by store.{domain} (Dovecot) with LMTP id abc for <a@b.example>; {self._when()}"
            ]
        if step == "named":
            relay = self.random.choice([border, f"filter.{domain}"])
            peer = Peer(ip_address("10.1.2.3"), self.random.choice([relay, relay.partition(".")[0]]), relay)
            return [self.random.choice(CONFIRMING)(peer, f"mbox.{domain}", self._when())]
        if step == "second mx":
            host = f"{self.random.choice(['mx2', 'mail', 'smtp', 'relay'])}.{domain}"
            peer = Peer(ip_address("203.0.113.111"), host, host)
            return [self.random.choice(CONFIRMING)(peer, f"mbox.{domain}", self._when())]
        if step == "amavis":
            loop = self.random.choice(["127.0.0.1", "127.0.0.1", "IPv6:::1"])
            return [
                f"from localhost (localhost [{loop}]) by {border} (Postfix) with ESMTP id 9; {self._when()}",
                f"from {border} ([127.0.0.1]) by localhost ({border} [127.0.0.1]) (amavisd-new, port 10024) with ESMTP id Q; {self._when()}",
            ]
        if step == "own address":
            return [exchange(Peer(ip_address("10.9.0.2"), border), border, self._when())]
        line = exchange(Peer(ip_address("10.9.0.7"), border), f"ex2.{domain}", self._when())
        return [line.replace("15.1.2507.39;", "15.1.2507.39 via Mailbox Transport;")]

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

    def _direct(self, border: str, domain: str, forged: bool) -> tuple[str, Fields, IPAddress]:
        ip = self._address()
        return self.random.choice(STAMPS)(self._client(ip, domain, forged), border, self._when()), [], ip

    def _cloud(self, border: str, domain: str, forged: bool) -> tuple[str, Fields, IPAddress]:
        ip = self._address()
        client = self._client(ip, domain, forged)
        line = exchange(client, border, self._when()).replace(
            "10.9.0.2", f"2001:db8:c10::{self.random.randint(1, 99):x}"
        )
        return line, [], ip

    def _unnamed(self, border: str, domain: str, forged: bool) -> tuple[str, Fields, IPAddress]:
        """Honest, but the recipient's DNS has no name for its own relay: nothing tells it from a NAT."""
        relay = Peer(ip_address(self.random.choice(["10.1.2.3", "192.168.1.20", "172.16.9.9"])), f"filter.{domain}")
        ip = self._address()
        stamp = self.random.choice([stamp for stamp in STAMPS if stamp is not exchange])
        below = self.random.choice(STAMPS)(self._client(ip, domain, forged), relay.helo, self._when())
        return stamp(relay, border, self._when()), _received([below]), ip

    def _own_relay(self, border: str, domain: str, forged: bool) -> tuple[str, Fields, IPAddress]:
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

    def _big_mail(self, border: str, domain: str, forged: bool) -> tuple[str, Fields, IPAddress]:
        relay = Peer(
            IPv4Address(f"198.51.100.{self.random.randint(129, 180)}"), "out-3.bigmail.example", "out-3.bigmail.example"
        )
        handover = self.random.choice(STAMPS)(relay, border, self._when())
        ip = self._address()
        client = self._client(ip, domain, forged)
        below = [f"by out-3.bigmail.example with SMTP id k2; {self._when()}"] if self.random.random() < 0.5 else []
        below.append(postfix(client, "smtp.bigmail.example", self._when()))
        return handover, _received(below), ip

    def _web_mail(self, border: str, domain: str, forged: bool) -> tuple[str, Fields, IPAddress]:
        relay = Peer(
            IPv4Address(f"198.51.100.{self.random.randint(224, 239)}"), "web-1.webmail.example", "web-1.webmail.example"
        )
        handover = self.random.choice(STAMPS)(relay, border, self._when())
        ip = self._address()
        below = [("X-Originating-IP", self.random.choice([str(ip), f"[{ip}]"]))]
        if self.random.random() < 0.5:
            below.insert(0, ("Received", f"by web-1.webmail.example with HTTP; {self._when()}"))
        return handover, below, ip

    def _alias(self, border: str, domain: str, forged: bool) -> tuple[str, Fields, IPAddress]:
        ip = IPv4Address(f"203.0.113.{self.random.randint(1, 100)}")
        stamp = self.random.choice(CONFIRMING)
        handover = stamp(Peer(ip, "mail.evil.example", "mail.evil.example"), border, self._when())
        forger = Peer(self._forged_address(), "cust.example", "cust.example")
        below = [("Received", stamp(forger, "mail.evil.example", self._when()))]
        return handover.replace("a@b.example", "x@evil.example"), below, ip

    def _sender_service(self, border: str, domain: str, forged: bool) -> tuple[str, Fields, IPAddress]:
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
