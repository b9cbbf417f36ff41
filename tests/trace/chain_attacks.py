"""Chains of attackers who stand where the recipient's own hosts seem to stand.

Each ends in a line that the attacker wrote, signed as a host of the recipient (or of the provider behind which he
stands) and naming somebody else. Nothing above it is forged: the hosts recorded what they saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from chain_parts import Fields, Parts, received
from chain_stamps import CONFIRMING, LOGGED_IN, STAMPS, Peer

from abuse_pipeline.model import IPAddress

ATTACKS = ("gateway", "gateway", "loopback", "neighbour", "neighbour", "login", "tenant", "relayed_tenant", "fetch")

BEHIND_NAT = (
    *("10.0.0.2", "10.0.2.2", "10.0.2.100", "172.17.0.1", "172.18.0.9", "10.244.1.0", "10.0.1.17", "192.168.65.3"),
    *("127.0.0.6", "127.0.1.1", "169.254.1.7", "100.64.0.9", "10.1.2.3", "10.0.0.254"),
    *("fd00:ec2::17", "fd00::1", "fe80::1", "fe80::2"),
)
"""Container bridges, cloud load balancers, sidecars, carrier NAT: what the host behind them sees of every client."""
GATEWAYS = (
    *("gw", "gateway2", "router1", "nat-gw", "gw-tokyo", "lb1", "proxy", "haproxy3", "fw", "firewall", "vip", "vpn2"),
    *("traefik", "edge", "kube-node-3", "node7", "docker-host", "host", "slb", "elb", "nlb", "alb", "bigip", "envoy1"),
    "ingress",
)
UNSPEAKING = ("front", "bastion", "asa", "store", "mailserver_default")
SUBSCRIBERS = (
    *("pdcd2a4.tkyoac00.ap", "zaqd37c5bff", "www234", "sv123", "h66", "evil.users", "mail.customer", "cb007142"),
    *("0xcb007142", "203x0x113x66", "softbank221", "kd27", "web1", "taro-pc", "mail.taro-shop", "mx.evil.members"),
)
"""Confirmed names that a provider gives to its customers' lines and hosts, in front of its own domain."""
MAIL_HOSTS = ("mail", "mx2", "smtp", "relay", "mta1")


@dataclass(frozen=True)
class Attack:
    """upper: what hosts recorded. signed: with whose names the attacker signs below. truth: his address, where seen."""

    upper: Fields
    signed: tuple[str, ...]
    truth: IPAddress | None = None


class Attacks(Parts):
    """The attacks by name; `border` is the recipient's host that accepted the mail."""

    def attack(self, kind: str, border: str, domain: str) -> Attack:
        made: Attack = getattr(self, f"_{kind}_attack")(border, domain)
        return made

    def signed_tail(self, attack: Attack) -> Fields:
        """The line that names somebody else."""
        ip = self._forged_address()
        peer = Peer(ip, "mail.victim.example", self.random.choice(["mail.victim.example", None]))
        by = self.random.choice(attack.signed)
        return received([self.random.choice(STAMPS)(peer, by, self._when())])

    def _gateway_attack(self, border: str, domain: str) -> Attack:
        """A NAT, container bridge, proxy or load balancer of the recipient: it is the client of everybody's mail."""
        ip = ip_address(self.random.choice(BEHIND_NAT))
        spelled = f"ip-{str(ip).replace('.', '-')}" if ip.version == 4 else "gateway.lan"
        helo = self.random.choice(
            [
                *(border, f"mx2.{domain}", domain, "localhost", "x", "mail.evil.example", spelled, "ip-10-0-0-2"),
            ]
        )
        odd = self.random.choice(
            [
                *("[192.0.2.200]", "x(y", f"pc with LMTP by {border}", f"mx2.{domain} ({border} [{ip}])"),
                *(f"x by {border} (amavisd-new)", f"x by mx2.{domain} (amavisd-new)", f"x by mx2.{domain} ({ip})"),
            ]
        )
        kind = self.random.random()
        name: str | None = None
        if kind < 0.35:
            name = f"{self.random.choice(GATEWAYS)}.{domain}"
            helo = self.random.choice([helo, name, name.partition(".")[0]])
        elif kind < 0.55:
            name = self.random.choice([*(f"{label}.{domain}" for label in UNSPEAKING), "k8s-node-7.cluster.local"])
        elif kind < 0.75:
            name = self.random.choice([f"{spelled}.ec2.internal", f"{spelled}.{domain}", spelled])
        elif self.random.random() < 0.5:
            helo = odd
        line = self.random.choice(STAMPS)(Peer(ip, helo, name), border, self._when())
        return Attack(received([line]), self._names_of(border, domain))

    def _loopback_attack(self, border: str, domain: str) -> Attack:
        """A tunnel or sidecar on the host itself; the greeting is the stranger's."""
        ip = ip_address(self.random.choice(["127.0.0.1", "127.0.0.1", "::1"]))
        helo = self.random.choice(
            [
                *("x", "mail.evil.example", "[192.0.2.200]", "192.0.2.200", "WIN-ABC", "mail.victim.example"),
            ]
        )
        line = self.random.choice(STAMPS)(Peer(ip, helo, self.random.choice(["localhost", None])), border, self._when())
        return Attack(received([line]), self._names_of(border, domain))

    def _neighbour_attack(self, border: str, domain: str) -> Attack:
        """The attacker rents a line or a host of the recipient's own provider, with a name in its domain."""
        ip, name = self._address(), f"{self.random.choice(SUBSCRIBERS)}.{domain}"
        helo = self.random.choice(["x", name, border, f"mail.{domain}"])
        line = self.random.choice(CONFIRMING)(Peer(ip, helo, name), border, self._when())
        return Attack(received([line]), (*self._names_of(border, domain), name), ip)

    def _login_attack(self, border: str, domain: str) -> Attack:
        """He sends with an account (his own, or one that he stole) at the recipient's provider."""
        ip = self._address()
        name = f"{self.random.choice([*SUBSCRIBERS, *MAIL_HOSTS])}.{domain}"
        helo = self.random.choice(["pc", name, border])
        line = self.random.choice(LOGGED_IN)(Peer(ip, helo, name), border, self._when())
        return Attack(received([line]), (*self._names_of(border, domain), name), ip)

    def _tenant_attack(self, border: str, domain: str) -> Attack:
        """He is another tenant of the provider that keeps the recipient's mailbox."""
        return Attack(received([self._handed_in(border)]), (border, "OS1.prod.cloud.example"))

    def _relayed_tenant_attack(self, border: str, domain: str) -> Attack:
        """He is a tenant of a provider that sends to the recipient, and whose fields are believed."""
        relay = Peer(IPv4Address(f"198.51.100.{self.random.randint(241, 254)}"), "out-1.cloud.example")
        entry = self.random.choice(STAMPS)(relay, border, self._when())
        store = f"TY{self.random.randint(1, 99)}.prod.cloud.example"
        return Attack(received([entry, self._handed_in(store)]), (store,), relay.ip)

    def _handed_in(self, store: str) -> str:
        ip = self.random.choice([f"2001:db8:c10::{self.random.randint(1, 99):x}", "fe80::1", "::1", "10.1.1.1"])
        protocol = self.random.choice(["mapi id 15.20.1.1", "MAPI id 15.20", "ESMTPSA id 15.20.1.1"])
        return f"from OS1.prod.cloud.example ({ip}) by {store} ({ip}) with {protocol}; {self._when()}"

    def _fetch_attack(self, border: str, domain: str) -> Attack:
        """His mailbox at a known provider fetches from a server of his (POP), or takes what his program uploads."""
        relay = Peer(IPv4Address(f"198.51.100.{self.random.randint(129, 180)}"), "out-3.bigmail.example")
        entry = self.random.choice(STAMPS)(relay, border, self._when())
        host = "out-3.bigmail.example"
        taken = self.random.choice(
            [
                f"by {host} with POP3 id a1",
                "by 10.1.2.3 with POP3 id a1",
                f"from pop.evil.example by {host} with POP3 id a1",
                f"from pop.evil.example by {host} with IMAP id a1",
                f"from pop.evil.example ([10.0.0.5]) by {host} with POP3 id a1",
                f"by {host} with HTTP",
                f"by {host} with gmailapi",
                "from 1 named unknown by gmailapi.bigmail.example with HTTPREST",
                f"from evil ([10.0.0.5]) by {host} with ESMTPSA id a1",
            ]
        )
        return Attack(received([entry, f"{taken}; {self._when()}"]), ("smtp.bigmail.example", host), relay.ip)

    def _names_of(self, border: str, domain: str) -> tuple[str, ...]:
        return (border, border, f"mail.{domain}", f"mx2.{domain}", domain)
