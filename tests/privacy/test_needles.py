"""Needles are found wherever they stand, in the encodings of Japanese mail, and never show themselves."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_pipeline.errors import ReportError
from abuse_pipeline.mail import read_mail
from abuse_pipeline.model import Envelope
from abuse_pipeline.privacy import CommonProperty, Needle, collect_needles, needles_from_json, needles_to_json
from abuse_pipeline.privacy.collect import MOST_CHARACTERS
from abuse_pipeline.settings import MailLimits

NOTHING = CommonProperty()


def texts(raw: bytes | str, envelope: Envelope = Envelope()) -> dict[str, str]:  # noqa: B008
    data = raw.replace("\n", "\r\n").encode() if isinstance(raw, str) else raw
    needles = collect_needles(read_mail(data, MailLimits()), data, envelope, NOTHING)
    return {needle.text: needle.channel for needle in needles}


def of_one_part(kind: str, content: str, outer: str = "multipart/mixed") -> str:
    """A report with one part: *kind* is the rest of its Content-Type line and may hold further fields."""
    return f'From: a1@x.example\nContent-Type: {outer}; boundary="b"\n\n--b\nContent-Type: {kind}\n\n{content}\n--b--\n'


def forwarded(inner: str, outer: str = "From: a1@x.example\nSubject: spam") -> str:
    kind = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"'
    return f"{outer}\n{kind}\n\n--b\nContent-Type: message/rfc822\n\n{inner}\n--b--\n"


RECEIVED = (
    "Received: from pc1 (HELO taro-pc) (ident@203.0.113.9)\n by mx2.reporter.example with ESMTP id 4XyZ12abC\n"
    " for <taro@reporter.example>; Fri, 20 Nov 2026 14:03:12 +0900"
)
FIELDS = [
    (
        "From: 山田 太郎 <taro.yamada@reporter.co.jp>",
        {"山田 太郎", "太郎 山田", "山田", "太郎", "taro.yamada", "yamada"},
    ),
    (
        "From: taro.yamada@mail.reporter.co.jp",
        {"taro.yamada@mail.reporter.co.jp", "mail.reporter.co.jp", "reporter.co.jp"},
    ),
    ('From: "Yamada, Taro (Sales)" <x9@r.example>', {"Yamada", "Taro", "x9@r.example"}),
    ("From: x9@r.example (Taro Yamada)", {"Taro Yamada", "Yamada Taro"}),
    ("To: 山田太郎様 <x9@r.example>", {"山田太郎", "山田"}),
    (
        "Cc: Hanako Sato <hanako@cc.example>, kei@cc2.example",
        {"hanako", "Hanako Sato", "kei@cc2.example", "cc2.example"},
    ),
    ("Delivered-To: mailbox-77@reporter.example", {"mailbox-77@reporter.example", "mailbox-77"}),
    ("X-Original-To: taro@reporter.example", {"taro@reporter.example"}),
    ("Return-Path: <b-1-taro=reporter.example@list.example>", {"taro@reporter.example", "reporter.example"}),
    ("Return-Path: <SRS0=ab1c=X9=reporter.example=taro@fwd.example>", {"taro@reporter.example", "fwd.example"}),
    ("Return-Path: <prvs=123456789a=taro@reporter.example>", {"taro@reporter.example"}),
    ("Message-ID: <20261120.ABC123@pc-taro.reporter.example>", {"20261120.ABC123", "pc-taro.reporter.example"}),
    ("In-Reply-To: <zz9988@reporter.example>", {"zz9988", "zz9988@reporter.example"}),
    ("Organization: 株式会社やまだ", {"株式会社やまだ", "やまだ"}),
    ("Subject: spam [Ticket#20261123456]", {"20261123456"}),
    (
        "List-Unsubscribe: <https://l.example/u/8f3a9c2e7b1d>, <mailto:u+taro=reporter.example@l.example>",
        {"8f3a9c2e7b1d"},
    ),
    ("X-Campaign: id=a8f3-kz91-qd77b2", {"a8f3-kz91-qd77b2"}),
    ("X-Originating-IP: [203.0.113.77]", {"203.0.113.77"}),
    ("DKIM-Signature: v=1; d=reporter.example; s=k1; i=taro@reporter.example; b=abc", {"reporter.example", "taro"}),
    ("Authentication-Results: mx.reporter.example; spf=pass smtp.mailfrom=taro@x.example", {"mx.reporter.example"}),
    ("X-Taro-Yamada: taro@reporter.example", {"taro@reporter.example"}),
    (
        RECEIVED,
        {"taro-pc", "203.0.113.9", "mx2.reporter.example", "4XyZ12abC", "taro@reporter.example"},
    ),
]


@pytest.mark.parametrize(("field", "wanted"), FIELDS)
def test_fields_of_the_report(field: str, wanted: set[str]) -> None:
    assert wanted <= texts(f"{field}\n\nhello\n").keys()


@pytest.mark.parametrize(("field", "wanted"), FIELDS)
def test_fields_of_the_reported_message(field: str, wanted: set[str]) -> None:
    found = texts(forwarded(f"{field}\n\nspam\n"))

    assert wanted <= found.keys()
    assert all("of the reported message" in found[text] for text in wanted)


@pytest.mark.parametrize(("field", "wanted"), FIELDS)
def test_fields_pasted_into_the_text(field: str, wanted: set[str]) -> None:
    raw = f"Subject: spam\nContent-Type: text/plain; charset=utf-8\n\nヘッダーです。\n\n{field}\n\n以上\n"

    assert wanted - {"x9@r.example (Taro Yamada)"} <= texts(raw).keys()


def test_a_channel_never_shows_a_strangers_field_name() -> None:
    assert "Taro" not in "".join(texts("X-Taro-Yamada: taro@reporter.example\n\nx\n").values())


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "cp932", "euc-jp", "utf-8"])
@pytest.mark.parametrize("encoding", ["base64", "8bit"])
def test_japanese_bodies(charset: str, encoding: str) -> None:
    text = (
        "株式会社サンプル商会の佐々木と申します。\n会員番号: AB-12345\nTEL 03-0000-1234\n\n"
        "> 鈴木花子 様\n> 以下のURLをクリック https://s.example/c?id=Zx81kQ93ab\n\n-- \n高橋 一郎\n〒100-0001\n"
    )
    content = text.encode(charset)
    body = base64.encodebytes(content) if encoding == "base64" else content
    head = f"Subject: s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\n"
    raw = head.encode() + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body

    wanted = {
        "サンプル商会",
        "佐々木",
        "AB-12345",
        "03-0000-1234",
        "鈴木花子",
        "鈴木",
        "Zx81kQ93ab",
        "高橋 一郎",
        "100-0001",
    }
    assert wanted <= texts(raw).keys()


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"])
def test_japanese_names_in_fields(charset: str) -> None:
    word = f"=?{charset}?B?{base64.b64encode('山田　太郎'.encode(charset)).decode()}?="

    assert {"山田", "太郎", "山田 太郎"} <= texts(f"From: {word} <x@r.example>\n\nx\n").keys()


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("山田太郎 様", "山田太郎"),
        ("ヤマダ タロウ様、お世話になります", "ヤマダ タロウ"),
        ("やまださん、", "やまだ"),
        ("田中様より申告がありました", "田中"),
        ("森様", "森様"),
        ("Dear Taro Yamada,", "Taro Yamada"),
        ("> Dear Hanako,", "Hanako"),
        ("My name is Kenichi Mori and", "Kenichi Mori"),
        ("氏名: 中村 恵子", "中村 恵子"),
        ("担当：木村", "木村"),
        ("Nov 20 14:03:12 gw-tokyo7 sshd[812]: Failed password", "gw-tokyo7"),
        ("[#8842-XY] のチケット", "8842-XY"),
        ("受付番号 1234567 です", "1234567"),
        ("連絡は taro＠reporter．example まで", "taro@reporter.example"),
        ("携帯 090-0000-1111", "090-0000-1111"),
        ("+81 3 0000 1234 へ", "+81 3 0000 1234"),
        ("https://s.example/u/dGFyb0ByZXBvcnRlci5leGFtcGxl", "taro@reporter.example"),
        ("https://s.example/?m=taro%40reporter.example", "taro@reporter.example"),
        ("https://a8f3k29d7x.t.s.example/", "a8f3k29d7x"),
    ],
)
def test_people_in_a_body(line: str, name: str) -> None:
    raw = f"Subject: s\nContent-Type: text/plain; charset=utf-8\n\n{line}\n本文です。\n"

    assert name in texts(raw)


@pytest.mark.parametrize(
    "line",
    ["お客様", "皆様へ", "ご担当者様", "会員様 各位", "Dear Customer,", "Dear Sir or Madam", "同様です", "仕様を確認"],
)
def test_greetings_to_nobody_are_no_names(line: str) -> None:
    found = texts(f"Subject: s\nContent-Type: text/plain; charset=utf-8\n\n{line}\n")

    assert not {text for text, channel in found.items() if "greeting" in channel} - {"Sir or Madam", "Madam or Sir"}


def test_a_feedback_report() -> None:
    part = (
        "Feedback-Type: abuse\nUser-Agent: TayoriLoop/2.1\nVersion: 1\nOriginal-Rcpt-To: taro@reporter.example\n"
        "Reporting-MTA: dns; mx7.reporter.example\nOriginal-Envelope-Id: ENV9988776\nReported-URI: http://s.example/x?u=Zk91qd77b2\n"
        "Removal-Recipient: kei@other.example\nSource-IP: 192.0.2.7\n"
    )
    raw = of_one_part("message/feedback-report", part, "multipart/report; report-type=feedback-report")

    wanted = {
        "taro@reporter.example",
        "mx7.reporter.example",
        "ENV9988776",
        "TayoriLoop",
        "kei@other.example",
        "Zk91qd77b2",
    }
    assert wanted <= texts(raw).keys()


@pytest.mark.parametrize("hidden_as", ["text/rfc822-headers", "application/octet-stream; name=a.eml", "text/plain"])
def test_messages_under_another_type(hidden_as: str) -> None:
    inner = "Received: from a by mx9.reporter.example id QQ77ZZ88; x\nDelivered-To: taro@reporter.example\n"
    raw = of_one_part(hidden_as, inner)

    found = texts(raw)
    assert {"taro@reporter.example", "mx9.reporter.example", "QQ77ZZ88"} <= found.keys()


def test_attachment_names() -> None:
    name = "%E5%B1%B1%E7%94%B0%E5%A4%AA%E9%83%8E_%E7%94%BB%E9%9D%A2.png"
    raw = of_one_part(f"image/png\nContent-Disposition: attachment; filename*=utf-8''{name}", "x")

    assert "山田太郎" in texts(raw)


def test_the_envelope() -> None:
    found = texts(
        "Subject: s\n\nx\n",
        Envelope("taro@reporter.example", ("desk7@hosting.example",), "203.0.113.5", "pc.reporter.example"),
    )

    assert {"taro@reporter.example", "desk7@hosting.example", "203.0.113.5", "pc.reporter.example"} <= found.keys()


def test_a_bare_xarf_object_that_no_reader_takes_for_mail() -> None:
    document = {
        "xarf_version": "4.2.0",
        "reporter": {"org": "Yamada Security", "contact": "soc@yamada-sec.example", "domain": "yamada-sec.example"},
        "sender": {"org": "間接通報センター", "contact": "x@relay.example", "domain": "relay.example"},
        "source_identifier": "192.0.2.7",
    }
    needles = collect_needles(None, json.dumps(document).encode(), Envelope(), NOTHING)

    wanted = {"Yamada Security", "soc@yamada-sec.example", "yamada-sec.example", "間接通報センター", "relay.example"}
    assert wanted <= {needle.text for needle in needles}


def test_a_needle_does_not_show_itself() -> None:
    assert "taro" not in repr(Needle("taro", "From", ("taro books",)))


def test_needles_survive_the_vault() -> None:
    needles = (Needle("山田", "From", ("山田商店",)), Needle("x@y.example", "To"))

    assert needles_from_json(needles_to_json(needles)) == needles


@pytest.mark.parametrize("text", ["{}", "[1]", '[["a"]]', '[["a",1]]', "x", '[["a","b","c"]]'])
def test_what_the_vault_never_wrote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        needles_from_json(text)


def test_too_much_text_is_never_searched_in_part_only() -> None:
    found = texts(b"Subject: s\r\n\r\n" + b"hello world\r\n" * (MOST_CHARACTERS // 10))

    assert "" in found


@pytest.mark.parametrize(
    "unit", ["a@", "=a.b", "((((", "山田", "<a ", "1-", ":", "Dear A ", "%40", "x.", "https://", "様", "From: \n "]
)
def test_hostile_text_takes_bounded_time(unit: str) -> None:
    raw = f"Subject: s\nContent-Type: text/plain; charset=utf-8\n\n{unit * (100_000 // len(unit))}\n"
    started = time.perf_counter()
    texts(raw)

    assert time.perf_counter() - started < 10


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_give_needles(head: bytes, body: bytes) -> None:
    raw = b"From: " + head + b"\r\n\r\n" + body
    try:
        mail = read_mail(raw, MailLimits())
    except ReportError:
        mail = None

    needles = collect_needles(mail, raw, Envelope(), NOTHING)

    assert needles_from_json(needles_to_json(needles)) == needles
