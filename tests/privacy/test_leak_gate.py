"""The gate in both directions: what is planted is held, whatever it is written in; what is clean passes."""

from __future__ import annotations

import random

import pytest
from planting import CUSTOMERS, PROVIDER, SPOKEN, TECHNIQUES, Person, clean_notice

from abuse_pipeline.mail import read_mail
from abuse_pipeline.model import Envelope
from abuse_pipeline.privacy import CommonProperty, Needle, check_leaks, collect_needles, without_common
from abuse_pipeline.privacy import gate as gate_module
from abuse_pipeline.settings import MailLimits

EACH = 4


def report_of(person: Person) -> bytes:
    head = f"From: {person.name} <{person.address}>\r\nTo: abuse@hosting.example.jp\r\nSubject: spam\r\n"
    received = f"Received: from mx.{person.domain} ([{person.ip}]) by mx.hosting.example.jp id {person.token}; x\r\n"
    body = f"迷惑メールを受け取りました。\r\nhttps://spam.example/u/{person.token}\r\n電話 {person.phone}\r\n"
    kind = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return (received + head + kind + body).encode()


def needles_of(person: Person) -> tuple[Needle, ...]:
    raw = report_of(person)
    envelope = Envelope(person.address, ("abuse@hosting.example.jp",), person.ip, f"mx.{person.domain}")
    common = CommonProperty(frozenset({PROVIDER.name, PROVIDER.abuse_address}))
    needles = collect_needles(read_mail(raw, MailLimits()), raw, envelope, common)
    strings = {text for c in CUSTOMERS for text in (c.key, c.name, c.notice_address)}
    return without_common(needles, CommonProperty(frozenset(strings)))


def fits(text: str, technique: str) -> bool:
    """Whether the charset of the technique has every character of *text*."""
    charset = next((c for c in ("iso-2022-jp", "euc-jp", "cp932", "shift_jis") if c in technique), "utf-8")
    try:
        text.encode({"raw 8 bit in a field": "euc-jp"}.get(technique, charset))
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize("technique", [*TECHNIQUES, *SPOKEN])
def test_what_is_planted_is_held(technique: str) -> None:
    chance = random.Random(technique)
    planted = held = 0
    for _ in range(EACH):
        person = Person(chance)
        needles = needles_of(person)
        strings = (person.address,) if technique in SPOKEN else person.strings()
        for text in strings:
            if not fits(text, technique):
                continue
            message = (TECHNIQUES | SPOKEN)[technique](clean_notice(chance), text)
            planted += 1
            verdict = check_leaks(message, needles)
            held += not verdict.passed
            assert text not in verdict.reason
    print(f"{technique}: {held} of {planted} held")

    assert planted
    assert held == planted


def test_what_is_clean_passes() -> None:
    chance = random.Random("clean")
    verdicts = [check_leaks(clean_notice(chance), needles_of(Person(chance))) for _ in range(60)]
    held = [verdict.reason for verdict in verdicts if not verdict.passed]
    print(f"clean: {len(held)} of {len(verdicts)} held {held}")

    assert not held


@pytest.mark.parametrize(
    "name", ["May Tanaka", "Will Mark", "liam", "Jan", "平 確認", "対応 太郎", "見本 花子", "森 蓮"]
)
def test_a_name_that_is_also_a_word_of_ours_does_not_hold_a_clean_notice_but_is_found(name: str) -> None:
    chance = random.Random(name)
    raw = f"From: {name} <x1@reporter.example>\r\nSubject: s\r\n\r\nhello\r\n".encode()
    needles = collect_needles(read_mail(raw, MailLimits()), raw, Envelope(), CommonProperty())
    needles = without_common(needles, CommonProperty(frozenset({"株式会社見本商事", "Example Hosting"})))

    assert check_leaks(clean_notice(chance, CUSTOMERS[0]), needles).passed
    assert check_leaks(clean_notice(chance, CUSTOMERS[1]), needles).passed
    if " " in name:
        assert not check_leaks(TECHNIQUES["plain"](clean_notice(chance), name), needles).passed


def test_the_reason_names_the_channel_and_not_the_needle() -> None:
    verdict = check_leaks(
        b"Subject: x\r\n\r\nask taro.yamada@reporter.example\r\n", [Needle("taro.yamada", "Delivered-To")]
    )

    assert verdict.reason == "the message holds what stood in: Delivered-To"


def test_a_gate_that_breaks_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(message: bytes) -> object:
        raise RuntimeError("taro.yamada@reporter.example")

    monkeypatch.setattr(gate_module, "texts_of", broken)

    verdict = check_leaks(b"Subject: x\r\n\r\nx\r\n", [Needle("taro", "From")])

    assert not verdict.passed
    assert verdict.reason == "the gate could not run: RuntimeError"


def test_what_cannot_be_searched_is_held() -> None:
    assert not check_leaks(b"Subject: x\r\n\r\nx\r\n", [Needle("", "too long")]).passed
    assert not check_leaks(b"Content-Transfer-Encoding: base64\r\n\r\n" + b"UEsDBAAAAAAAAAAA\r\n", []).passed


@pytest.mark.parametrize(
    ("needle", "text", "hit"),
    [
        ("taro", "taro is here", True),
        ("taro", "taroさん", True),
        ("taro", "the guitarorchestra", False),
        ("192.0.2.7", "address 192.0.2.7.", True),
        ("192.0.2.7", "address 192.0.2.70", False),
        ("192.0.2.7", "address 1192.0.2.7", False),
        ("192.0.2.7", "host 192-0-2-7.pool.example", True),
        ("192.0.2.7", "7.2.0.192.in-addr.arpa", True),
        ("2001:db8::7", "2001:0DB8:0000:0000:0000:0000:0000:0007", True),
        ("2001:db8::7", "2001:db8::71", False),
        ("03-1234-5678", "TEL 0312345678", True),
        ("03-1234-5678", "+81-3-1234-5678", True),
        ("03-1234-5678", "203-1234-56789", False),
        ("山田", "株式会社山田商店", True),
        ("さとう", "ございますさとうさん", False),
        ("さとう", "宛先:サトウさん", True),
        ("ﾔﾏﾀﾞﾀﾛｳ", "やまだたろう", True),
        ("xn--wgv71a119e.example", "日本語.example", True),
        ("日本語.example", "xn--wgv71a119e.example", True),
        ("example.jp", "mx.example.jp", True),
    ],
)
def test_what_counts_as_a_hit(needle: str, text: str, hit: bool) -> None:
    message = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{text}\r\n".encode()

    assert check_leaks(message, [Needle(needle, "From")]).passed is not hit


def test_without_needles_every_plant_passes() -> None:
    """The other side of the figures above: it is the needles that hold, not the plants."""
    chance = random.Random("off")
    passed = [
        check_leaks(plant(clean_notice(chance), Person(chance).address), ()).passed for plant in TECHNIQUES.values()
    ]

    assert all(passed)
