"""The one safe, bounded view of a message that everything else uses.

`read_mail` reads with fast-mail-parser's lazy tree first and with mail-parser when that refuses. Nothing but our own
ReportError comes out of this module, whatever the bytes are. Headers are read from the bytes by `fields`, text by
`charsets`: there the readers disagree, and are wrong about Japanese mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from email.message import Message
from functools import cached_property, partial

from fast_mail_parser import DecodeError, ParseError, PyLazyMimePart, parse_email_tree

from abuse_pipeline import second_reader
from abuse_pipeline.charsets import decode
from abuse_pipeline.errors import LimitExceeded, MalformedMessage
from abuse_pipeline.fields import Field, decode_value, header_block_length, parameters, split_fields
from abuse_pipeline.html_text import html_to_text
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
        return parameters(_first(self._raw_fields, "content-type"))

    @cached_property
    def disposition(self) -> str:
        value = _first(self._raw_fields, "content-disposition").partition(b";")[0]
        return value.decode("ascii", "replace").strip().lower()

    @cached_property
    def filename(self) -> str:
        named = parameters(_first(self._raw_fields, "content-disposition")).get("filename", "")
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
        return decode(self.content(), self.charset).replace("\r\n", "\n").replace("\r", "\n")

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
    readable = raw
    defects: tuple[str, ...] = ()
    if b"\n" not in raw and b"\r" in raw:
        readable, defects = raw.replace(b"\r", b"\n"), ("bare CR line ends",)
    if (length := header_block_length(readable)) > budget.limits.max_header_bytes:
        raise LimitExceeded(f"the header has {length} bytes, more than {budget.limits.max_header_bytes}")
    try:
        node = parse_email_tree(readable, mode="lazy")
    except ParseError as refusal:
        message = second_reader.read(readable, budget.limits)
        refused = f"fast-mail-parser: {type(refusal).__name__}"
        return Mail(raw, _second_part(message, budget, depth + 1), "mail-parser", (*defects, refused))
    return Mail(raw, _part(node, budget, depth + 1, readable), "fast-mail-parser", defects)


def _part(node: PyLazyMimePart, budget: _Budget, depth: int, head: bytes | None = None) -> Part:
    """The part of a fast-mail-parser node; *head*: bytes that start with its header, when they are at hand."""
    embedded: Callable[[], Mail] | None = None
    children: tuple[Part, ...] = ()
    if node.is_message:
        budget.spend(0, depth)
        root = _part(node.children[0], budget, depth + 1)
        embedded = partial(_embedded, node, root)
    else:
        budget.spend(_decoded_size(node), depth)
        children = tuple(_part(child, budget, depth + 1) for child in node.children)
        if node.content_type in EMBEDDED:
            embedded = _embedded_leaf(_node_content(node), budget, depth)
    return Part(
        node.content_type,
        children,
        _fields=partial(split_fields, head) if head is not None else partial(_node_fields, node),
        _load=partial(_node_content, node),
        _embedded=embedded,
    )


def _decoded_size(node: PyLazyMimePart) -> int:
    encoded = node.encoded_size or 0
    encoding = next((value for name, value in _node_fields(node) if name.lower() == "content-transfer-encoding"), b"")
    return encoded * 3 // 4 if encoding.strip().lower() == b"base64" else encoded


def _embedded(node: PyLazyMimePart, root: Part) -> Mail:
    raw = node.content or b""
    return Mail(raw, replace(root, _fields=partial(split_fields, raw)), "fast-mail-parser")


def _embedded_leaf(raw: bytes, budget: _Budget, depth: int) -> Callable[[], Mail] | None:
    """The message inside a leaf that its reader did not open; None when it cannot be read as one."""
    try:
        mail = _read(raw, budget, depth)
    except MalformedMessage:
        return None
    return lambda: mail


def _second_part(message: Message, budget: _Budget, depth: int) -> Part:
    """The part of a compat32 message of the second reader."""
    content = b"" if second_reader.children(message) else second_reader.content(message)
    kind = second_reader.content_type(message)
    budget.spend(len(content), depth)
    return Part(
        kind,
        tuple(_second_part(child, budget, depth + 1) for child in second_reader.children(message)),
        _fields=partial(second_reader.fields, message),
        _load=lambda: content,
        _embedded=_embedded_leaf(content, budget, depth) if kind in EMBEDDED else None,
    )


def _node_fields(node: PyLazyMimePart) -> tuple[Field, ...]:
    return tuple((name, _as_bytes(value)) for name, values in node.headers.items() for value in values)


def _as_bytes(value: str) -> bytes:
    """fast-mail-parser reads raw header bytes as UTF-8, else as Latin-1: the way back."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def _node_content(node: PyLazyMimePart) -> bytes:
    try:
        content = node.content or b""
    except DecodeError:
        return b""
    return content


def _first(fields: tuple[Field, ...], name: str) -> bytes:
    return next((value for key, value in fields if key.lower() == name), b"")
