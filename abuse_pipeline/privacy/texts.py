"""Everything that a finished message says, in any encoding that a mail program, a browser or a patient reader undoes.

`texts_of` gives the decoded texts: headers and parts by their declared encodings, and from each text what its entities,
percent signs, base64 and hexadecimal runs, escapes, A-labels and archives hold, several times over.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import html
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from urllib.parse import unquote_to_bytes

from abuse_pipeline.errors import LimitExceeded

_ROUNDS = 3
_APART = "\n\n"
_MOST_CHARACTERS = 8_000_000
_WORD_GROUP = re.compile(r"=\?[^?\s]+\?[bq]\?[^?\s]*\?=(?:\s+=\?[^?\s]+\?[bq]\?[^?\s]*\?=)*", re.IGNORECASE)
_WORD = re.compile(r"=\?([^?\s]+)\?([bq])\?([^?\s]*)\?=", re.IGNORECASE)
_FOLDED_BASE64 = re.compile(r"(?<=[A-Za-z0-9+/_-]{48})[ \t]*\r?\n[ \t]*(?=[A-Za-z0-9+/=_-])")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}|[A-Za-z0-9+/_-]{5,}={1,2}")
_HEX = re.compile(r"(?:(?:0x|\\x)?[0-9A-Fa-f]{2}[ :,;-]?){4,}")
_NOT_HEX = re.compile(r"0x|\\x|[^0-9A-Fa-f]")
_SHORTEST_DIGEST = 32
_PLAIN_WORD = re.compile(r"[A-Za-z]?[a-z]+(?:[-/_+][a-z]+)*")
_QP = re.compile(r"[^\s=]*(?:=[0-9A-Fa-f]{2}|=\r?\n)(?:[^\s=]|=[0-9A-Fa-f]{2}|=\r?\n)*")
_PERCENT = re.compile(r"[^\s%]*%[0-9A-Fa-f]{2}\S*")
_ESCAPES = re.compile(r"\\(?:u\{?([0-9A-Fa-f]{4,6})\}?|x([0-9A-Fa-f]{2}))")
_A_LABEL = re.compile(r"xn--[A-Za-z0-9-]{1,59}", re.IGNORECASE)
_UTF_7 = re.compile(r"[!-~]*\+[A-Za-z0-9/]{2,}[!-~]*")
_MARKUP = re.compile(r"<(?:!--|/?[A-Za-z][^<>@]{0,2000}>|/)|</?[A-Za-z]+>")
_TAG = re.compile(r"<!--.*?-->|<[^<>]{0,2000}>", re.DOTALL)
_BARE_JIS = re.compile(r"\x1b?\$[@B]((?:[!-~]{2})+?)\x1b?\([BJ]")


class TooMuchToRead(LimitExceeded):
    """The message unfolds into more text than the gate reads; it is held."""


def texts_of(message: bytes) -> tuple[list[str], set[str]]:
    """The decoded texts of *message*, and every hexadecimal or base64 run in them that may be a digest, as lower-case
    hexadecimal. Raises TooMuchToRead."""
    level = list(dict.fromkeys(_outer_texts(message)))
    texts, seen, digests = list(level), set(level), set[str]()
    for _ in range(_ROUNDS):
        # One string for a whole layer: what unfolds from it stays together, and a round costs one pass.
        new = dict.fromkeys(_unfolded(_APART.join(level), digests))
        level = [text for text in new if text and text not in seen]
        if not level:
            break
        seen.update(level)
        texts.extend(level)
        if sum(map(len, texts)) > _MOST_CHARACTERS:
            raise TooMuchToRead("the message unfolds into too much text")
    return texts, digests


def decodings(data: bytes) -> Iterator[str]:
    """*data* as text in each charset that Japanese mail uses."""
    if data.isascii():
        yield data.decode("ascii")
    else:
        for charset in ("utf-8", "cp932", "euc_jp"):
            yield data.decode(charset, "ignore")
    if b"\x1b" in data:
        yield data.decode("iso2022_jp_ext", "ignore")
    if data.count(0) * 4 >= len(data) > 0:
        for start in (0, 1):
            yield data[start:].decode("utf-16-le", "ignore")
            yield data[start:].decode("utf-16-be", "ignore")


def _unpacked(data: bytes) -> Iterator[str]:
    """What *data* holds when it is a gzip or zip. Raises TooMuchToRead when that cannot be read: it may not leave."""
    if data[:4] != b"PK\x03\x04" and data[:2] != b"\x1f\x8b":
        return
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(data)) as packed:
                content = packed.read(_MOST_CHARACTERS + 1)
        except (OSError, EOFError, zlib.error):
            raise TooMuchToRead("an archive in the message cannot be opened") from None
        yield from _bounded(content)
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                yield entry.filename
                with archive.open(entry) as packed_file:
                    yield from _bounded(packed_file.read(_MOST_CHARACTERS + 1))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        raise TooMuchToRead("an archive in the message cannot be opened") from None


def _bounded(content: bytes) -> Iterator[str]:
    if len(content) > _MOST_CHARACTERS:
        raise TooMuchToRead("an archive in the message unfolds into too much")
    yield from decodings(content)


def _outer_texts(message: bytes) -> Iterator[str]:
    """The parts as declared, and the raw bytes without those encoded bodies and words that were decoded: in what is
    left, base64 would be searched at the wrong places and our own text could not be told apart."""
    rest = message
    for part in message_from_bytes(message).walk():
        for name in (part.get_filename(), part.get_param("name")):
            if name:
                yield str(name if isinstance(name, str) else name[2])
        if part.is_multipart():
            continue
        written = part.get_payload()
        content = part.get_payload(decode=True)
        if not isinstance(written, str) or not isinstance(content, bytes):
            continue
        yield from _declared(part, content)
        yield from decodings(content)
        yield from _unpacked(content)
        if _fully_decoded(part, written):
            rest = rest.replace(written.encode("ascii", "surrogateescape"), b"\n", 1)
    for text in decodings(rest):
        yield _WORD_GROUP.sub(lambda group: _joined_words(group.group()), text)


def _declared(part: Message, content: bytes) -> Iterator[str]:
    charset = part.get_content_charset()
    if not charset:
        return
    try:
        yield content.decode(charset, "ignore")
    except LookupError:
        return  # a charset that Python does not know; `decodings` tries its own


def _fully_decoded(part: Message, written: str) -> bool:
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding == "base64":
        return re.fullmatch(r"[A-Za-z0-9+/\r\n]*={0,2}\s*", written) is not None
    return encoding == "quoted-printable"


def _joined_words(group: str) -> str:
    """Adjacent encoded words (RFC 2047) as text, joined before decoding: mailers split characters between words. Each
    charset's reading stands on a line of its own; what cannot be decoded stays as it was written."""
    runs: list[tuple[str, bytes]] = []
    for charset, encoding, text in _WORD.findall(group):
        try:
            piece = base64.b64decode(text + "===") if encoding in "bB" else binascii.a2b_qp(text, header=True)
        except ValueError:
            return group
        if runs and runs[-1][0] == charset.lower():
            piece = runs.pop()[1] + piece
        runs.append((charset.lower(), piece))
    readings = ["".join(_in_charset(content, charset) for charset, content in runs)]
    readings += decodings(b"".join(content for _, content in runs))
    return "\n".join(dict.fromkeys(readings))


def _in_charset(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset, "ignore")
    except LookupError:
        return ""  # `decodings` tries its own charsets


def _unfolded(text: str, digests: set[str]) -> Iterator[str]:
    """What one layer of encoding in *text* hides."""
    if "&" in text:
        yield html.unescape("\n".join(line for line in text.split("\n") if "&" in line))
    if "<" in text and _MARKUP.search(text):
        yield _TAG.sub("", text)
    if "%" in text and (runs := _PERCENT.findall(text)):
        yield from decodings(unquote_to_bytes("\n".join(runs)))
    if "=" in text and (runs := _QP.findall(text)):
        yield from decodings(binascii.a2b_qp("\n".join(runs).encode("utf-8", "ignore")))
    if "\\" in text and _ESCAPES.search(text):
        yield _ESCAPES.sub(_escaped, text)
    if "xn--" in text.lower():
        yield _A_LABEL.sub(lambda found: _label(found.group()), text)
    if "$" in text and (hidden := _BARE_JIS.findall(text)):
        yield "\n".join(f"\x1b$B{run}\x1b(B".encode("latin-1").decode("iso2022_jp", "ignore") for run in hidden)
    if "+" in text and (runs := _UTF_7.findall(text)):
        yield "\n".join(runs).encode("ascii", "ignore").decode("utf-7", "ignore")
    yield from _hexadecimal(text, digests)
    yield from _base64(text, digests)


def _escaped(found: re.Match[str]) -> str:
    code = int(found[1] or found[2], 16)
    return chr(code) if code < 0x110000 else ""


def _label(label: str) -> str:
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return ""


def _hexadecimal(text: str, digests: set[str]) -> Iterator[str]:
    pieces: list[bytes] = []
    for found in _HEX.finditer(text):
        digits = _NOT_HEX.sub("", found.group())
        if len(digits) >= _SHORTEST_DIGEST:
            digests.add(digits.lower())
        for start in (0, 1):
            pieces.append(bytes.fromhex(digits[start : start + (len(digits) - start) // 2 * 2]))
    yield from decodings(b"\n".join(pieces))


def _base64(text: str, digests: set[str]) -> Iterator[str]:
    """Every run that may be base64, decoded from each of the four places where a group may begin."""
    pieces: dict[int, list[bytes]] = {0: [], 1: [], 2: [], 3: []}
    for found in _BASE64.finditer(_FOLDED_BASE64.sub("", text)):
        if _PLAIN_WORD.fullmatch(found.group()):
            continue
        run = found.group().rstrip("=").replace("-", "+").replace("_", "/")
        for start, gathered in pieces.items():
            gathered.append(_group_decoded(run[start:]))
        if len(pieces[0][-1]) in (16, 20, 32, 64):
            digests.add(pieces[0][-1].hex())
    for gathered in pieces.values():
        for piece in gathered:
            yield from _unpacked(piece)
            if piece.count(0) * 4 >= len(piece):
                yield from decodings(piece)
        yield from decodings(b"\n".join(gathered))


def _group_decoded(run: str) -> bytes:
    if len(run) % 4 == 1:
        run = run[:-1]
    return binascii.a2b_base64(run + "=" * (-len(run) % 4))
