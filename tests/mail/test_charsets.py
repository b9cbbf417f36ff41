"""Every Japanese charset in every transfer encoding, labelled rightly, wrongly and not at all."""

from __future__ import annotations

import base64
import binascii
import quopri
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_pipeline.charsets import decode, known_charset, strictly
from abuse_pipeline.mail import read_mail
from abuse_pipeline.settings import MailLimits

LIMITS = MailLimits()
PLAIN = "迷惑メールの申告です。ご確認ください。"
EXTENDED = "①番 ㈱髙島 ～ 迷惑メールの件、よろしくお願いします。"
KANA = "ﾒｲﾜｸﾒｰﾙ の申告、ソ能表示のテスト。"


def jis(text: str) -> bytes:
    """ISO-2022-JP as CP50221 writers make it: rows 13 and 89-92 in JIS X 0208, kana by ESC ( I."""
    out, mode = bytearray(), b"\x1b(B"
    for char in text:
        wanted, code = _jis_char(char)
        if wanted != mode:
            out += wanted
            mode = wanted
        out += code
    return bytes(out + (b"" if mode == b"\x1b(B" else b"\x1b(B"))


def _jis_char(char: str) -> tuple[bytes, bytes]:
    if char.isascii():
        return b"\x1b(B", char.encode()
    code = {"髙": b"\xee\xe0"}.get(char) or char.encode("cp932")  # 髙 as NEC selected it (row 92)
    if len(code) == 1:
        return b"\x1b(I", bytes([code[0] & 0x7F])
    first, second = code
    row = (first - (0x70 if first < 0xA0 else 0xB0)) * 2
    if second >= 0x9F:
        return b"\x1b$B", bytes([row, second - 0x7E])
    return b"\x1b$B", bytes([row - 1, second - (0x20 if second > 0x7F else 0x1F)])


def euc(text: str) -> bytes:
    """EUC-JP as CP51932 writers make it."""
    out = bytearray()
    for char in text:
        designated, code = _jis_char(char)
        if designated == b"\x1b(B":
            out += code
        elif designated == b"\x1b(I":
            out += bytes([0x8E, code[0] | 0x80])
        else:
            out += bytes(byte | 0x80 for byte in code)
    return bytes(out)


def uuencode(data: bytes) -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    return b"begin 644 body\n" + b"".join(lines) + b"`\nend\n"


ENCODERS: dict[str, Callable[[str], bytes]] = {
    "ISO-2022-JP": jis,
    "iso-2022-jp-ms": jis,
    "CP50220": jis,
    "cp50221": jis,
    "Shift_JIS": lambda text: text.encode("cp932"),
    "x-sjis": lambda text: text.encode("cp932"),
    "windows-31j": lambda text: text.encode("cp932"),
    "MS_Kanji": lambda text: text.encode("cp932"),
    "CP932": lambda text: text.encode("cp932"),
    "EUC-JP": euc,
    "x-euc-jp": euc,
    "eucJP-ms": euc,
    "CP51932": euc,
    "UTF-8": lambda text: text.encode("utf-8"),
    "utf8": lambda text: text.encode("utf-8"),
}
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "8bit": lambda data: data,
    "7bit": lambda data: data,
    "base64": base64.encodebytes,
    "quoted-printable": quopri.encodestring,
    "x-uuencode": uuencode,
}


def message(charset: str, encoding: str, body: bytes) -> bytes:
    label = f'; charset="{charset}"' if charset else ""
    return f"Content-Type: text/plain{label}\nContent-Transfer-Encoding: {encoding}\n\n".encode() + body


@pytest.mark.parametrize("text", [PLAIN, EXTENDED, KANA])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("charset", ENCODERS)
def test_body_in_its_declared_charset(charset: str, encoding: str, text: str) -> None:
    raw = message(charset, encoding, ENCODINGS[encoding](ENCODERS[charset](text)))
    assert read_mail(raw, LIMITS).text().strip() == text


@pytest.mark.parametrize("text", [PLAIN, EXTENDED, KANA])
@pytest.mark.parametrize("label", ["", "us-ascii", "x-unknown", "utf-7", "rot13", "iso-8859-1x"])
@pytest.mark.parametrize("charset", ["ISO-2022-JP", "Shift_JIS", "EUC-JP", "UTF-8"])
def test_body_without_a_useful_label(charset: str, label: str, text: str) -> None:
    assert read_mail(message(label, "8bit", ENCODERS[charset](text)), LIMITS).text() == text


@pytest.mark.parametrize("label", ["Shift_JIS", "EUC-JP", "UTF-8", "ISO-2022-JP", "us-ascii", "iso-8859-1"])
@pytest.mark.parametrize("charset", ["ISO-2022-JP", "UTF-8"])
def test_wrong_label_is_overruled_by_unmistakable_bytes(charset: str, label: str) -> None:
    if charset == "UTF-8" and label == "iso-8859-1":
        pytest.skip("every byte string is Latin-1: the label decodes, so it counts")
    assert decode(ENCODERS[charset](PLAIN), label) == PLAIN


@pytest.mark.parametrize("name", ["山田", "株式会社", "件名①㈱髙～ｱｲｳ", "さくら", "ｱｲｳｴｵ"])
@pytest.mark.parametrize("charset", ["ISO-2022-JP", "Shift_JIS", "EUC-JP", "UTF-8"])
def test_short_text_without_label(charset: str, name: str) -> None:
    assert decode(ENCODERS[charset](name)) == name


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b$B", ""),
        (b"\x1b$B!", "?"),
        (b"\x1b$B0l\nplain text", "一\nplain text"),  # a line end returns to ASCII (RFC 1468)
        (b"\x1b(I12\x1b(B3", "ｱｲ3"),
        (b"\x0e12\x0f3\x1b$B0l\x1b(B", "ｱｲ3一"),
        (b"\xb1\xb2 \x1b$B0l\x1b(B", "ｱｲ 一"),  # JIS8: kana in the right half
        (b"\x1b(J\\100\x1b(B", "\\100"),
        (b"\x1b$(D0!\x1b(B", "\u4e02"),
    ],
)
def test_iso_2022_jp_corners(data: bytes, text: str) -> None:
    assert decode(data, "iso-2022-jp") == text


@pytest.mark.parametrize("label", ["iso-2022-jp", "shift_jis", "us-ascii", "iso-8859-1", ""])
def test_kana_in_the_right_half_beside_escapes(label: str) -> None:
    assert decode(b"\xb1\xb2 \x1b$B0l\x1b(B", label) == "ｱｲ 一"


@pytest.mark.parametrize("text", ["Très bien, l'élève a été reçu", "It’s “free” – now", "Grüße aus Köln", "señor"])
def test_western_text_is_not_taken_for_japanese(text: str) -> None:
    assert decode(text.encode("cp1252"), guess=True) == text


def test_other_scripts_without_label() -> None:
    for text, charset in (  # long enough: a short text is taken for Japanese first, as this desk gets it
        ("Привет, мир! Это письмо о спаме. " * 5, "koi8_r"),
        ("您好，这是一封垃圾邮件的举报。" * 9, "gb2312"),
        ("안녕하세요. 스팸 메일 신고입니다. " * 9, "euc_kr"),
    ):
        assert decode(text.encode(charset), guess=True) == text


def test_one_character_has_one_code_point_in_every_japanese_charset() -> None:
    rows = [bytes([first, second]) for first in range(0x21, 0x7F) for second in range(0x21, 0x7F)]
    for pair in rows:
        escaped, high = b"\x1b$B" + pair + b"\x1b(B", bytes(byte | 0x80 for byte in pair)
        text = strictly(escaped, "iso2022")
        assert text == strictly(high, "eucjp")
        if text is not None:
            assert strictly(text.encode("cp932"), "cp932") == text


def test_utf_7_is_never_decoded() -> None:
    assert decode(b"+ADw-script+AD4-", "utf-7") == "+ADw-script+AD4-"


@pytest.mark.parametrize(
    "name", ["utf-7", "rot13", "hex", "zlib", "idna", "punycode", "unicode_escape", "undefined", "x" * 99]
)
def test_what_is_no_charset_of_mail(name: str) -> None:
    assert known_charset(name) == ""


def test_damaged_text_keeps_what_can_be_read() -> None:
    assert decode((PLAIN * 20).encode()[:-1]).startswith(PLAIN)
    assert decode((PLAIN * 20).encode("cp932")[:-1], "shift_jis").startswith(PLAIN)
    assert decode(euc(PLAIN * 20)[:-1], "euc-jp").startswith(PLAIN)


@given(st.binary(max_size=200), st.sampled_from([*ENCODERS, "", "utf-16", "hz", "iso-2022-kr", "utf-32", "big5"]))
@settings(max_examples=300, deadline=None)
def test_decoding_never_raises(data: bytes, charset: str) -> None:
    assert isinstance(decode(data, charset, guess=True), str)


JAPANESE = st.text(st.sampled_from("申告迷惑メールのごかくにんをソ能表①㈱ｱｲ aZ1"), min_size=1, max_size=40)


@given(JAPANESE, st.sampled_from(["ISO-2022-JP", "Shift_JIS", "EUC-JP", "UTF-8"]))
@settings(max_examples=300, deadline=None)
def test_what_was_encoded_comes_back(text: str, charset: str) -> None:
    assert decode(ENCODERS[charset](text), charset) == text
