"""The basket into which needles are gathered: takes a thing apart into everything that identifies by itself."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from abuse_pipeline.privacy.names import addresses_in
from abuse_pipeline.privacy.needle import Needle
from abuse_pipeline.privacy.ordinary import WORDS
from abuse_pipeline.privacy.tokens import looks_opaque
from abuse_pipeline.trace.domains import registered_domain

MOST_NEEDLES = 30_000

_SHORTEST_LOCAL = 4
_SHORTEST_NAME = 3
_SHORTEST_JAPANESE = 2
_SHORTEST_TOKEN = 6
_LONGEST = 400
_HONORIFIC = re.compile(r"\s*(?:様|さま|さん|サマ|サン|氏|殿|御中|先生|くん|君|ちゃん|[Ss]an|[Ss]ama)$")
_COMPANY = re.compile(
    r"^(?:株式会社|有限会社|合同会社|一般社団法人|学校法人|医療法人|[(（][株有同][)）])\s*|"
    r"\s*(?:株式会社|有限会社|合同会社|[(（][株有同][)）]|,? (?:Inc|Ltd|LLC|Corp|GmbH|Co)\.?)$"
)
_SEPARATORS = re.compile(r"[\s,、，・/／|｜()（）\[\]【】「」『』<>＜＞:：;；~～\u3000]+")
_KANJI_NAME = re.compile(r"[\u4e00-\u9fff々ヶ]{4}")
_LIKE_AN_ADDRESS = re.compile(r"[0-9A-Fa-f]{0,4}[.:]")
_SRS0 = re.compile(r"srs0[+=-][^=]+=[^=]+=([^=]+)=(.+)", re.IGNORECASE)
_SRS1 = re.compile(r"srs1[+=-][^=]+=([^=]+)==[^=]+=[^=]+=([^=]+)=(.+)", re.IGNORECASE)
_BATV = re.compile(r"(?:prvs|btv1)=+[^=]+=+(.+)", re.IGNORECASE)
_VERP = re.compile(r"(.+?)[=#]((?:[a-z0-9-]+\.)+[a-z]{2,})(?:[-+=].*)?", re.IGNORECASE)


class BasketFull(Exception):
    """No needle more is taken; `Basket.needles` holds the one that no message passes."""


class Basket:
    """Needles by their text; the first place in which one was seen gives its channel."""

    def __init__(self) -> None:
        self._found: dict[str, Needle] = {}
        self._uncheckable: Needle | None = None

    def needles(self) -> tuple[Needle, ...]:
        uncheckable = (self._uncheckable,) if self._uncheckable else ()
        return (*uncheckable, *self._found.values())

    def add_uncheckable(self, why: str) -> None:
        self._uncheckable = Needle("", why)

    def add(self, text: str, channel: str) -> None:
        """A string as it is, unless an ordinary word. Raises BasketFull when there are too many: the submission is
        uncheckable, and nothing more that is found in it can change that."""
        text = text.strip()
        key = text.casefold()
        if not text or key in self._found or key in WORDS:
            return
        if len(self._found) >= MOST_NEEDLES:
            self.add_uncheckable("the submission holds more identifying strings than the gate can search")
            raise BasketFull
        self._found[key] = Needle(text[:_LONGEST], channel)

    def add_anything(self, value: str, channel: str) -> None:
        """A value that may be an address, a host or a name."""
        value = value.strip()[:_LONGEST]
        if "@" in value:
            for address in addresses_in(value):
                self.add_address(address, channel)
        elif re.fullmatch(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[0-9A-Fa-f:.]+", value):
            self.add_host(value, channel)
        else:
            self.add_name(value, channel)

    def add_address(self, address: str, channel: str) -> None:
        """A mail address: whole, its local part in pieces, its domain, and the addresses that it carries encoded."""
        local, at, domain = address.strip().strip("<>").rpartition("@")
        if not at or not local:
            return
        self.add(f"{local}@{domain}", channel)
        self.add_host(domain, channel)
        self._add_local(local.strip('"'), channel)
        for inner in carried_addresses(local, domain):
            self.add_address(inner, f"{channel} (encoded address)")

    def _add_local(self, local: str, channel: str) -> None:
        base, plus, tag = local.partition("+")
        for text in (local, base):
            if len(text) >= _SHORTEST_LOCAL:
                self.add(text, channel)
        if plus and len(tag) >= _SHORTEST_LOCAL:
            self.add(tag, channel)
        for piece in re.split(r"[._+=-]", base):
            if len(piece) >= _SHORTEST_LOCAL and not piece.isdigit():
                self.add(piece, channel)

    def add_host(self, host: str, channel: str) -> None:
        """A host name, its registered domain and what was registered; an address literal as an address."""
        host = host.strip().strip("[]()<>,;").rstrip(".")
        if self.add_ip(host.removeprefix("IPv6:").removeprefix("ipv6:"), channel):
            return
        if not re.fullmatch(r"[^\s@/\\:\"'<>()]{2,253}", host):
            return
        domain = registered_domain(host)
        if "." not in host:
            if len(host) >= _SHORTEST_LOCAL and not host.isdigit():
                self.add(host, channel)
            return
        self.add(host, channel)
        if domain is None:
            return
        self.add(domain, channel)
        name = domain.partition(".")[0]
        if len(name) >= _SHORTEST_LOCAL:
            self.add(name, channel)
        for label in host.lower().removesuffix(domain).split("."):
            if looks_opaque(label):
                self.add(label, channel)

    def add_ip(self, text: str, channel: str) -> bool:
        """An IP address; False when *text* is none. Addresses that say nothing (unspecified, loopback) are left out."""
        if not _LIKE_AN_ADDRESS.match(text):
            return False
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if not (address.is_unspecified or address.is_loopback):
            self.add(str(address), channel)
        return True

    def add_name(self, name: str, channel: str) -> None:
        """A display name, company or person: whole, without its honorific, in both orders, and each part of it."""
        name = " ".join(unicodedata.normalize("NFKC", name).split())[:_LONGEST].strip(" '\"“”,.、。")
        if "@" in name:
            for address in addresses_in(name):
                self.add_address(address, channel)
            return
        bare = name
        while (shorter := _HONORIFIC.sub("", bare)) != bare and shorter:
            bare = shorter
        parts = [part for part in _SEPARATORS.split(bare) if part]
        if not parts or all(part.casefold() in WORDS for part in parts):
            return
        if _long_enough(bare):
            self.add(bare, channel)
        elif bare != name:
            self.add(name, channel)  # one kanji and an honorific: too short alone, telling together
        if (trade := _COMPANY.sub("", bare)) != bare and _long_enough(trade):
            self.add(trade, channel)
        if 2 <= len(parts) <= 4:
            self.add(" ".join(reversed(parts)), channel)
        for part in parts:
            if _long_enough(part):
                self.add(_HONORIFIC.sub("", part) or part, channel)
        if len(parts) == 1 and _KANJI_NAME.fullmatch(bare):
            self.add(bare[:2], channel)  # the most common division: a family name of two characters

    def add_token(self, token: str, channel: str) -> None:
        """A string that stands for somebody in somebody's records: an id, a ticket, part of a link."""
        if len(token) >= _SHORTEST_TOKEN:
            self.add(token, channel)

    def add_file_name(self, name: str, channel: str) -> None:
        stem = re.split(r"[\\/]", name)[-1].rpartition(".")[0] or name
        parts = [p for p in re.split(r"[\s_\-.()（）\u3000]+", stem) if p.casefold() not in WORDS]
        if any(not part.isascii() or looks_opaque(part) for part in parts) or len(parts) > 1:
            self.add(stem, channel)
        for part in parts:
            if looks_opaque(part) or (not part.isascii() and len(part) >= _SHORTEST_JAPANESE):
                self.add_name(part, channel)

    def add_url(self, url: str, channel: str) -> None:
        """What in a link may have been made for one recipient: user, opaque labels, segments, values and fragment."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            self.add_token(url, channel)
            return
        for label in host.split(".")[:-1]:
            if looks_opaque(label):
                self.add_token(label, channel)
        for value in (parts.username or "", *parts.path.split("/"), *re.split(r"[&;?]", parts.query), parts.fragment):
            self._add_url_value(value, channel)

    def _add_url_value(self, value: str, channel: str) -> None:
        key, equals, right = value.partition("=")
        text = right if equals and len(key) <= 32 and not key.isdigit() else value
        decoded = unquote(unquote(text))
        if looks_opaque(decoded) or (equals and len(decoded) >= _SHORTEST_TOKEN and any(map(str.isdigit, decoded))):
            self.add_token(decoded, channel)
        for inner in (*addresses_in(decoded), *_decoded_token(decoded)):
            self.add_address(inner, channel)


def carried_addresses(local: str, domain: str) -> list[str]:
    """The addresses that a local part carries: SRS0 and SRS1 forwarding, BATV tags, VERP return paths.

    >>> carried_addresses("bounce-77-taro=reporter.example", "list.example")
    ['bounce-77-taro@reporter.example', '77-taro@reporter.example', 'taro@reporter.example']
    """
    local = local[-_LONGEST:]
    if found := _SRS0.fullmatch(local):
        return [f"{found[2]}@{found[1]}"]
    if found := _SRS1.fullmatch(local):
        return [f"{found[3]}@{found[2]}", f"{found[3]}@{found[1]}"]
    if found := _BATV.fullmatch(local):
        return [f"{found[1]}@{domain}"]
    found = _VERP.fullmatch(local)
    if not found:
        return []
    left, inner = found[1], found[2]
    starts = [0, *(match.end() for match in re.finditer(r"[-+=]", left))]
    return [f"{left[start:]}@{inner}" for start in starts[-6:] if left[start:]]


def _decoded_token(token: str) -> list[str]:
    """Mail addresses in a token that is base64 or hexadecimal."""
    found: list[str] = []
    if re.fullmatch(r"[A-Za-z0-9+/_-]{8,}={0,2}", token):
        padded = token.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            plain = base64.b64decode(padded + "=" * (-len(padded) % 4))
        except binascii.Error:
            plain = b""
        found += addresses_in(plain.decode("latin-1"))
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2}){6,}", token):
        found += addresses_in(bytes.fromhex(token).decode("latin-1"))
    return found


def _long_enough(name: str) -> bool:
    return len(name) >= (_SHORTEST_NAME if name.isascii() else _SHORTEST_JAPANESE)
