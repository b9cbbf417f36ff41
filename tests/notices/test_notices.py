"""A notice holds what the allow-list lets through, rounded, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address, ip_network

import pytest
from letters import ATTACK, CONTENT, ENGLISH, JAPANESE, SPAM, body, notice_request, parsed

from abuse_pipeline.model import Customer, Moment, NoticeFact
from abuse_pipeline.notices import ReportedFact, compose_notice
from abuse_pipeline.notices.locations import shown_location
from abuse_pipeline.notices.words import KINDS, kind_in_words

XARF = {
    "messaging": "spam bulk_messaging",
    "connection": "login_attack port_scan ddos infected_host reconnaissance scraping sql_injection vulnerability_scan",
    "vulnerability": "cve open_service misconfiguration",
    "reputation": "blocklist threat_intelligence",
    "infrastructure": "botnet compromised_server",
    "content": "phishing malware csam csem exposed_data brand_infringement fraud remote_compromise "
    "suspicious_registration",
    "copyright": "copyright p2p cyberlocker ugc_platform link_site usenet",
}


def text_of(*facts: NoticeFact, **changes: object) -> str:
    return body(compose_notice(notice_request(*facts, **changes)))


def test_the_fields_of_a_notice() -> None:
    message = compose_notice(notice_request())
    mail = parsed(message)

    assert mail["From"] == "サンプルホスティング <abuse@hosting.example.jp>"
    assert mail["To"] == "株式会社見本商事 <admin@mihon.example>"
    assert mail["Subject"] == "【要対応】迷惑メール送信に関するご確認のお願い [K7Q2M9]"
    assert mail["Message-ID"] == "<n-1@hosting.example.jp>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Abuse-Desk"] == "1"
    assert mail["Date"] == "Sat, 21 Nov 2026 15:00:00 +0900"
    assert "In-Reply-To" not in mail
    assert "References" not in mail


def test_a_notice_is_seven_bit_with_crlf_and_short_lines() -> None:
    for facts in ((SPAM,), (SPAM, ATTACK, CONTENT)):
        for customer in (JAPANESE, ENGLISH, Customer("K", "長い名前の会社" * 20, "a@b.example", "en")):
            message = compose_notice(notice_request(*facts, customer=customer))

            assert message.isascii()
            assert b"\n" not in message.replace(b"\r\n", b"")
            assert b"\r" not in message.replace(b"\r\n", b"")
            assert max(map(len, message.split(b"\r\n"))) <= 160


def test_the_same_request_gives_the_same_bytes() -> None:
    facts = [replace(SPAM, ip=ip_address(f"192.0.2.{n}")) for n in range(10)]

    assert compose_notice(notice_request(*facts)) == compose_notice(notice_request(*reversed(facts)))


def test_below_the_minimum_a_notice_about_mail_gives_the_day_and_nothing_finer() -> None:
    text = text_of(*[SPAM] * 4, reporters=4)

    assert "日時　　　　：2026年11月20日\n" in text
    assert not re.search(r"\d+時|:\d\d|14|43210", text.replace("JST", ""))
    assert "件数" not in text


def test_many_messages_of_one_reporter_are_still_one_reporter() -> None:
    text = text_of(*[SPAM] * 12, reporters=1)

    assert "日時　　　　：2026年11月20日\n" in text
    assert "件数" not in text


def test_seconds_do_not_make_lines_of_their_own() -> None:
    later = replace(ATTACK, moment=Moment(ATTACK.moment.at + timedelta(seconds=20)))  # type: ignore[union-attr]

    assert text_of(ATTACK, later).count("14時03分") == 1


@pytest.mark.parametrize(
    ("precision", "shown"),
    [("day", "2026年11月20日\n"), ("hour", "2026年11月20日 14時台\n"), ("minute", "2026年11月20日 14時03分\n")],
)
def test_from_the_minimum_on_the_configured_precision_counts(precision: str, shown: str) -> None:
    text = text_of(*[SPAM] * 5, reporters=5, time_precision=precision)

    assert f"日時　　　　：{shown}" in text
    assert "件数　　　　：2〜9件" in text
    assert "43210" not in text, "the port of a mail session is a join key with the sender's log"


def test_a_line_that_rests_on_too_few_reports_falls_back_to_its_day() -> None:
    alone = replace(SPAM, moment=Moment(SPAM.moment.at + timedelta(hours=3)))  # type: ignore[union-attr]
    text = text_of(*[SPAM] * 5, alone, reporters=6)

    assert "14時台" in text
    assert "17時" not in text
    assert text.count("件数") == 1


def test_ten_are_a_band_of_their_own_and_never_a_number() -> None:
    assert "件数　　　　：10件以上" in text_of(*[SPAM] * 37, reporters=20)
    assert "37" not in text_of(*[SPAM] * 37, reporters=20)


def test_an_attack_keeps_its_minute_and_port_but_not_its_second() -> None:
    text = text_of(ATTACK)

    assert "2026年11月20日 14時03分" in text
    assert "送信元ポート：50022" in text
    assert "12秒" not in text
    assert "14:03:12" not in text


def test_several_ports_are_not_listed() -> None:
    assert "送信元ポート" not in text_of(ATTACK, replace(ATTACK, port=50023))


def test_content_gives_host_and_path_and_no_token() -> None:
    text = text_of(CONTENT)

    assert "掲載場所　　：https://shop.mihon.example/bank/***/login.html\n" in text
    assert "taro" not in text
    assert "14時" not in text


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("shop.example/a/b.html", "shop.example/a/b.html"),
        ("http://shop.example:8080/x?y=z", "http://shop.example:8080/x"),
        ("shop.example/u/taro%40reporter.example/x", "shop.example/u/***/x"),
        ("shop.example/u/%E5%B1%B1%E7%94%B0/x", "shop.example/u/***/x"),
        ("shop.example/dGFyb0ByZXBvcnRlcg==/x", "shop.example/***/x"),
        ("a8f3k29d7x.t.shop.example/x", "***.t.shop.example/x"),
        ("shop.example/2026/11/20/summer-sale/", "shop.example/2026/11/20/summer-sale/"),
        ("shop.example/wp-content/plugins/index.php#me", "shop.example/wp-content/plugins/index.php"),
        ("shop.example/123456789", "shop.example/***"),
        ("shop.example/x\u202e\u200by", "shop.example/***"),
        ("javascript://shop.example/x", "shop.example/x"),
    ],
)
def test_what_of_a_location_is_shown(location: str, shown: str) -> None:
    assert shown_location(location) == shown


def test_only_content_shows_a_location() -> None:
    assert "shop.mihon.example" not in text_of(replace(CONTENT, about="mail"))


def test_at_most_thirty_lines() -> None:
    facts = [replace(ATTACK, moment=Moment(ATTACK.moment.at + timedelta(minutes=n))) for n in range(45)]  # type: ignore[union-attr]
    text = text_of(*facts)

    assert text.count("IPアドレス　：") == 30
    assert "ほか 15 項目" in text


def test_times_are_shown_in_the_providers_zone() -> None:
    late = replace(SPAM, moment=Moment(datetime(2026, 11, 20, 20, 0, tzinfo=timezone(timedelta(0)))))

    assert "2026年11月21日" in text_of(late)


def test_an_unknown_time_is_left_out() -> None:
    assert "日時　　　　：" not in text_of(replace(SPAM, moment=None))


def test_policy_003_step_3_is_said() -> None:
    text = text_of()

    for promise in (
        "第三者",
        "適切なご対応をお願い",
        "申告者の情報は開示いたしません",
        "無断で停止・削除する権限を",
        "[K7Q2M9]",
    ):
        assert promise in text
    assert "特定電子メール法" in text
    assert "特定の宛先の配信停止をお願いするものではございません" in text


def test_the_law_on_mail_is_not_quoted_at_an_attack() -> None:
    assert "特定電子メール法" not in text_of(ATTACK)


@pytest.mark.parametrize(
    ("name", "title"), [("株式会社見本商事", "御中"), ("山田 太郎", "様"), ("NPO法人みほん", "御中")]
)
def test_companies_and_people_are_addressed_as_is_due(name: str, title: str) -> None:
    assert text_of(customer=replace(JAPANESE, name=name)).startswith(f"{name} {title}\n")


def test_every_kind_of_xarf_has_words_in_both_languages() -> None:
    kinds = {f"{category}/{kind}" for category, kinds in XARF.items() for kind in kinds.split()}

    assert kinds == KINDS
    for kind in kinds:
        category, _, type_ = kind.partition("/")
        assert re.search(r"[ぁ-んァ-ヶ一-龥]", kind_in_words(category, type_, "mail", "ja"))
        assert kind_in_words(category, type_, "mail", "en").isascii()


def test_an_unknown_kind_is_not_quoted() -> None:
    text = text_of(replace(SPAM, category="x-taro", type="yamada"))

    assert "taro" not in text
    assert "yamada" not in text


def test_our_whole_block_is_not_said_to_be_the_customers() -> None:
    for network in ("192.0.2.0/24", "192.0.2.7/32"):
        assert "IPアドレス　：192.0.2.7\n" in text_of(replace(SPAM, network=ip_network(network)))


V6 = replace(SPAM, ip=ip_address("2001:db8:100:4300:aa:bb:cc:dd"), network=ip_network("2001:db8:100::/40"))


def test_an_ipv6_address_that_few_reporters_saw_is_shown_as_its_64() -> None:
    other = replace(V6, ip=V6.ip + 1)

    assert "IPアドレス　：2001:db8:100:4300::/64 の範囲内\n" in text_of(V6)
    assert "within 2001:db8:100:4300::/64\n" in text_of(V6, customer=ENGLISH)
    for text in (text_of(V6), text_of(*[V6] * 9), text_of(*[V6] * 5, other, reporters=6).partition("aa:bb:cc:dd")[2]):
        assert "aa:bb:cc" not in text


def test_an_ipv6_address_that_enough_reporters_saw_is_shown() -> None:
    assert "IPアドレス　：2001:db8:100:4300:aa:bb:cc:dd\n" in text_of(*[V6] * 5, reporters=5)


def test_an_ipv6_source_of_an_attack_is_shown_and_so_is_a_network_smaller_than_64() -> None:
    narrow = replace(V6, network=ip_network("2001:db8:100:4300:aa:bb::/96"))

    assert f"IPアドレス　：{V6.ip}\n" in text_of(replace(ATTACK, ip=V6.ip))
    assert "2001:db8:100:4300:aa:bb::/96 の範囲内\n" in text_of(narrow)
    assert f"IPアドレス　：{V6.ip}\n" in text_of(replace(V6, network=ip_network(f"{V6.ip}/128")))


def test_a_line_rests_on_its_own_reporters_not_on_those_of_other_days() -> None:
    others = [replace(SPAM, moment=Moment(SPAM.moment.at - timedelta(days=n))) for n in range(1, 5)]  # type: ignore[union-attr]
    one = ReportedFact(SPAM, 5, frozenset({0}))
    request = replace(
        notice_request(), facts=(one, *(ReportedFact(f, 1, frozenset({n + 1})) for n, f in enumerate(others)))
    )
    text = body(compose_notice(request))

    assert "日時　　　　：2026年11月20日\n" in text
    assert "時台" not in text
    assert "件数" not in text


def test_malware_by_mail_is_not_called_unsolicited() -> None:
    malware = replace(SPAM, category="content", type="malware")
    for customer in (JAPANESE, ENGLISH):
        message = compose_notice(notice_request(malware, customer=customer))
        text = str(parsed(message)["Subject"]) + body(message)
        assert not re.search("迷惑メール|unsolicited|特定電子メール法|advertising|subscribed", text)
        assert re.search("マルウェア（不正プログラム）の配布の疑い|suspected distribution of malware", text)


@pytest.mark.parametrize(
    "changes",
    [
        {"facts": ()},
        {"token": "a]\r\nBcc: x@y.example"},
        {"token": ""},
        {"message_id": "<a b@c>"},
        {"customer": replace(JAPANESE, notice_address="a@b.example>\r\nBcc: x@y.example")},
        {"customer": replace(JAPANESE, notice_address="no address")},
    ],
)
def test_what_cannot_stand_in_a_field_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        compose_notice(replace(notice_request(), **changes))  # type: ignore[arg-type]


def test_a_hostile_name_cannot_add_a_field_or_be_a_template() -> None:
    hostile = replace(JAPANESE, name='A"\r\nBcc: x@y.example\r\n{{ 7*7 }}')
    message = compose_notice(notice_request(customer=hostile))

    assert parsed(message)["Bcc"] is None
    assert "49" not in body(message).splitlines()[0]
    assert "{{ 7*7 }}" in body(message)


def test_an_internationalised_domain_is_written_in_ascii() -> None:
    message = compose_notice(notice_request(customer=replace(JAPANESE, notice_address="a@日本語.example")))

    assert "a@xn--wgv71a119e.example" in str(parsed(message)["To"])
