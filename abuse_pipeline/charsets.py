"""Bytes to text, with the charsets of Japanese mail at home.

Declared names are hints: Shift_JIS means CP932, ISO-2022-JP means CP50221 and EUC-JP means CP51932 (what the mailers
that use these names really send: NEC row 13, IBM extensions, JIS X 0201 kana). All three go through Python's `cp932`
tables, so that one character has one code point whichever charset carried it. Nothing here raises on bad bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from encodings import normalize_encoding
from encodings.aliases import aliases

_ESCAPE = re.compile(rb"\x1b(?:\$[@B]|\$\([@BDOQ]|\([BJHI]|&@)|[\x0e\x0f]")
_JAPANESE_ESCAPE = re.compile(rb"\x1b(?:\$[@B]|\$\([@BDOQ]|\([JI])")
_SAMPLE = 4096

# Names that Python does not know, or knows as a narrower charset than the one in use.
_JAPANESE = {
    "iso2022": (
        "iso2022jp iso2022jp1 iso2022jp2 iso2022jp3 iso2022jp2004 iso2022jpext csiso2022jp csiso2022jp2 iso2022jpms "
        "cp50220 cp50221 cp50222 xwindows50220 xwindows50221 windows50220 windows50221 jis xjis"
    ),
    "cp932": (
        "shiftjis sjis xsjis cp932 ms932 mskanji csshiftjis windows31j cswindows31j ms31j windows932 xmscp932 sjiswin "
        "shiftjis2004 sjis2004 shiftjisx0213 sjisx0213 ibm943 cp943 cp943c xibm943 shift jisx0208"
    ),
    "eucjp": (
        "eucjp xeucjp ujis cp51932 eucjpms eucjpwin eucjp2004 eucjisx0213 eucjis2004 cseucpkdfmtjapanese u90asc "
        "extendedunixcodepackedformatforjapanese"
    ),
}
_FAMILY = {name: family for family, names in _JAPANESE.items() for name in names.split()}

# Codecs that are no charset of mail: UTF-7 hides markup (RFC 2152), the others are Python's own or not text.
_NOT_OF_MAIL = (
    "utf_7 idna punycode unicode_escape raw_unicode_escape unicode_internal undefined mbcs oem rot_13 base64_codec "
    "bz2_codec hex_codec quopri_codec uu_codec zlib_codec"
)
_REFUSED = frozenset(_NOT_OF_MAIL.split())
_KNOWN = (frozenset(aliases.values()) | {"utf_8_sig", "koi8_t", "koi8_u"}) - _REFUSED
_WIDER = {
    "latin_1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "ascii": "",
    "utf_8": "utf_8_sig",
}
_EXTRA = {
    "unicode11utf8": "utf_8_sig",
    "xgbk": "gb18030",
    "xbig5": "big5",
    "xmacjapanese": "cp932",
    "utf8mb4": "utf_8_sig",
}


def known_charset(name: str) -> str:
    """The decoder for a charset name as mail declares it: a Python codec, "iso2022", "cp932" or "eucjp"; "" if none.

    "" also for US-ASCII (a promise that decides nothing) and for codecs that are no charset (UTF-7, rot13, ...).
    """
    if len(name) > 64 or not name.isascii():
        return ""
    plain = normalize_encoding(name.strip(" \t'\"").lower()).replace("-", "_")
    tight = plain.replace("_", "")
    if tight in _FAMILY:
        return _FAMILY[tight]
    if tight in _EXTRA:
        return _EXTRA[tight]
    codec = aliases.get(plain, plain)
    if codec not in _KNOWN:
        codec = aliases.get(re.sub(r"^x_", "", plain), re.sub(r"^x_", "", plain).replace("windows_", "cp"))
    return _WIDER.get(codec, codec) if codec in _KNOWN else ""


def decode(data: bytes, declared: str = "", *, guess: bool = False) -> str:
    """*data* as text: by the declared charset when it decodes strictly, else by what the bytes look like.

    Never raises. Order of detection: ISO-2022-JP escapes, UTF-8, CP932 or EUC-JP where the result reads as Japanese,
    with *guess* charset-normalizer on the first 4096 bytes (0.5 ms: for bodies, not for fields), then Windows-1252
    or Latin-1.
    """
    charset = known_charset(declared) if declared else ""
    if data.isascii() and charset[:6] not in ("utf_16", "utf_32"):
        return _decode_ascii(data, charset)
    if charset != "iso2022" and (text := _japanese_escapes(data)) is not None:
        return text
    if charset and (text := strictly(data, charset)) is not None:
        return text
    return _detect(data, charset, guess)


def strictly(data: bytes, charset: str) -> str | None:
    """*data* decoded by a charset of `known_charset`, or None when a byte does not fit."""
    try:
        if charset in _DECODERS:
            return _DECODERS[charset](data)
        return data.decode(charset)
    except (UnicodeError, LookupError):
        return None


def _decode_ascii(data: bytes, charset: str) -> str:
    if b"\x1b" in data or charset == "iso2022":
        text = strictly(data, "iso2022")
        if text is None and _JAPANESE_ESCAPE.search(data):
            text = _iso2022(data, "replace")
        if text is not None:
            return text
    if charset == "hz" and (text := strictly(data, charset)) is not None:
        return text
    if charset.startswith("iso2022_") and (text := strictly(data, charset)) is not None:
        return text
    return data.decode("ascii")


def _japanese_escapes(data: bytes) -> str | None:
    """ISO-2022-JP in 8-bit data (kana as JIS8), whatever the label says; None without its escapes."""
    return strictly(data, "iso2022") if _JAPANESE_ESCAPE.search(data) else None


def _detect(data: bytes, declared: str, guess: bool) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") and (text := strictly(data, "utf_16")) is not None:
        return text
    if (text := strictly(data, "utf_8_sig")) is not None:
        return text
    if _mostly_utf8(data):
        return data.decode("utf-8", "replace")
    if (text := _most_japanese(data)) is not None:
        return text
    if declared:
        # It was written in the declared charset and damaged (cut inside a character, for one): keep what can be read.
        return _leniently(data, declared)
    if guess and (text := _guess(data)) is not None:
        return text
    return strictly(data, "cp1252") or data.decode("latin-1")


def _leniently(data: bytes, charset: str) -> str:
    if charset == "iso2022":
        return _iso2022(data, "replace")
    if charset == "eucjp":
        return data.decode("euc_jp", "replace")
    if charset == "cp1252":
        return data.decode("latin-1")
    try:
        return data.decode(charset, "replace")
    except (UnicodeError, LookupError):
        return data.decode("latin-1")


def _mostly_utf8(data: bytes) -> bool:
    """A UTF-8 text with a few wrong bytes, as a cut leaves it; no other charset gives so many valid sequences."""
    text = data[:_SAMPLE].decode("utf-8", "replace")
    return text.count("\ufffd") * 10 < sum(1 for char in text if char > "\x7f")


def _most_japanese(data: bytes) -> str | None:
    """The better of CP932 and EUC-JP, when one of them makes Japanese of *data*."""
    best, best_score = "", 0.0
    for charset in ("eucjp", "cp932"):
        text = strictly(data, charset)
        if text is not None and (score := _japaneseness(text[:_SAMPLE], charset)) > best_score:
            best, best_score = text, score
    return best if best_score >= 0.7 else None


_KANA = re.compile("[\u3041-\u30fe]")
_WIDE = re.compile("[\u2000-\u2fff\u3000-\u33ff\u4e00-\u9fff\uff01-\uff5e\uffe0-\uffe6]")
_KANJI_RUN = re.compile("[\u4e00-\u9fff]{2,}")
_HALF = re.compile("[\uff61-\uff9f]{2,}")
_SHORT = 100


def _japaneseness(text: str, charset: str) -> float:
    """Share of the non-ASCII characters that are kana, kanji or full-width forms; half-width kana count half.

    Latin-1, Chinese or Korean text that happens to fit CP932 or EUC-JP gives kanji but next to no kana. Only a short
    text (a name, a subject) may do without, when common kanji stand side by side: misread Latin-1 gives rare ones.
    """
    foreign = sum(1 for char in text if char > "\x7f")
    if not foreign:
        return 0.0
    half = sum(len(run) for run in _HALF.findall(text))
    if half == foreign:
        return 1.1 if charset == "eucjp" else 0.85  # each of them carries its own mark (SS2) in EUC-JP
    if not _KANA.search(text):
        runs = "".join(_KANJI_RUN.findall(text))
        common = sum(1 for char in runs if _is_level_1(char))
        if foreign > _SHORT or 3 * common < foreign - half or 2 * common < len(runs):
            return 0.0
    return (len(_WIDE.findall(text)) + 0.5 * half) / foreign


def _is_level_1(kanji: str) -> bool:
    """JIS X 0208 level 1: the 2,965 kanji in common use, rows 16 to 47."""
    return b"\x88\x9f" <= kanji.encode("cp932", "replace") <= b"\x98\x72"


_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{2,}")

# Without Central European, Mac and EBCDIC pages, which charset-normalizer likes to see in short Western text.
_GUESSES = ["cp1252", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp874", "gb18030", "big5", "cp949"]


def _guess(data: bytes) -> str | None:
    """By charset-normalizer, where foreign bytes stand in words; single ones are Western accents and quotes."""
    foreign = len(_HIGH.findall(data, 0, _SAMPLE))
    if 2 * sum(map(len, _HIGH_RUN.findall(data, 0, _SAMPLE))) < foreign:
        return None
    from charset_normalizer import from_bytes  # 20 ms to import, and only damaged or exotic mail needs it

    sample = data[:_SAMPLE]
    best = from_bytes(sample, steps=3, chunk_size=512, enable_fallback=False, cp_isolation=_GUESSES).best()
    return strictly(data, best.encoding) if best is not None else None


def _iso2022(data: bytes, errors: str = "strict") -> str:
    """ISO-2022-JP (RFC 1468) as CP50221 and CP50222: also ESC ( I kana, SO/SI kana, 8-bit kana, JIS X 0212.

    Raises UnicodeDecodeError on what does not fit, unless *errors* is "replace".
    """
    out: list[str] = []
    single, position = "B", 0
    shift_from = ""
    for found in _ESCAPE.finditer(data):
        out.append(_iso2022_run(data[position : found.start()], single, errors))
        escape, position = found[0], found.end()
        if escape == b"\x0e":
            shift_from, single = single, "I"
        elif escape == b"\x0f":
            single, shift_from = shift_from or "B", ""
        elif escape.startswith(b"\x1b$("):
            single = {"D": "$D", "O": "$O", "Q": "$O"}.get(chr(escape[3]), "$B")
        elif escape.startswith(b"\x1b$"):
            single = "$B"
        elif escape.startswith(b"\x1b("):
            single = chr(escape[2])
    out.append(_iso2022_run(data[position:], single, errors))
    return "".join(out)


def _iso2022_run(run: bytes, designated: str, errors: str) -> str:
    if not run:
        return ""
    if designated == "I":
        return bytes(byte | 0x80 if 0x21 <= byte <= 0x5F else byte for byte in run).decode("cp932", errors)
    if designated[0] != "$":
        if run.isascii():
            return run.decode("ascii")
        if errors == "strict" and not all(byte < 0x80 or 0xA1 <= byte <= 0xDF for byte in run):
            raise UnicodeDecodeError("iso2022", run, 0, 1, "a byte that is neither ASCII nor JIS X 0201 kana")
        return run.decode("cp932", errors)
    # A line end returns to ASCII (RFC 1468), although many mailers forget the escape before it.
    first, newline, rest = run.partition(b"\n")
    text = _double_byte(first.rstrip(b"\r"), designated, errors)
    tail = _iso2022_run(rest, "B", errors) if newline else ""
    return text + ("\n" if newline else "") + tail


def _double_byte(run: bytes, designated: str, errors: str) -> str:
    if not run:
        return ""
    if designated == "$D":
        return _jis_0212(run, errors)
    if designated == "$O":
        return (b"\x1b$(O" + run).decode("iso2022_jp_3", errors)
    return _jis_to_shift_jis(bytes(byte & 0x7F for byte in run), errors).decode("cp932", errors)


def _jis_0212(run: bytes, errors: str) -> str:
    high = bytes(byte | 0x80 for byte in run)
    pairs = [b"\x8f" + high[at : at + 2] for at in range(0, len(high), 2)]
    return b"".join(pairs).decode("euc_jp", errors)


def _jis_to_shift_jis(run: bytes, errors: str) -> bytes:
    """Pairs of JIS X 0208 bytes (0x21-0x7E) as Shift_JIS; blanks and other control bytes stand for themselves."""
    out = bytearray()
    at, end = 0, len(run)
    while at < end:
        first = run[at]
        second = run[at + 1] if at + 1 < end else 0
        if 0x21 <= first <= 0x7E and 0x21 <= second <= 0x7E:
            out.append(((first + 1) >> 1) + (0x70 if first < 0x5F else 0xB0))
            out.append(second + (0x1F + (second > 0x5F) if first & 1 else 0x7E))
            at += 2
            continue
        if errors == "strict" and 0x21 <= first <= 0x7E:
            raise UnicodeDecodeError("iso2022", run, at, at + 1, "half a double-byte character")
        out.append(first if first <= 0x20 else 0x3F)
        at += 1
    return bytes(out)


# Where Python's JIS codecs and its cp932 give one character two code points; there is no other difference between them.
_AS_CP932 = str.maketrans("\u301c\u2016\u2212\xa2\xa3\xac", "\uff5e\u2225\uff0d\uffe0\uffe1\uffe2")
_ONLY_OURS = re.compile(rb"\x1b\(J|[\x0e\x0f]")


def _plain_iso2022(data: bytes) -> str:
    """`_iso2022` by way of the C codec (20 times faster), which lacks NEC row 13, the extensions and the kana."""
    if _ONLY_OURS.search(data) is None:
        with suppress(UnicodeDecodeError):  # then the slow way decides
            return data.decode("iso2022_jp").translate(_AS_CP932)
    return _iso2022(data)


def _plain_eucjp(data: bytes) -> str:
    """`_eucjp` by way of the C codec, where it suffices."""
    try:
        return data.decode("euc_jp").translate(_AS_CP932)
    except UnicodeDecodeError:
        return _eucjp(data)


_EUC_RUN = re.compile(
    rb"([\x00-\x7f]+)|((?:[\xa1-\xfe][\xa1-\xfe])+)|((?:\x8e[\xa1-\xdf])+)|((?:\x8f[\xa1-\xfe][\xa1-\xfe])+)"
)


def _eucjp(data: bytes) -> str:
    """EUC-JP as CP51932 and eucJP-ms. Raises UnicodeDecodeError on what does not fit."""
    out: list[str] = []
    position = 0
    for found in _EUC_RUN.finditer(data):
        if found.start() != position:
            break
        position = found.end()
        ascii_run, pairs, kana, third = found.groups()
        if ascii_run is not None:
            out.append(ascii_run.decode("ascii"))
        elif pairs is not None:
            out.append(_jis_to_shift_jis(bytes(byte & 0x7F for byte in pairs), "strict").decode("cp932"))
        elif kana is not None:
            out.append(kana[1::2].decode("cp932"))
        else:
            out.append(third.decode("euc_jp"))
    if position != len(data):
        raise UnicodeDecodeError("eucjp", data, position, position + 1, "not EUC-JP")
    return "".join(out)


_DECODERS: dict[str, Callable[[bytes], str]] = {"iso2022": _plain_iso2022, "eucjp": _plain_eucjp}
