"""Needles in header fields: of the report, the reported message, a feedback report, and of headers pasted as text."""

from __future__ import annotations

import re

from abuse_pipeline.privacy.basket import Basket
from abuse_pipeline.privacy.names import addresses_in, display_names
from abuse_pipeline.privacy.tokens import looks_opaque


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PEOPLE = _names(
    "from to cc bcc sender reply-to return-path delivered-to x-original-to envelope-to x-envelope-to x-envelope-from "
    "x-rcpt-to apparently-to errors-to disposition-notification-to return-receipt-to resent-from resent-to resent-cc "
    "resent-sender x-forwarded-to x-forwarded-for original-recipient final-recipient original-rcpt-to "
    "original-mail-from "
    "removal-recipient mail-followup-to x-sender x-receiver x-apparently-to x-beenthere x-loop reported-from "
    "差出人 宛先 送信者 受信者 返信先"
)
_IDS = _names(
    "message-id in-reply-to references content-id resent-message-id x-message-id original-message-id "
    "original-envelope-id thread-index x-gm-message-state"
)
_NAMES = _names("organization organisation x-organization x-company")
_HOSTS = _names(
    "reporting-mta received-spf authentication-results arc-authentication-results x-original-authentication-results "
    "received-from-mta remote-mta dsn-gateway list-id"
)
_SILENT = _names(
    "date mime-version content-transfer-encoding content-language content-disposition auto-submitted precedence "
    "feedback-type version importance x-priority priority arrival-date received-date incidents source-port "
    "arc-seal arc-message-signature status x-mailer x-abuse-desk"
)
_SIGNATURES = frozenset({"dkim-signature", "x-google-dkim-signature", "domainkey-signature"})
_SHOWN = (
    _PEOPLE
    | _IDS
    | _NAMES
    | _HOSTS
    | _SIGNATURES
    | _names(
        "received subject list-unsubscribe list-post list-archive feedback-id user-agent reported-uri x-originating-ip "
        "source-ip subscription-link cfbl-address cfbl-feedback-id content-type"
    )
)

_HOST = re.compile(r"(?<![\w@.-])(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})\.){1,10}[A-Za-z]{2,24}(?![\w@-])")
_IP = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.\d+){0,3})(?![\w:])"
)
_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"'、。]{4,2000}", re.IGNORECASE)
_TICKET = re.compile(r"(?<![\w.:/])([A-Za-z]{0,12}[#:_-]?(\d{6,}))(?![\w.:])")
_QUEUE_ID = re.compile(r"\bid\s+<?([^\s;<>()]{5,100})", re.IGNORECASE)
_RECEIVED_NAME = re.compile(r"\b(?:from|by)\s+([^\s;()\[\]]{2,255})", re.IGNORECASE)
_HELO = re.compile(
    r"\b(?:helo|ehlo|ident|rdns|auth|account|envelope-from|envelope-sender|user)[=\s:]+<?([^\s;()<>]{3,255})", re.I
)
_DKIM_TAGS = re.compile(r"\b([dsi])=\s*([^;\s]+)")
_WORD = re.compile(r"[^\s<>()\[\]\",;:=|]+")


def collect_from_field(name: str, value: str, where: str, basket: Basket) -> None:
    """Put everything that identifies somebody in one field into *basket*.

    value: unfolded and decoded. where: added to the channel, "" for the report's own header.
    """
    key = name.strip().lower()
    if key in _SILENT:
        return
    channel = (name.strip() if key in _SHOWN else "another header field") + where
    if key == "received" or key.endswith("-received"):
        _received(value, where, basket)
    elif key in _PEOPLE:
        _people(value, channel, basket)
    elif key in _IDS:
        _identifiers(value, channel, basket)
    elif key in _SIGNATURES:
        _signature(value, channel, basket)
    elif key in _NAMES:
        basket.add_name(value, channel)
    elif key == "user-agent" and where.endswith("feedback report"):
        _feed_name(value, channel, basket)
    else:
        _anything(key, value, channel, basket)


def _people(value: str, channel: str, basket: Basket) -> None:
    for address in addresses_in(value):
        basket.add_address(address, channel)
    if ";" in value and value.split(";")[0].strip().lower() in ("rfc822", "utf-8", "x-unknown"):
        return
    for name in display_names([value]):
        basket.add_name(name, channel)


def _received(value: str, where: str, basket: Basket) -> None:
    """A Received field (RFC 5321 section 4.4): hosts, addresses, `for`, ident and account, queue ids."""
    stamped = value.rpartition(";")[0] or value
    for address in addresses_in(stamped):
        basket.add_address(address, f"Received{where}")
    for ip in _IP.findall(stamped):
        basket.add_ip(ip, f"Received{where}")
    for host in (*_HOST.findall(stamped), *_RECEIVED_NAME.findall(stamped)):
        basket.add_host(host, f"Received{where}")
    for found in _HELO.findall(stamped):
        if "@" not in found:
            basket.add_host(found, f"Received{where}")
    for queue_id in _QUEUE_ID.findall(stamped):
        basket.add_token(queue_id, f"Received id{where}")


def _identifiers(value: str, channel: str, basket: Basket) -> None:
    for token in re.split(r"[\s<>,]+", value):
        left, at, right = token.partition("@")
        if not left:
            continue
        basket.add_token(token, channel)
        basket.add_token(left, channel)
        if at:
            basket.add_host(right, channel)


def _signature(value: str, channel: str, basket: Basket) -> None:
    """DKIM-Signature (RFC 6376): the domain, the selector and the identity; a selector may be one recipient's."""
    for tag, text in _DKIM_TAGS.findall(value):
        if "@" in text and not text.startswith("@"):
            basket.add_address(text, channel)
        elif tag == "s":
            if looks_opaque(text):
                basket.add_token(text, channel)
        else:
            basket.add_host(text.lstrip("@"), channel)


def _feed_name(value: str, channel: str, basket: Basket) -> None:
    """The program that made a feedback report names the feed, and so where the recipient has his mailbox."""
    product = re.split(r"[/;(]", value)[0]
    basket.add_name(product, channel)


def _anything(key: str, value: str, channel: str, basket: Basket) -> None:
    for address in addresses_in(value):
        basket.add_address(address, channel)
    for ip in _IP.findall(value):
        basket.add_ip(ip, channel)
    for url in _URL.findall(value):
        basket.add_url(url, f"{channel} token")
    if key in _HOSTS:
        for host in _HOST.findall(value):
            basket.add_host(host, channel)
    if key == "subject":
        for ticket, digits in _TICKET.findall(value):
            basket.add_token(ticket, channel)
            basket.add_token(digits, channel)
    if key == "content-type":
        value = value.partition("boundary=")[2]
    for word in _WORD.findall(_URL.sub(" ", value)):
        if "@" not in word and word.isascii() and looks_opaque(word):
            basket.add_token(word, f"{channel} token")
