"""A reply says what is needed, names no customer, quotes nothing, and promises no date."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address

import pytest
from letters import (
    ACKNOWLEDGE,
    ASK,
    ELSEWHERE,
    GROUP,
    POSTAL,
    PROVIDER,
    WRITTEN,
    body,
    parsed,
    reply_request,
)

from abuse_pipeline.model import Disposition, Missing
from abuse_pipeline.notices import ReplyRequest, ReplySection, compose_reply


def text_of(*sections: ReplySection, **changes: object) -> str:
    return body(compose_reply(reply_request(*sections, **changes)))


def test_the_fields_of_a_reply() -> None:
    request = reply_request(ACKNOWLEDGE, references=("<a@x.example>", "not an id", "<b c@x.example>"))
    mail = parsed(compose_reply(request))

    assert mail["To"] == "taro@reporter.example"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Abuse-Desk"] == "1"
    assert mail["In-Reply-To"] == "<report-1@reporter.example>"
    assert mail["References"] == "<a@x.example> <report-1@reporter.example>"
    assert mail["Subject"] == "迷惑行為のご申告を受け付けました [T3X8]"


@pytest.mark.parametrize("hostile", ["<a@b>\r\nBcc: x@y.example", "<a@b> <c@d>", "x", "<" + "a" * 500 + "@b>", ""])
def test_what_is_no_message_id_becomes_no_field(hostile: str) -> None:
    mail = parsed(compose_reply(reply_request(ACKNOWLEDGE, in_reply_to=hostile, references=(hostile,))))

    assert mail["In-Reply-To"] is None
    assert mail["References"] is None
    assert mail["Bcc"] is None


def test_long_threads_keep_their_first_and_last_ids() -> None:
    ids = tuple(f"<{n}@x.example>" for n in range(500))
    mail = parsed(compose_reply(reply_request(ACKNOWLEDGE, references=ids)))

    shown = str(mail["References"]).split()
    assert len(shown) == 21
    assert shown[0] == "<0@x.example>"
    assert shown[-1] == "<report-1@reporter.example>"


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("section", [ACKNOWLEDGE, ASK, WRITTEN, GROUP, ELSEWHERE])
def test_no_reply_promises_a_date(section: ReplySection, language: str) -> None:
    text = text_of(section, language=language)

    assert not re.search(r"\d+\s*(?:営業日|日以内|時間以内|business days?|hours|days)", text)
    assert not re.search(r"within \d", text.replace("within the last three months", ""))


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("missing", list(Missing))
def test_every_missing_thing_has_its_paragraph_and_only_that(missing: Missing, language: str) -> None:
    marks = {
        Missing.HEADERS: ("Received:", "Received:"),
        Missing.TIME: ("【発生日時】", "The date and time"),
        Missing.ZONE: ("タイムゾーン", "The time zone"),
        Missing.ADDRESS: ("【IPアドレスまたはホスト名】", "The IP address or host name"),
        Missing.PORT: ("【送信元ポート番号】", "The source port"),
    }
    text = text_of(ReplySection(Disposition.ASK_REPORTER, (missing,)), language=language)

    shown = {kind for kind, words in marks.items() if words[language == "en"] in text}
    assert shown == {missing}


def test_owners_of_mobile_phones_are_sent_to_their_carrier() -> None:
    text = text_of(ASK)

    for word in ("NTTドコモ", "au", "ソフトバンク", "携帯電話会社", ".eml", "Outlook", "Gmail", "Thunderbird"):
        assert word in text


def test_what_several_sections_miss_is_asked_once() -> None:
    time = ReplySection(Disposition.ASK_REPORTER, (Missing.TIME,))
    text = text_of(ASK, time, ASK)

    assert text.count("【発生日時】") == 1
    assert text.count("【該当メールのヘッダー情報と本文】") == 1
    assert text.count("■ 追加情報") == 1


def test_a_group_company_is_named_with_its_public_contact() -> None:
    text = text_of(GROUP)

    assert "グループ例株式会社" in text
    assert "abuse@group.example" in text
    assert "お取り次ぎすることはできません" in text


@pytest.mark.parametrize("contact", [None, "", "evil text with spaces", "a@b.example\nBcc: c", "連絡先"])
def test_a_contact_that_is_none_is_not_shown(contact: str | None) -> None:
    text = text_of(ReplySection(Disposition.REFER_ELSEWHERE, abuse_contact=contact))

    assert "登録情報による連絡先" not in text
    assert "WHOIS" in text


def test_somebody_elses_network_comes_with_its_contact_and_advice() -> None:
    text = text_of(ELSEWHERE)

    assert "登録情報による連絡先：abuse@other.example" in text
    assert "203.0.113.9" in text
    assert "meiwaku@dekyo.or.jp" in text
    assert "meiwaku" not in text_of(ELSEWHERE, language="en")


@pytest.mark.parametrize("section", [ACKNOWLEDGE, ASK, WRITTEN])
def test_an_address_is_shown_with_referrals_only(section: ReplySection) -> None:
    assert "192.0.2.7" not in text_of(replace(section, address=ip_address("192.0.2.7")))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_report_of_several_says_which_are_not_ours_in_one_paragraph(language: str) -> None:
    others = [replace(ELSEWHERE, address=ip_address(f"203.0.113.{n}")) for n in range(1, 15)]
    text = text_of(ACKNOWLEDGE, *others, *others, language=language)

    assert text.count("abuse@other.example") == 1
    assert [f"203.0.113.{n}\n" in text for n in range(1, 15)] == [True] * 10 + [False] * 4
    assert ("ほか 4 件" if language == "ja" else "and 4 more") in text
    assert ("ご申告のうち一部は" if language == "ja" else "Part of your report") in text
    assert ("ご申告のうち一部は" if language == "ja" else "Part of your report") not in text_of(
        ACKNOWLEDGE, ACKNOWLEDGE, language=language
    )


def test_a_held_notice_does_not_make_the_acknowledgement_untrue() -> None:
    assert "確認できた場合には" in text_of(ACKNOWLEDGE)
    assert "依頼いたします" not in text_of(ACKNOWLEDGE)
    assert "where it is confirmed" in text_of(ACKNOWLEDGE, language="en")


def test_who_asks_about_his_own_data_reads_his_own_paragraph_first() -> None:
    text = text_of(WRITTEN)

    assert text.index("ご自身の個人情報") < text.index("送信防止措置")


def test_the_written_procedure_lists_the_documents_of_the_policy() -> None:
    text = text_of(WRITTEN)

    for word in (
        "登録印を押印した送信防止措置依頼書",
        "掲載URL",
        "3カ月以内",
        "印鑑登録証明書",
        "委任状",
        "郵送",
        "お約束するものではございません",
    ):
        assert word in text
    assert "下記宛て" not in text


def test_the_postal_address_is_given_when_it_is_known() -> None:
    text = text_of(WRITTEN, provider=replace(PROVIDER, postal_address=POSTAL))

    assert "下記宛て" in text
    assert "　　　東京都千代田区見本町1-2-3\n" in text


def test_the_reporter_is_told_that_he_is_not_disclosed_and_that_we_do_not_stop_mail() -> None:
    text = text_of(ACKNOWLEDGE)

    assert "申告者様の情報は開示いたしません" in text
    assert "権限がございません" in text
    assert "お答えいたしかねます" in text


def test_answers_come_weightiest_first_and_each_once() -> None:
    text = text_of(ELSEWHERE, ACKNOWLEDGE, ELSEWHERE, ASK)

    places = [text.index(head) for head in ("■ ご申告の受付", "■ 追加情報", "■ 当社の管理外")]
    assert places == sorted(places)
    assert text.count("■ 当社の管理外") == 1


@pytest.mark.parametrize("disposition", [Disposition.STAFF, Disposition.NONE])
def test_what_is_not_answered_is_refused(disposition: Disposition) -> None:
    with pytest.raises(ValueError, match="disposition"):
        compose_reply(reply_request(ReplySection(disposition)))


def test_a_reply_has_no_field_for_a_customer() -> None:
    assert not {name for name in (*ReplyRequest.__slots__, *ReplySection.__slots__) if "customer" in name}


def test_an_address_that_cannot_stand_in_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="address"):
        compose_reply(reply_request(ACKNOWLEDGE, to_address="a@b.example\r\nBcc: c@d.example"))


def test_a_carriers_address_with_double_dots_is_answered() -> None:
    mail = compose_reply(reply_request(ACKNOWLEDGE, to_address="taro..yamada.@docomo.example"))

    assert b"\r\nTo: taro..yamada.@docomo.example\r\n" in mail
