"""Header fields from bytes: unfolding (RFC 5322 section 2.2.3), encoded-words (RFC 2047), parameters (RFC 2231).

Readers disagree about headers (case of names, raw bytes, encoded-words cut inside a character), so the desk reads
them itself, from the bytes. Linear in the length of the input; nothing here raises.
"""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote_to_bytes

from abuse_pipeline.charsets import decode

Field = tuple[str, bytes]

_LOGICAL_LINE = re.compile(rb"[^\n]+(?:\n[ \t][^\n]*)*\n?")
_BREAK = re.compile(r"[\r\n]+")
_MBOX = (b"From ", b">From ")
_NO_FIELD = (*_MBOX, b" ", b"\t")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_WORD = re.compile(rb"=\?([^?\s]{1,75})\?([bBqQ])\?([^?\r\n]*)\?=")
_BETWEEN_WORDS = re.compile(rb"[ \t\r\n]*")


def header_length(raw: bytes) -> int:
    """Bytes up to the blank line that ends the header, all of *raw* when there is none."""
    if raw[:1] == b"\n" or raw[:2] == b"\r\n":
        return 0
    crlf = raw.find(b"\n\r\n")
    lf = raw.find(b"\n\n", 0, crlf + 1 if crlf >= 0 else len(raw))
    blank = lf if lf >= 0 else crlf
    return blank + 1 if blank >= 0 else len(raw)


def starts_with_field(raw: bytes) -> bool:
    """Whether *raw* begins as a header does: with a field or with an mbox ``From `` line."""
    return _NAME.match(raw) is not None or raw.startswith(_MBOX)


def split_fields(raw: bytes) -> tuple[Field, ...]:
    """The fields of the header at the start of *raw*, topmost first, values unfolded and otherwise as written.

    An mbox ``From `` line is passed over, and so is a field whose name is not printable ASCII. A line without a colon
    ends the header: what follows is body, as Postfix, the stdlib and fast-mail-parser have it.
    """
    fields: list[Field] = []
    for found in _LOGICAL_LINE.finditer(raw, 0, header_length(raw)):
        line = found[0]
        named = _NAME.match(line)
        if named is not None:
            value = line[named.end() :].strip()
            if b"\n" in value or b"\r" in value:
                value = value.replace(b"\r\n", b"").replace(b"\n", b"").replace(b"\r", b" ")
            fields.append((named[1].decode("ascii"), value))
        elif _ends_header(found):
            break
    return tuple(fields)


def first(fields: tuple[Field, ...], name: str) -> bytes:
    """The value of the topmost field of that name (lower case), b"" when there is none."""
    return next((value for key, value in fields if key.lower() == name), b"")


def body_of(raw: bytes) -> bytes:
    """What follows the header of *raw*: after the blank line, or from the line on that ends the header."""
    end = header_length(raw)
    for found in _LOGICAL_LINE.finditer(raw, 0, end):
        if _ends_header(found):
            return raw[found.start() :]
    return raw[end:].removeprefix(b"\r").removeprefix(b"\n")


def _ends_header(line: re.Match[bytes]) -> bool:
    """Whether a folded line of the header block cannot be a field: there is no colon in it."""
    text = line[0]
    return b":" not in text.partition(b"\n")[0] and not (line.start() == 0 and text.startswith(_NO_FIELD))


def decode_value(value: bytes) -> str:
    """A field value as text: encoded-words decoded (RFC 2047), raw 8-bit and ISO-2022-JP bytes by detection.

    Line breaks that encoded-words bring in become blanks: whoever copies the value must not write a new field.
    """
    if b"=?" not in value:
        return decode(value)
    out: list[str] = []
    run: list[tuple[str, str, bytes]] = []
    position = 0
    for found in _WORD.finditer(value):
        gap = value[position : found.start()]
        if gap and not (run and _BETWEEN_WORDS.fullmatch(gap)):
            out.append(_decode_words(run))
            out.append(decode(gap))
            run = []
        charset = found[1].decode("latin-1").partition("*")[0].lower()
        run.append((charset, found[2].decode("ascii").lower(), found[3]))
        position = found.end()
    out.append(_decode_words(run))
    out.append(decode(value[position:]))
    return _BREAK.sub(" ", "".join(out))


def _decode_words(words: list[tuple[str, str, bytes]]) -> str:
    """Adjacent encoded-words; those of one charset are joined as bytes first: many mailers cut inside a character."""
    out: list[str] = []
    at = 0
    while at < len(words):
        charset, end = words[at][0], at
        while end < len(words) and words[end][0] == charset:
            end += 1
        out.append(decode(_word_bytes(words[at:end]), charset))
        at = end
    return "".join(out)


def _word_bytes(words: list[tuple[str, str, bytes]]) -> bytes:
    out: list[bytes] = []
    pending = b""
    for _, encoding, text in words:
        if encoding == "b":
            text = pending + text
            # Base64 cut at any character: what is no whole group belongs to the next word.
            cut = len(text) - len(text) % 4 if b"=" not in text else len(text)
            out.append(lenient_base64(text[:cut]))
            pending = text[cut:]
        else:
            out.append(lenient_base64(pending))
            pending = b""
            out.append(binascii.a2b_qp(text, header=True))
    out.append(lenient_base64(pending))
    return b"".join(out)


def decode_transfer(encoded: bytes, encoding: str) -> bytes:
    """A body without its transfer encoding (RFC 2045 section 6), leniently; unknown encodings leave it as it is."""
    encoding = encoding.strip().lower()
    if encoding == "base64":
        return lenient_base64(encoded)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(encoded)
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        return lenient_uuencode(encoded)
    return encoded


_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))


def lenient_base64(text: bytes) -> bytes:
    """What can be decoded of damaged base64: foreign characters are skipped, missing padding is added."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        clean = text.translate(None, _NOT_BASE64)
        if len(clean) % 4 == 1:
            clean = clean[:-1]
        return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def lenient_uuencode(text: bytes) -> bytes:
    """The decoded body of a uuencoded part, up to its end or the first damaged line; *text* when nothing begins."""
    begin = _UU_BEGIN.search(text)
    if begin is None:
        return text
    out: list[bytes] = []
    for line in text[begin.end() :].split(b"\n"):
        line = line.rstrip(b"\r")
        if line in (b"", b"end"):
            break
        # Some encoders pad wrongly: the count in the first character says how much of the line is meant.
        meant = (((line[0] - 32) & 63) * 4 + 5) // 3
        try:
            out.append(binascii.a2b_uu(line[:meant]))
        except binascii.Error:
            break
    return b"".join(out)


_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\n]*\n", re.MULTILINE)
_PARAMETER = re.compile(rb';\s*([!#$&+.^_`|~*%\'0-9A-Za-z{}-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;]*))', re.DOTALL)
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*)?")
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPE = b"\x1b"


def parameters(value: bytes) -> dict[str, str]:
    """The parameters of a Content-Type or Content-Disposition value, names in lower case, decoded.

    RFC 2231 continuations and charsets, encoded-words inside values (forbidden by RFC 2047, sent by everyone) and raw
    8-bit bytes. The first of two equal names counts.
    """
    found: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for match in _PARAMETER.finditer(value):
        text = match[3].strip() if match[2] is None else _unquote(match[2])
        shape = _SECTION.fullmatch(match[1].decode("ascii").lower())
        if shape is None:
            continue
        if shape[2] is None and shape[3] is None:
            found.setdefault(shape[1], decode_value(text))
        else:
            sections.setdefault(shape[1], {}).setdefault(int(shape[2] or 0), (text, shape[3] is not None))
    for name, pieces in sections.items():
        found[name] = _join_sections(pieces)
    return found


def _unquote(text: bytes) -> bytes:
    # In Shift_JIS and ISO-2022-JP a backslash byte may be half a character; only \" and \\ are undone then.
    if text.isascii() and _ESCAPE not in text:
        return _QUOTED_PAIR.sub(rb"\1", text)
    return text.replace(b'\\"', b'"')


def _join_sections(pieces: dict[int, tuple[bytes, bool]]) -> str:
    charset = ""
    out: list[bytes] = []
    for number, (text, encoded) in sorted(pieces.items()):
        if encoded:
            if number == 0 and text.count(b"'") >= 2:
                name, _, text = text.split(b"'", 2)
                charset = name.decode("latin-1")
            text = unquote_to_bytes(text)
        out.append(text)
    joined = b"".join(out)
    return decode(joined, charset) if charset else decode_value(joined)
