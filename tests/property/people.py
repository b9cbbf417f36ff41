"""Made-up reporters and complainants. Every distinctive string of theirs is an identity that no customer may see."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass
from functools import cached_property

# No name here is a customer's (config/customers.csv): what a customer is called may stand in the notice to him.
_FAMILY = (
    ("山田", "ヤマダ", "yamada"), ("髙橋", "タカハシ", "takahashi"), ("渡邉", "ワタナベ", "watanabe"),
    ("五十嵐", "イガラシ", "igarashi"), ("小鳥遊", "タカナシ", "takanashi"), ("林", "ハヤシ", "hayashi"),
    ("森", "モリ", "mori"), ("長谷部", "ハセベ", "hasebe"),
    ("東海林", "ショウジ", "shoji"), ("仲里", "ナカザト", "nakazato"),
)  # fmt: skip
_GIVEN = (
    ("太郎", "タロウ", "taro"), ("美咲", "ミサキ", "misaki"), ("さくら", "サクラ", "sakura"),
    ("リサ", "リサ", "risa"), ("大輔", "ダイスケ", "daisuke"), ("結衣", "ユイ", "yui"),
    ("薫", "カオル", "kaoru"), ("ひろし", "ヒロシ", "hiroshi"),
)  # fmt: skip
# Names that are words of mail and of our letters too: they must be kept back, and must not hold every notice.
_FOREIGN = ("May Reportson", "Mark Sender", "Will Noticia", "Grace Hostings", "Liam O'Networking", "Ip Man-Day")
_COMPANIES = (
    "株式会社北風商会",
    "有限会社ミナト電機",
    "みずたま観光㈱",
    "Tidewater Surveying Ltd",
    "合同会社ねこやなぎ",
)
_STEMS = (
    "kitakaze",
    "minato-denki",
    "mizutama",
    "tidewater",
    "nekoyanagi",
    "server-note",
    "mail-report",
    "jikan",
    "abc1",
)
_SUFFIXES = ("example", "co.example", "example.jp", "example.org")


@dataclass(frozen=True)
class Person:
    """name, reading, company: as written in Japanese or English. token: what a spammer's list calls this person."""

    name: str
    reading: str
    romaji: str
    local: str
    domain: str
    phone: str
    company: str
    token: str
    queue_id: str
    ticket: str
    ip: str

    @property
    def address(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def mx(self) -> str:
        return f"mx1.{self.domain}"

    @property
    def verp(self) -> str:
        return self.address.replace("@", "=")

    @cached_property
    def encoded_address(self) -> str:
        """As it stands in a link, for a program to read."""
        return base64.urlsafe_b64encode(self.address.encode()).decode().rstrip("=")

    @cached_property
    def identities(self) -> frozenset[str]:
        """Every string that tells who it is by itself. Words that name nobody alone (May, Mark) are left to `name`."""
        return self.personal | {self.domain, self.mx, self.ip, self.ip.replace(".", "-")}

    @cached_property
    def personal(self) -> frozenset[str]:
        """The same without the names and addresses of the mail server."""
        names = {self.name, self.name.replace(" ", ""), self.reading, self.reading.replace(" ", ""), self.romaji}
        digits = self.phone.replace("-", "")
        rest = {self.address, self.local, self.verp, self.phone, digits, self.company, self.token, self.queue_id}
        found = names | rest | {self.ticket, self.encoded_address}
        return frozenset(text for text in found if len(text) > 1)


def somebody(chance: random.Random) -> Person:
    if chance.random() < 0.25:
        name = reading = chance.choice(_FOREIGN)
        first, _, last = name.lower().replace("'", "").partition(" ")
    else:
        family, given = chance.choice(_FAMILY), chance.choice(_GIVEN)
        name = family[0] + chance.choice((" ", "　", "")) + given[0]
        reading = f"{family[1]} {given[1]}"
        first, last = given[2], family[2]
    number = chance.randrange(10, 10_000)
    return Person(
        name=name,
        reading=reading,
        romaji=f"{first} {last}",
        local=_local(first, last, number, chance),
        domain=f"{chance.choice(_STEMS)}{chance.randrange(1000)}.{chance.choice(_SUFFIXES)}",
        phone=f"0{chance.randrange(3, 10)}-{chance.randrange(1000, 10_000)}-{chance.randrange(1000, 10_000)}",
        company=chance.choice(_COMPANIES),
        token=f"{chance.getrandbits(56):014x}",
        queue_id=f"{chance.getrandbits(44):011X}",
        ticket=f"{chance.choice(('KTK', 'INC', 'REQ'))}-{chance.randrange(10**5, 10**6)}",
        ip=f"203.0.113.{chance.randrange(1, 255)}",
    )


def _local(first: str, last: str, number: int, chance: random.Random) -> str:
    """Local parts as people have them; the last two are what Japanese mobile carriers hand out (not RFC 5322)."""
    return chance.choice(
        (f"{first}.{last}{number}", f"{last}{number}", f"{first}_{last}.{number}", f"{first}.{last}+shop{number}",
         f"info{number}", f"{first}..{last}{number}", f"{first}-{number}.")
    )  # fmt: skip
