"""Prose: who acts next, and what a complaint lacks."""

from __future__ import annotations

import time

import pytest

from abuse_pipeline.api import Disposition, MailLimits, Missing, ParseContext, Report, read_mail
from parsers.prose import ProseParser

CONTEXT = ParseContext(limits=MailLimits())
ASK, STAFF, PAPER = Disposition.ASK_REPORTER, Disposition.STAFF, Disposition.WRITTEN_PROCEDURE
H, A, T, Z = Missing.HEADERS, Missing.ADDRESS, Missing.TIME, Missing.ZONE
QUOTED = "\n\n-----Original Message-----\nFrom: x@example.com\nSubject: y\n\n"


def parse(subject: str, body: str, head: str = "", charset: str = "utf-8") -> Report:
    header = f"{head}From: taro@example.net\nMIME-Version: 1.0\nContent-Type: text/plain; charset={charset}\n"
    raw = header.encode() + b"Subject: " + subject.encode(charset) + b"\n\n" + body.encode(charset)
    mail = read_mail(raw.replace(b"\n", b"\r\n"), MailLimits())
    assert 1 <= ProseParser().recognise(mail, CONTEXT).strength <= 5
    return ProseParser().parse(mail, CONTEXT)


@pytest.mark.parametrize(
    ("subject", "body", "disposition", "missing"),
    [
        ("迷惑メールについて", "御社のサーバーから届きます。止めてください。", ASK, (H,)),
        ("お願い", "スパムメールが毎日届きます", ASK, (H,)),
        ("ご報告", "銀行を騙るフィッシングメールを受信しました", ASK, (H,)),
        ("お問い合わせ", "覚えのないメールが届いて困っています", ASK, (H,)),
        ("Fwd: 当選のお知らせ", "これです", ASK, (H,)),
        ("FW: offer", "see below" + QUOTED + "buy now", ASK, (H,)),
        ("転送: 当選", "どうぞ", ASK, (H,)),
        ("Spam from your customer", "I keep getting unsolicited mail.", ASK, (H,)),
        ("complaint", "Please stop this.\n\nBegin forwarded message:\n\nFrom: a\nSubject: b\n\nbuy", ASK, (H,)),
        ("spam", "headers:\n\nReceived: from a ([192.0.2.7]) by b; Fri, 20 Nov 2026 14:03:12 +0900\n", STAFF, ()),
        ("phishing site", "https://login.example.com/bank steals passwords", STAFF, ()),
        ("フィッシング詐欺", "偽サイトがあります", ASK, (A,)),
        ("不正アクセスについて", "サーバーに不正アクセスがありました。", ASK, (A, T)),
        ("不正アクセス", "192.0.2.7 から 2026年11月20日 14時03分（日本時間）に攻撃", STAFF, ()),
        ("不正アクセス", "192.0.2.7 から 2026年11月20日 14時03分に攻撃されました", ASK, (Z,)),
        ("攻撃", "１９２．０．２．７　から　２０２６年１１月２０日　午後２時　日本時間", STAFF, ()),
        ("攻撃", "令和8年11月20日 午後2時ごろ攻撃を受けました", ASK, (A, Z)),
        ("攻撃", "192.168.1.7 から 2026/11/20 14:03 JST", ASK, (A,)),
        ("攻撃", "ホスト名：www1.example.com から 2026/11/20 14:03 JST に攻撃", STAFF, ()),
        ("attack", "ssh brute force from 2001:db8::7 at 2026-11-20T05:03:12Z", STAFF, ()),
        ("Abuse report", "192.0.2.7 port scanning us on Nov 20 14:03:12", ASK, (Z,)),
        ("hacked", "192.0.2.7 hacked our server on 20 November 2026", ASK, (T,)),
        ("probe", "Failed password for root from 192.0.2.7\n20/Nov/2026:14:03:12 +0900", STAFF, ()),
    ],
)
def test_complaints_and_what_they_lack(
    subject: str, body: str, disposition: Disposition, missing: tuple[Missing, ...]
) -> None:
    report = parse(subject, body)
    assert (report.disposition, report.missing, report.incidents) == (disposition, missing, ())


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("送信防止措置依頼", "別紙のとおり依頼します"),
        ("発信者情報開示請求について", "請求書を送付します"),
        ("お願い", "掲示板の記事で名誉毀損されています。削除してください。"),
        ("削除依頼", "御社サーバーのサイトに誹謗中傷が書き込まれています"),
        ("プライバシー侵害", "私の住所がホームページに掲載されています"),
        ("無断転載", "当社の著作権を侵害する写真が掲載されています。削除を求めます。"),
        ("商標権侵害", "当社の商標を使うサイトがあります"),
        ("個人情報の開示請求", "保有個人データの開示を求めます"),
        ("DMCA takedown notice", "our photos are on your customer's website"),
        ("Request", "Your customer's page infringes our copyright. Remove it."),
        ("Removal request", "a defamatory post is hosted on your servers, please delete it"),
        ("GDPR", "please delete the personal data that your customer published on this page"),
    ],
)
def test_claims_about_content_are_for_paper(subject: str, body: str) -> None:
    assert parse(subject, body).disposition is PAPER


@pytest.mark.parametrize(
    ("subject", "body", "disposition"),
    [
        ("迷惑メール", "止めてください" + QUOTED + "copyright infringement notice: remove the content", ASK),
        ("spam", "> DMCA takedown notice\n> trademark infringement, remove the content", ASK),
        ("迷惑メール", "個人的な広告メールです。著作権侵害を騙る内容で、サイトへ誘導されます。", ASK),
        ("newsletter", "news of the week\nCopyright 2026 Example. Privacy policy. Visit our website.", STAFF),
        ("スパム", "警察にも相談しました。", ASK),
        ("spam", "I have reported it to the police.", ASK),
        ("迷惑メール", "警察を名乗る詐欺メールです", ASK),
        ("迷惑メール", "届きました" + QUOTED + "I will kill you unless you pay", ASK),
        ("hello", "this is not spam, it is in your spam folder", STAFF),
        ("hello", "cheap watches, best price\n" + "more words\n" * 400 + "reported as spam", STAFF),
        ("質問", "肖像権とは何ですか", STAFF),
        ("こんにちは", "お世話になります。", STAFF),
        ("", "", STAFF),
    ],
)
def test_words_in_passing_do_not_decide(subject: str, body: str, disposition: Disposition) -> None:
    assert parse(subject, body).disposition is disposition


@pytest.mark.parametrize(
    ("subject", "body", "reason"),
    [
        ("捜査関係事項照会書", "○○警察署です。契約者についてご回答ください。", "authority"),
        ("照会", "弁護士法第23条の2に基づく弁護士会照会です", "authority"),
        ("迷惑メールの件", "県警サイバー犯罪対策課です", "authority"),
        ("Subpoena", "see attached court order", "authority"),
        ("お前ら", "対応しないなら殺すぞ", "threat"),
        ("スパム", "止めないと事務所に火をつける", "threat"),
        ("クレーム", "訴えてやるから覚悟しておけ", "threat"),
        ("spam", "stop it or I will kill you", "threat"),
    ],
)
def test_authorities_and_threats_go_to_a_person(subject: str, body: str, reason: str) -> None:
    report = parse(subject, body)
    assert report.disposition is STAFF
    assert reason in report.reasons[0]


@pytest.mark.parametrize(
    "head", ["Auto-Submitted: auto-generated\n", "List-Unsubscribe: <https://example.com/>\n", "Precedence: bulk\n"]
)
def test_no_question_is_put_to_a_program_or_a_list(head: str) -> None:
    report = parse("spam from your network", "attack", head)
    assert (report.disposition, report.machine) == (STAFF, True)


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "euc-jp", "utf-8"])
def test_japanese_in_every_charset(charset: str) -> None:
    assert parse("report", "迷惑メールが届きました", charset=charset).missing == (H,)


def test_reasons_hold_nothing_of_the_message() -> None:
    for subject, body in [("迷惑メール 山田", "taro@example.net 192.0.2.7"), ("山田太郎", "殺す"), ("x", "山田")]:
        assert parse(subject, body).reasons[0].isascii()
        assert "192" not in parse(subject, body).reasons[0]


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "1.",
        "a:",
        "-",
        "_",
        "From: ",
        "From:\n",
        ">\n",
        "on ",
        "2026年",
        "警察に",
        "メール",
        " \t",
        "a@",
        "(",
        "訴え",
        "copyright ",
    ],
)
def test_time_is_linear_in_hostile_text(piece: str) -> None:
    start = time.process_time()
    parse("x", piece * (200_000 // len(piece)))
    assert time.process_time() - start < 3
