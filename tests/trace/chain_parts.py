"""What generated chains are made of: whom we believe, the clock, and addresses of clients and of forgers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

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
networks = ["198.51.100.224/28"]
stamps = ["webmail.example"]
vouches = ["received", "x-originating-ip"]

[[relay]]
name = "Cloud Office"
names = ["out-*.cloud.example"]
networks = ["198.51.100.240/28"]
inside = ["2001:db8:c10::/48"]
stamps = ["cloud.example"]
vouches = ["received"]
"""

Fields = list[tuple[str, str]]


def rules() -> TraceRules:
    return TraceRules(
        own_relays=(ip_network("198.51.100.25/32"),),
        relays=load_relays(RELAYS, "relays.toml"),
        max_skew=timedelta(hours=2),
        managed=lambda ip: any(ip in network for network in OURS),
    )


@dataclass(frozen=True)
class Chain:
    """fields: the header block, newest first. truth: whence it came; None where no line shows it."""

    fields: Fields
    side: RecipientSide
    truth: IPAddress | None
    forged: bool
    kind: str

    @property
    def received(self) -> list[str]:
        return [value for name, value in self.fields if name == "Received"]


class Parts:
    """One seed's dice and clock; time runs backwards, as a chain is made top first."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)

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

    def _mixed(self, some: Fields, others: Fields) -> Fields:
        """Both lists in one; the Received fields keep their order."""
        mixed = list(others)
        for field in some:
            mixed.insert(self.random.randint(0, len(mixed)), field)
        return mixed


def received(values: list[str]) -> Fields:
    return [("Received", value) for value in values]


def is_forged(ip: IPAddress | None) -> bool:
    return ip is not None and any(ip in network for network in FORGED)
