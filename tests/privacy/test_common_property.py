"""What is common property is left out by rule, and nothing else is: each rule in both directions."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from abuse_pipeline.privacy import CommonProperty, Needle, check_leaks, without_common

COMMON = CommonProperty(
    frozenset({"Example Hosting", "abuse@hosting.example.jp", "株式会社山田商店", "C-1042", "info@yamada.example"}),
    frozenset({ip_address("192.0.2.7")}),
    (ip_network("192.0.2.0/28"),),
)


def left(text: str) -> bool:
    return bool(without_common([Needle(text, "From")], COMMON))


OURS = (
    "Example Hosting,EXAMPLE HOSTING,abuse@hosting.example.jp,hosting.example.jp,株式会社山田商店,C-1042,"
    "info@yamada.example,yamada.example,192.0.2.7,192.0.2.0,192.0.2.15,abuse,INFO,お客様,ｉｎｆｏ"
)
NOT_OURS = (
    "example.jp,taro@hosting.example.jp,mail.yamada.example,yamada,山田,商店,192.0.2.8,192.0.2.70,"
    "abuse@example.jp,xhosting.example.jp,infos,C-10421,Example"
)


@pytest.mark.parametrize("text", OURS.split(","))
def test_what_equals_common_property_is_left_out(text: str) -> None:
    assert not left(text)


@pytest.mark.parametrize("text", NOT_OURS.split(","))
def test_what_only_resembles_common_property_stays(text: str) -> None:
    assert left(text)


@pytest.mark.parametrize(
    ("needle", "text", "hit"),
    [
        ("example.jp", "write to abuse@hosting.example.jp", False),
        ("example.jp", "taro@example.jp wrote", True),
        ("example.jp", "abuse@hosting.example.jp, taro@example.jp", True),
        ("山田", "株式会社山田商店 御中", False),
        ("山田", "株式会社山田商店 御中 山田様より", True),
        ("山田", "株式会社 山田商店", True),
        ("plan", "or plan to do. Keep [", False),
        ("plan", "or plan to do. Keep [ the plan", True),
        ("complained", "A third party has complained to us about unsolicited mail sent from the IP", False),
        ("complained", "complained", True),
    ],
)
def test_an_occurrence_inside_our_own_text_is_no_hit_and_any_other_is(needle: str, text: str, hit: bool) -> None:
    needles = without_common([Needle(needle, "From")], COMMON)
    message = f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{text}\n".encode()

    assert check_leaks(message, needles).passed is not hit


def test_the_rule_adds_up_over_two_applications() -> None:
    once = without_common([Needle("山田", "From")], CommonProperty(frozenset({"山田商店"})))
    twice = without_common(once, CommonProperty(frozenset({"山田工業"})))

    assert twice[0].spare == ("山田商店", "山田工業")


def test_what_could_not_be_searched_is_never_common() -> None:
    assert left("")
