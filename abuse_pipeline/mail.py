"""The one safe, bounded view of a message that everything else uses.

`read_mail` reads with fast-mail-parser's lazy tree first and with mail-parser when that refuses. Nothing but our own
ReportError comes out of this module, whatever the bytes are. Headers are read from the bytes by `fields`, text by
`charsets`: there the readers disagree, and are wrong about Japanese mail.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from functools import cached_property, partial

from fast_mail_parser import DecodeError, ParseError, PyLazyMimePart, parse_email_tree, walk

from abuse_pipeline import second_reader
from abuse_pipeline.charsets import decode
from abuse_pipeline.errors import LimitExceeded, MalformedMessage
from abuse_pipeline.fields import (
    Field,
    body_of,
    decode_transfer,
    decode_value,
    first,
    header_length,
    parameters,
    split_fields,
    starts_with_field,
)
from abuse_pipeline.html_text import html_to_text
from abuse_pipeline.places import Place
from abuse_pipeline.settings import MailLimits

EMBEDDED = frozenset({"message/rfc822", "message/global", "message/news"})
"""Content types whose content is a message of its own (RFC 2046 section 5.2.1, RFC 6532 section 3.7)."""


@dataclass(frozen=True, eq=False)
class Part:
    """One node of the MIME tree (RFC 2045, 2046).

    content_type: lower-case ``type/subtype`` without parameters. headers: (name as written, unfolded value) in order.
    filename: decoded (RFC 2231, RFC 2047), "" when there is none. disposition: lower case, "" when there is none.
    charset: as declared, lower case, "" when undeclared. children: of a multipart; empty for a leaf.
    message: the embedded message of a message/rfc822 (or message/global) part, else None.
    """

    content_type: str
    children: tuple[Part, ...] = ()
    _fields: Callable[[], tuple[tuple[str, bytes], ...]] = field(default=tuple, repr=False)
    _load: Callable[[], bytes] = field(default=bytes, repr=False)
    _embedded: Callable[[], Mail] | None = field(default=None, repr=False)

    @cached_property
    def _raw_fields(self) -> tuple[tuple[str, bytes], ...]:
        return self._fields()

    @cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, decode_value(value)) for name, value in self._raw_fields)

    @cached_property
    def _type_parameters(self) -> dict[str, str]:
        return parameters(first(self._raw_fields, "content-type"))

    @cached_property
    def disposition(self) -> str:
        value = first(self._raw_fields, "content-disposition").partition(b";")[0]
        return value.decode("ascii", "replace").strip().lower()

    @cached_property
    def filename(self) -> str:
        named = parameters(first(self._raw_fields, "content-disposition")).get("filename", "")
        return named or self._type_parameters.get("name", "")

    @cached_property
    def charset(self) -> str:
        return self._type_parameters.get("charset", "").strip().lower()

    @cached_property
    def message(self) -> Mail | None:
        return self._embedded() if self._embedded is not None else None

    @cached_property
    def _content(self) -> bytes:
        return self._load()

    @cached_property
    def _text(self) -> str:
        return decode(self.content(), self.charset, guess=True).replace("\r\n", "\n").replace("\r", "\n")

    def content(self) -> bytes:
        """The transfer-decoded bytes of a leaf; b"" for a container. Damaged encodings give what can be decoded."""
        return self._content

    def text(self) -> str:
        """The leaf's content as text: declared charset if it fits, else detected. Line ends are ``\\n``.

        Never raises on bad bytes.
        """
        return self._text


@dataclass(frozen=True, eq=False)
class Mail:
    """A message as read. raw: its bytes. root: its MIME tree. reader: which one made it. defects: what was repaired."""

    raw: bytes = field(repr=False)
    root: Part = field(repr=False)
    reader: str
    defects: tuple[str, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, list[bytes]]:
        named: dict[str, list[bytes]] = {}
        for name, value in self.root._raw_fields:
            named.setdefault(name.lower(), []).append(value)
        return named

    def header(self, name: str) -> str | None:
        """First value of the field, unfolded, RFC 2047 decoded; None when absent."""
        found = self._by_name.get(name.lower())
        return decode_value(found[0]) if found else None

    def headers(self, name: str) -> tuple[str, ...]:
        """All values of the field, topmost first, unfolded, RFC 2047 decoded."""
        return tuple(decode_value(value) for value in self._by_name.get(name.lower(), ()))

    def raw_headers(self, name: str) -> tuple[str, ...]:
        """All values of the field, topmost first, unfolded and otherwise as written (for Received)."""
        return tuple(decode(value) for value in self._by_name.get(name.lower(), ()))

    def all_headers(self) -> tuple[tuple[str, str], ...]:
        """Every field of the message header as (name as written, unfolded value, RFC 2047 decoded)."""
        return self.root.headers

    def walk(self) -> Iterator[Part]:
        """Every part, depth first, root included; does not enter embedded messages."""
        waiting = [self.root]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.children))

    def text(self) -> str:
        """The body as people read it: the text/plain leaves joined, or text/html rendered when there is no plain text;
        attachments and embedded messages left out."""
        bodies = [part for part in self.walk() if part.disposition != "attachment" and not part.children]
        plain = [part.text() for part in bodies if part.content_type == "text/plain"]
        if any(text.strip() for text in plain):
            return "\n".join(plain)
        return "\n".join(html_to_text(part.text()) for part in bodies if part.content_type == "text/html")


def read_mail(raw: bytes, limits: MailLimits) -> Mail:
    """Read *raw* as a message (RFC 5322, MIME).

    Raises MalformedMessage when no reader makes a message of it, LimitExceeded past a cap of *limits*. Decoded sizes
    are estimated from encoded ones before anything is decoded: a quoted-printable body with bare LF line ends may
    reach twice its estimate.
    """
    if len(raw) > 2 * limits.max_decoded_bytes + limits.max_header_bytes:
        raise LimitExceeded(f"the message has {len(raw)} bytes, too many to read")
    return _read(raw, _Budget(limits), depth=0)


class _Budget:
    """What one message may still cost, embedded messages included."""

    def __init__(self, limits: MailLimits) -> None:
        self.limits = limits
        self.parts = 0
        self.bytes = 0

    def spend(self, size: int, depth: int) -> None:
        """Account for one part of *size* decoded bytes at *depth* (1 is the root). Raises LimitExceeded."""
        self.parts += 1
        self.bytes += size
        if depth > self.limits.max_depth:
            raise LimitExceeded(f"parts nest deeper than max_depth = {self.limits.max_depth}")
        if self.parts > self.limits.max_parts:
            raise LimitExceeded(f"more parts than max_parts = {self.limits.max_parts}")
        if self.bytes > self.limits.max_decoded_bytes:
            raise LimitExceeded(f"more content than max_decoded_bytes = {self.limits.max_decoded_bytes}")


def _read(raw: bytes, budget: _Budget, depth: int) -> Mail:
    """Read a message that stands *depth* levels below the outermost one."""
    readable, defects = _repaired(raw)
    cap = budget.limits.max_header_bytes
    if header_length(readable[: cap + 4]) > cap:
        raise LimitExceeded(f"the header has more than max_header_bytes = {cap} bytes")
    refused = _too_dear(readable)
    if not refused:
        try:
            node = parse_email_tree(readable, mode="lazy")
        except ParseError as refusal:
            refused = type(refusal).__name__
        else:
            if not (node.children and any(map(_is_hollow, walk(node)))) and not _is_hollow(node):
                place = Place(readable, len(node.children))
                return Mail(raw, _part(node, budget, depth + 1, place), "fast-mail-parser", defects)
            refused = "a multipart without parts"
    message = second_reader.read(readable, budget.limits)
    place = Place(readable, len(second_reader.children(message)))
    root = _second_part(message, budget, depth + 1, place)
    return Mail(raw, root, "mail-parser", (*defects, f"fast-mail-parser: {refused}"))


def _repaired(raw: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The bytes to read, and what had to be repaired in them so that both readers see the same header."""
    defects: list[str] = []
    if b"\n" not in raw and b"\r" in raw:
        raw = raw.replace(b"\r", b"\n")
        defects.append("bare CR line ends")
    if b"\r\r\n" in raw[: header_length(raw)]:
        raw = raw.replace(b"\r\r\n", b"\r\n")
        defects.append("CR CR LF line ends")
    blank = _BLANK_LINES.match(raw)
    if blank is not None and starts_with_field(raw[blank.end() : blank.end() + _LONG_LINE]):
        # Gmail's "show original", saved from a browser, begins with a line of blanks.
        raw = raw[blank.end() :]
        defects.append("blank lines before the header")
    elif raw and not starts_with_field(raw[:_LONG_LINE]) and raw[:1] not in b"\r\n":
        # fast-mail-parser takes any first line with a colon for a field: the first line of a bare text would be lost.
        raw = b"\n" + raw
        defects.append("no header")
    return raw, tuple(defects)


_LONG_LINE = 1000
_BLANK_LINES = re.compile(rb"(?:[ \t]{0,1000}\r?\n){1,10}")


def _too_dear(raw: bytes) -> str:
    """Why fast-mail-parser must not read this; "" when it may.

    It decodes every encoded-word of a field in quadratic time (0.8 MB of ``=?``: 18 s), and copies an embedded message
    once per level, up to 256 levels, before we learn of them (20 MB: 6 GB).
    """
    if raw.count(b"=?") > _MAX_WORDS:
        return "too many encoded-words"
    if len(raw) > _COPIED_SAFELY and _EMBEDS.search(raw):
        return "large, with embedded messages"
    return ""


_MAX_WORDS = 5_000
_COPIED_SAFELY = 2 * 1024 * 1024
_EMBEDS = re.compile(rb"message/(?:rfc822|global|news)|multipart/digest|content-type:\s*=\?", re.IGNORECASE)


def _part(node: PyLazyMimePart, budget: _Budget, depth: int, place: Place) -> Part:
    embedded: Callable[[], Mail] | None = None
    children: tuple[Part, ...] = ()
    if node.is_message:
        budget.spend(0, depth)
        raw, inner = node.content or b"", node.children[0]
        root = _part(inner, budget, depth + 1, Place(raw, len(inner.children)))
        embedded = partial(Mail, raw, root, "fast-mail-parser")
    else:
        budget.spend(_decoded_size(node), depth)
        children = tuple(
            _part(child, budget, depth + 1, Place(None, len(child.children), place, index))
            for index, child in enumerate(node.children)
        )
        if node.content_type in EMBEDDED:
            embedded = _embedded_leaf(_node_content(node, place), budget, depth)
    return Part(
        _valid_type(node.content_type),
        children,
        _fields=partial(_node_fields, node, place),
        _load=partial(_node_content, node, place),
        _embedded=embedded,
    )


def _is_hollow(node: PyLazyMimePart) -> bool:
    """Whether this is a multipart in which fast-mail-parser found nothing.

    Its boundary is missing or another one, or begins as the boundary of the multipart around it does (``==_`` and
    ``==_.REL``: it takes the one for the other). The second reader tells these apart.
    """
    if node.encoded_size is not None or node.is_message or len(node.children) > 1:
        return False
    return not any(child.headers or child.children or (child.encoded_size or 0) > 4 for child in node.children)


def _valid_type(content_type: str) -> str:
    """RFC 2045 section 5.2: what is no ``type/subtype`` is read as plain text."""
    return content_type if _TYPE.fullmatch(content_type) else "text/plain"


_TYPE = re.compile(r"[!#$&+.^_`|~*%'0-9a-z{}-]+/[!#$&+.^_`|~*%'0-9a-z{}-]+")


def _decoded_size(node: PyLazyMimePart) -> int:
    encoded = node.encoded_size or 0
    if encoded < _SMALL:  # not worth building the node's header
        return encoded
    return encoded * 3 // 4 if _encoding(node) == "base64" else encoded


_SMALL = 256


def _embedded_leaf(raw: bytes, budget: _Budget, depth: int) -> Callable[[], Mail] | None:
    """The message inside a leaf that its reader did not open; None when it cannot be read as one."""
    try:
        mail = _read(raw, budget, depth)
    except MalformedMessage:
        return None
    return lambda: mail


def _second_part(message: Message, budget: _Budget, depth: int, place: Place) -> Part:
    """The part of a compat32 message of the second reader, with header and content from the bytes where they stand."""
    inner = second_reader.children(message)
    raw = place.raw
    fields = split_fields(raw) if raw is not None else second_reader.fields(message)
    content = b""
    if not inner:
        encoded = body_of(raw) if raw is not None else second_reader.encoded_content(message)
        content = decode_transfer(encoded, first(fields, "content-transfer-encoding").decode("ascii", "replace"))
    kind = message.get_content_type()
    if not inner and message.get_content_maintype() == "multipart":
        kind = "text/plain"  # its boundary never comes: what it says must not be seen by nobody
    budget.spend(0 if kind in EMBEDDED else len(content), depth)
    embedded = _embedded_leaf(content, budget, depth) if kind in EMBEDDED else None
    return Part(
        _valid_type(kind),
        tuple(
            _second_part(child, budget, depth + 1, Place(None, len(second_reader.children(child)), place, index))
            for index, child in enumerate(inner)
        ),
        _fields=lambda: fields,
        _load=lambda: content,
        _embedded=embedded,
    )


def _node_fields(node: PyLazyMimePart, place: Place) -> tuple[Field, ...]:
    """The fields of a node, from the bytes where those can be told; the reader's values may be decoded wrongly."""
    if place.is_root or not all(value.isascii() for values in node.headers.values() for value in values):
        raw = place.raw
        if raw is not None:
            return split_fields(raw)
    return tuple((name, _as_bytes(value)) for name, values in node.headers.items() for value in values)


def _as_bytes(value: str) -> bytes:
    """fast-mail-parser reads raw header bytes as UTF-8, else as Latin-1: the way back."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def _encoding(node: PyLazyMimePart) -> str:
    for name, values in node.headers.items():
        if name.lower() == "content-transfer-encoding":
            return values[0].strip().lower()
    return ""


def _node_content(node: PyLazyMimePart, place: Place) -> bytes:
    try:
        content = node.content or b""
    except DecodeError:
        raw = place.raw
        # Neither reader repairs a damaged encoding; what can be decoded is better than nothing.
        return decode_transfer(body_of(raw), _encoding(node)) if raw is not None else b""
    return decode_transfer(content, _encoding(node)) if "uu" in _encoding(node) else content
