"""Well-known providers' relays: data (`config/relays.toml`), and what makes an address one of theirs."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from abuse_pipeline.errors import ConfigurationError
from abuse_pipeline.model import Hop, IPAddress, IPNetwork
from abuse_pipeline.trace.domains import plain_host, registered_domain
from abuse_pipeline.trace.received import NAME_FORGED, NAME_UNCONFIRMED

_KEYS: Final = ("name", "names", "networks", "inside", "stamps", "signs", "vouches")
_RECEIVED: Final = "received"
CLIENT_FIELDS: Final = ("x-originating-ip", "x-source-ip", "x-sender-ip", "x-client-ip", "x-remote-ip", "x-origin-ip")
"""Fields in which webmail names the user's address; no standard, and anybody can write them."""
_PATTERN: Final = re.compile(r"(?:\*\.|[a-z0-9-]*\*[a-z0-9-]*\.)?(?:[a-z0-9-]+\.)+[a-z0-9-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class KnownRelay:
    """One provider.

    names: patterns of confirmed names (`*` stands for anything in front) and networks: how its relays appear to others.
    inside: networks with which its own hosts record each other; never somebody else's. stamps: registered domains
    with which its hosts sign their fields (BY). signs: registered domains of its DKIM and ARC signatures. vouches:
    "received" when what its own Received fields record about their client can be believed, and the names of the fields,
    lower-case, in which it states its user's address and never lets a user write them; a provider that strips or
    rewrites its clients' addresses vouches for nothing.
    """

    name: str
    names: tuple[re.Pattern[str], ...] = ()
    networks: tuple[IPNetwork, ...] = ()
    inside: tuple[IPNetwork, ...] = ()
    stamps: frozenset[str] = frozenset()
    signs: frozenset[str] = frozenset()
    vouches: frozenset[str] = frozenset()

    @property
    def shows_clients(self) -> bool:
        """Whether what its Received fields say of their client is believed."""
        return _RECEIVED in self.vouches

    def sent_as(self, hop: Hop) -> bool:
        """Whether the client that *hop* recorded is a relay of this provider: by address, or by a confirmed name."""
        if hop.ip is None:
            return False
        if any(hop.ip in network for network in self.networks):
            return True
        name = confirmed_name(hop)
        return name is not None and any(pattern.fullmatch(name) for pattern in self.names)

    def is_inside(self, ip: IPAddress) -> bool:
        return any(ip in network for network in self.inside)


def confirmed_name(hop: Hop) -> str | None:
    """The client's name where the writing host confirmed it by a forward look-up; a HELO never counts."""
    doubtful = NAME_UNCONFIRMED in hop.defects or NAME_FORGED in hop.defects
    return None if doubtful else plain_host(hop.rdns)


def load_relays(text: str, where: str) -> tuple[KnownRelay, ...]:
    """Read the list of well-known relays: TOML, an array of tables ``[[relay]]``. *where* names the file in errors.

    Raises ConfigurationError with every problem found, one a line: file, entry, key, what is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"is not valid TOML: {error}", where=where) from None
    problems = [f"{where}: {key}: unknown key; did you mean 'relay'?" for key in document if key != "relay"]
    entries = document.get("relay", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigurationError("write one [[relay]] table for each provider", where=f"{where}: relay")
    relays = [_relay(entry, f"{where}: relay {number}", problems) for number, entry in enumerate(entries, start=1)]
    names = [relay.name for relay in relays]
    problems += [f"{where}: relay {name!r} is listed twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if problems:
        raise ConfigurationError("\n".join(problems))
    return tuple(relays)


def _relay(entry: dict[str, Any], where: str, problems: list[str]) -> KnownRelay:
    name = entry.get("name")
    if isinstance(name, str) and name.strip():
        where = f"{where} ({name})"
    else:
        problems.append(f"{where}: name: give the provider a name")
        name = ""
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.0)[0]
            problems.append(f"{where}: {key}: unknown key; did you mean {near!r}?")
    texts = {key: _texts(entry, key, where, problems) for key in _KEYS[1:]}
    if not texts["names"] and not texts["networks"]:
        problems.append(f"{where}: give `names` or `networks`, else nothing is ever recognised as this provider's")
    problems += [
        f"{where}: vouches: {word!r} is not known; it is 'received' or one of {', '.join(CLIENT_FIELDS)}"
        for word in texts["vouches"]
        if word not in (_RECEIVED, *CLIENT_FIELDS)
    ]
    problems += [
        f"{where}: signs: {text!r} is no registered domain; write it like 'example.jp'"
        for text in texts["signs"]
        if registered_domain(text) != text.lower()
    ]
    if _RECEIVED in texts["vouches"] and not texts["stamps"]:
        problems.append(f"{where}: stamps: needed where the provider vouches for its Received fields")
    return KnownRelay(
        name,
        tuple(_pattern(text, f"{where}: names", problems) for text in texts["names"]),
        _networks(texts["networks"], f"{where}: networks", problems),
        _networks(texts["inside"], f"{where}: inside", problems),
        frozenset(text.lower() for text in texts["stamps"]),
        frozenset(text.lower() for text in texts["signs"]),
        frozenset(texts["vouches"]),
    )


def _texts(entry: dict[str, Any], key: str, where: str, problems: list[str]) -> tuple[str, ...]:
    value = entry.get(key, [])
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    problems.append(f'{where}: {key}: write a list of texts, like ["…"]')
    return ()


def _pattern(text: str, where: str, problems: list[str]) -> re.Pattern[str]:
    if not _PATTERN.fullmatch(text.lower()):
        problems.append(f"{where}: {text!r} is no host name pattern; write it like '*.example.jp'")
        return re.compile("(?!)")
    return re.compile(re.escape(text.lower()).replace(r"\*", "[a-z0-9._-]*"), re.ASCII)


def _networks(texts: tuple[str, ...], where: str, problems: list[str]) -> tuple[IPNetwork, ...]:
    networks: list[IPNetwork] = []
    for text in texts:
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            problems.append(f"{where}: {error}")
    return tuple(networks)
