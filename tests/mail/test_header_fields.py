"""Header fields: folding, RFC 2047 as it is sent, raw bytes, RFC 2231 parameters."""

from __future__ import annotations

import base64

import pytest

from abuse_pipeline.fields import decode_value, lenient_base64, parameters, split_fields
from abuse_pipeline.mail import Part, read_mail
from abuse_pipeline.settings import MailLimits

LIMITS = MailLimits()
SUBJECT = "迷惑メールの申告①㈱"


def word(text: str, charset: str, codec: str) -> bytes:
    return b"=?" + charset.encode() + b"?B?" + base64.b64encode(text.encode(codec)) + b"?="


def halves(data: bytes, cut: int, charset: bytes) -> bytes:
    first, second = (base64.b64encode(piece) for piece in (data[:cut], data[cut:]))
    return b"=?" + charset + b"?B?" + first + b"?=\r\n =?" + charset + b"?B?" + second + b"?="


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (word(SUBJECT, "UTF-8", "utf-8"), SUBJECT),
        (word(SUBJECT, "Shift_JIS", "cp932"), SUBJECT),
        (word("迷惑", "ISO-2022-JP", "iso2022_jp"), "迷惑"),
        (word("迷惑", "EUC-JP", "euc_jp"), "迷惑"),
        (word("迷惑", "utf-8*ja", "utf-8"), "迷惑"),
        (word("迷惑", "utf-8", "utf-8") + b" \r\n " + word("メール", "iso-2022-jp", "iso2022_jp"), "迷惑メール"),
        (b"Re: " + word("件", "utf-8", "utf-8") + b" [abuse]", "Re: 件 [abuse]"),
        (b'"' + word("件", "utf-8", "utf-8") + b'" <a@example.jp>', '"件" <a@example.jp>'),
        (b"=?utf-8?q?caf=C3=A9_x?=", "café x"),
        (b"=?iso-8859-1?Q?a b?=", "a b"),
        (b"=?utf-8?Q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"=?x-unknown?B?" + base64.b64encode("迷惑メール".encode()) + b"?=", "迷惑メール"),
        (b"=?utf-8?B?6L+35oOR", "=?utf-8?B?6L+35oOR"),
        (b"=?utf-8?B?6L+35oOR!!?=", "迷惑"),
        (b"=??B?YQ==?= =?utf-8?X?a?=", "=??B?YQ==?= =?utf-8?X?a?="),
        ("迷惑メールの件".encode("cp932"), "迷惑メールの件"),
        ("迷惑メールの件".encode("iso2022_jp"), "迷惑メールの件"),
        ("迷惑メールの件".encode("euc_jp"), "迷惑メールの件"),
        ("迷惑".encode(), "迷惑"),
        (b"\xff\xfe\x80", "ÿþ€"),
    ],
)
def test_value_as_text(value: bytes, text: str) -> None:
    assert decode_value(value) == text


@pytest.mark.parametrize("cut", range(1, len("迷惑メール".encode())))
def test_words_cut_inside_a_character(cut: int) -> None:
    assert decode_value(halves("迷惑メール".encode(), cut, b"UTF-8")) == "迷惑メール"


def test_words_cut_inside_the_base64() -> None:
    encoded = base64.b64encode("迷惑メール".encode())
    for cut in range(1, len(encoded)):
        value = b"=?utf-8?B?" + encoded[:cut] + b"?= =?utf-8?B?" + encoded[cut:] + b"?="
        assert decode_value(value) == "迷惑メール"


def test_iso_2022_jp_words_without_their_last_escape() -> None:
    data = "迷惑メール".encode("iso2022_jp")
    assert decode_value(halves(data, 7, b"ISO-2022-JP")) == "迷惑メール"


RAW = (
    b"From sender@example.jp Mon Nov  2 00:00:00 2026\r\n"
    b"Received: from a.example by b.example;\r\n\tMon, 2 Nov 2026 00:00:01 +0900\r\n"
    b"received: from c.example\r\n  by d.example\r\n"
    b"Subject: " + "迷惑メールの件".encode("cp932") + b"\r\n"
    b"X-Bad Name: skipped\r\n RECEIVED: folded, no field\r\n"
    b"RECEIVED: =?utf-8?q?last?=\r\n"
    b"Subject: second\r\n"
    b"\r\n"
    b"Received: in the body\r\n"
)


def test_fields_keep_order_duplicates_and_case() -> None:
    mail = read_mail(RAW, LIMITS)
    assert [name for name, _ in mail.all_headers()] == ["Received", "received", "Subject", "RECEIVED", "Subject"]
    assert mail.header("subject") == "迷惑メールの件"
    assert mail.headers("SUBJECT") == ("迷惑メールの件", "second")
    assert mail.header("absent") is None
    assert mail.headers("absent") == ()


def test_raw_headers_are_unfolded_and_otherwise_as_written() -> None:
    assert read_mail(RAW, LIMITS).raw_headers("Received") == (
        "from a.example by b.example;\tMon, 2 Nov 2026 00:00:01 +0900",
        "from c.example  by d.example",
        "=?utf-8?q?last?=",
    )


@pytest.mark.parametrize("fold", [b"\r\n ", b"\n\t", b"\r\r\n ", b"\r "])
def test_no_line_break_is_left_in_a_value(fold: bytes) -> None:
    mail = read_mail(b"X-A: 1\r\nSubject: a" + fold + b"b\r\nX-B: 2\r\n\r\n", LIMITS)
    assert mail.raw_headers("subject")[0].split() == ["a", "b"]
    assert not set("\r\n") & set(mail.raw_headers("subject")[0])
    assert (mail.header("x-a"), mail.header("x-b")) == ("1", "2")


def test_line_without_colon_ends_the_header() -> None:
    mail = read_mail(b"Subject: a\nno field here\nReceived: body\n\nx", LIMITS)
    assert mail.raw_headers("received") == ()
    assert mail.text() == "no field here\nReceived: body\n\nx"


def test_bare_text_keeps_its_first_line() -> None:
    mail = read_mail("ご担当者様: 迷惑メールです。\n本文\n".encode(), LIMITS)
    assert mail.all_headers() == ()
    assert mail.text() == "ご担当者様: 迷惑メールです。\n本文\n"


@pytest.mark.parametrize("blank", [b"\n", b"\r\n\r\n", b" " * 200 + b"\r\n"])
def test_blank_lines_before_the_header(blank: bytes) -> None:
    mail = read_mail(blank + b"Received: x\r\nSubject: y\r\n\r\nbody", LIMITS)
    assert mail.header("subject") == "y"
    assert mail.text() == "body"
    assert mail.raw.startswith(blank)


def test_bare_cr_line_ends() -> None:
    mail = read_mail(b"Received: x\rSubject: y\r\rbody\rtext", LIMITS)
    assert (mail.header("subject"), mail.text()) == ("y", "body\ntext")
    assert mail.defects == ("bare CR line ends",)


def attachment(type_parameters: bytes, disposition_parameters: bytes) -> Part:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/octet-stream"
        + type_parameters
        + b"\r\nContent-Disposition: attachment"
        + disposition_parameters
        + b"\r\n\r\nx\r\n--b--\r\n"
    )
    return read_mail(raw, LIMITS).root.children[0]


NAME = "申告書①.eml"


@pytest.mark.parametrize(
    ("type_parameters", "disposition_parameters"),
    [
        (b"", b"; filename*=utf-8'ja'%E7%94%B3%E5%91%8A%E6%9B%B8%E2%91%A0.eml"),
        (b"", b"; filename*0*=utf-8''%E7%94%B3%E5%91;\r\n filename*1*=%8A%E6%9B%B8%E2%91%A0;\r\n filename*2=.eml"),
        (b"", b"; filename*1*=%8A%E6%9B%B8%E2%91%A0.eml; filename*0*=utf-8''%E7%94%B3%E5%91; filename=x"),
        (b"", b"; filename*=shift_jis''%90%5C%8D%90%8F%91%87%40.eml"),
        (b"", b'; filename="' + word(NAME, "UTF-8", "utf-8") + b'"'),
        (b"", b"; filename=" + word(NAME, "Shift_JIS", "cp932")),
        (b'; name="' + word(NAME, "UTF-8", "utf-8") + b'"', b""),
        (b'; name="' + halves(NAME.encode(), 4, b"UTF-8") + b'"', b""),
        (b'; name="' + NAME.encode("cp932") + b'"', b""),
        (b'; name="' + NAME.encode() + b'"', b""),
        (b"; name=x.bin", b'; filename="' + NAME.encode("cp932") + b'"'),
    ],
)
def test_filename(type_parameters: bytes, disposition_parameters: bytes) -> None:
    part = attachment(type_parameters, disposition_parameters)
    assert part.filename == NAME
    assert part.disposition == "attachment"


def test_filename_absent_or_damaged() -> None:
    assert attachment(b"", b"").filename == ""
    assert attachment(b"", b'; filename="open').filename == "open"
    assert attachment(b"", b'; filename="a\\"b;c.eml"; x=y').filename == 'a"b;c.eml'


def test_backslash_byte_of_shift_jis_in_a_quoted_name() -> None:
    assert parameters(b'text/plain; name="' + "申表ソ.eml".encode("cp932") + b'"')["name"] == "申表ソ.eml"


def test_first_of_two_equal_parameters_counts() -> None:
    assert parameters(b"text/plain; charset=utf-8; CHARSET=euc-jp") == {"charset": "utf-8"}


@pytest.mark.parametrize(
    ("text", "data"),
    [(b"YWJj", b"abc"), (b"YW Jj\n", b"abc"), (b"YWJ", b"ab"), (b"YWJjY", b"abc"), (b"!!", b""), (b"Y!W@J#j", b"abc")],
)
def test_damaged_base64(text: bytes, data: bytes) -> None:
    assert lenient_base64(text) == data


def test_split_fields_of_nothing() -> None:
    assert split_fields(b"") == ()
    assert split_fields(b"\n\nSubject: body") == ()
