"""Collect the needles of a submission: every string that could identify its reporter or a recipient.

Wherever it stands, and rather too many than too few: a needle costs a microsecond, a leak cannot be taken back. Strings
of the sender's side are collected too: a spammer may have put the recipient's name or a token for him anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from abuse_pipeline.charsets import decode
from abuse_pipeline.errors import ReportError
from abuse_pipeline.mail import Mail, Part, read_mail
from abuse_pipeline.model import Envelope
from abuse_pipeline.privacy.basket import Basket, BasketFull
from abuse_pipeline.privacy.bodies import collect_from_body
from abuse_pipeline.privacy.fields import collect_from_field
from abuse_pipeline.privacy.needle import CommonProperty, Needle
from abuse_pipeline.privacy.ordinary import without_common
from abuse_pipeline.settings import MailLimits

MOST_CHARACTERS = 4_000_000
"""Text of one submission that is searched; a longer one gets the needle that no message passes."""

_DEEPEST = 8
_MOST_JSON_NODES = 200_000
_LIKE_A_MESSAGE = re.compile(rb"\s*(?:From |(?:Return-Path|Received|Delivered-To|Message-ID|From|Date|Subject):)", re.I)
_PEOPLE_KEYS = re.compile(r"reporter|sender|behalf|contact|org|rcpt|smtp_?to|recipient|victim|complainant", re.I)
_FEEDBACK = frozenset({"message/feedback-report", "text/feedback-report"})
_OPAQUE_TYPES = ("image/", "audio/", "video/", "font/")


def collect_needles(mail: Mail | None, raw: bytes, envelope: Envelope, common: CommonProperty) -> tuple[Needle, ...]:
    """The needles of one submission, without what is *common* property.

    mail: the submission as read, None when no reader made a message of it; *raw*, its bytes, is then searched as text.
    """
    basket = Basket()
    with suppress(BasketFull):
        _gather(mail, raw, envelope, basket)
    return without_common(basket.needles(), common)


def _gather(mail: Mail | None, raw: bytes, envelope: Envelope, basket: Basket) -> None:
    _from_envelope(envelope, basket)
    reading = _Reading(basket)
    if mail is not None:
        reading.read(mail, outer=True)
    else:
        reading.read_text(decode(raw, guess=True), "")
    if reading.overflowed:
        basket.add_uncheckable("the submission holds more text than the gate can search")


def _from_envelope(envelope: Envelope, basket: Basket) -> None:
    for address in (envelope.mail_from, *envelope.rcpt_to):
        if address:
            basket.add_address(address, "envelope")
    if envelope.peer:
        basket.add_host(envelope.peer, "peer of the delivery")
    if envelope.helo:
        basket.add_host(envelope.helo, "HELO of the delivery")


class _Reading:
    """One walk over a submission, with a cap on what is searched."""

    def __init__(self, basket: Basket) -> None:
        self.basket = basket
        self.left = MOST_CHARACTERS
        self.overflowed = False

    def read(self, mail: Mail, *, outer: bool, depth: int = 0) -> None:
        where = "" if outer else " of the reported message"
        if depth > _DEEPEST:
            self.overflowed = True
            return
        for name, value in mail.all_headers():
            collect_from_field(name, value, where, self.basket)
        for part in mail.walk():
            self._read_part(part, mail, where, depth)

    def read_text(self, text: str, where: str) -> None:
        """A text as a body; as JSON too when it is (a bare XARF report)."""
        self.left -= len(text)
        if self.left < 0:
            self.overflowed = True
            return
        if text.lstrip()[:1] in ("{", "["):
            self._read_json(text)
        collect_from_body(text, where, self.basket)

    def _read_part(self, part: Part, mail: Mail, where: str, depth: int) -> None:
        if part is not mail.root:
            for name, value in part.headers:
                collect_from_field(name, value, where, self.basket)
        if part.filename:
            self.basket.add_file_name(part.filename, "attachment name")
        if part.message is not None:
            self.read(part.message, outer=False, depth=depth + 1)
            return
        if part.children:
            return
        inner = self._hidden_message(part)
        if inner is not None:
            self.read(inner, outer=False, depth=depth + 1)
        elif not part.content_type.startswith(_OPAQUE_TYPES):
            self.read_text(part.text(), where)
            if part.content_type in _FEEDBACK:
                self._read_feedback(part.text())

    def _hidden_message(self, part: Part) -> Mail | None:
        """A message that travels under another type: headers alone, an .eml as a file, a forwarded source as text."""
        if part.content_type.startswith("multipart/"):
            return None
        content = part.content()
        named = part.content_type == "text/rfc822-headers" or part.filename.lower().endswith(".eml")
        if not (named or _LIKE_A_MESSAGE.match(content)):
            return None
        try:
            return read_mail(content, MailLimits())
        except ReportError:
            return None  # it is read as text instead

    def _read_feedback(self, text: str) -> None:
        """ARF part 2 (RFC 5965 section 3): fields like those of a header."""
        for line in re.sub(r"\n[ \t]+", " ", text).split("\n"):
            name, colon, value = line.partition(":")
            if colon:
                collect_from_field(name.strip(), value.strip(), " of the feedback report", self.basket)

    def _read_json(self, text: str) -> None:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return  # it is read as text all the same
        for key, value in islice(_strings(document), _MOST_JSON_NODES):
            if _PEOPLE_KEYS.search(key):
                self.basket.add_anything(value, f"XARF field {_safe_key(key)}")


def _strings(document: object) -> Iterator[tuple[str, str]]:
    """(path of keys, text) of every string in a JSON document."""
    waiting: list[tuple[str, object]] = [("", document)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, str):
            yield path, node
        elif isinstance(node, dict):
            waiting.extend((f"{path}.{key}"[-200:], value) for key, value in node.items())
        elif isinstance(node, list):
            waiting.extend((path, value) for value in node)


def _safe_key(path: str) -> str:
    """The kind of key, not the key: a key of a stranger's JSON may be anything."""
    found = _PEOPLE_KEYS.search(path)
    return found.group().lower() if found else "other"
