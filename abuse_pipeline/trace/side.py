"""Who belongs to the recipient: which hosts may stamp the upper hops, and which clients of theirs are passed over.

Only the contiguous hops from the top are the recipient's, and only by what its own hosts recorded: an address, or a
name that they confirmed. A HELO and the text of a lower hop are the sender's to choose, so neither makes anybody ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_network
from typing import Final

from abuse_pipeline.model import Hop, IPAddress, IPNetwork
from abuse_pipeline.networks.addresses import is_documentation, parse_address, special_use, unwrap
from abuse_pipeline.trace.beside import Beside, for_domain
from abuse_pipeline.trace.clauses import SEVERAL_BY, SEVERAL_DATES, UNBALANCED
from abuse_pipeline.trace.domains import plain_host, registered_domain, stamp_domain
from abuse_pipeline.trace.hostnames import (
    first_label,
    is_gateway_name,
    is_mail_host,
    looks_like_a_gateway,
    looks_like_a_line,
)
from abuse_pipeline.trace.received import NAME_FORGED, NAME_UNCONFIRMED, NO_CLIENT, TWO_ADDRESSES
from abuse_pipeline.trace.relays import KnownRelay, confirmed_name

_PRIVATE: Final = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")
) + tuple(ip_network(text) for text in ("::1/128", "fc00::/7", "fe80::/10"))
"""What a host sees of its own neighbours (RFC 1918, 6598, 1122, 3927, 4291, 4193)."""

_FETCHED: Final = re.compile(r"(?:IMAP|POP)", re.IGNORECASE)
_WITHIN: Final = re.compile(
    r"(?:LMTP|LDA\b|SpamAssassin|amavis|dsn\b|pipe\b|Mailbox Transport|qmail-scanner)", re.IGNORECASE
)
_LOOPBACK: Final = ("127.0.0.1", "::1")
_BY_TRANSPORT: Final = re.compile(r" id [\d.]{3,40} via Mailbox Transport ?;[^;]{0,100}\Z")
_DOUBTFUL: Final = frozenset({UNBALANCED, SEVERAL_BY, SEVERAL_DATES, TWO_ADDRESSES})
_AMAVIS: Final = re.compile(r"(?:\([^()]{0,300}\) )?\(amavisd-new\b")
_OWN_ADDRESS: Final = re.compile(r"\(\[?([0-9A-Fa-f:.%]{3,50})\]?\)")


@dataclass(frozen=True, slots=True)
class RecipientSide:
    """domains: registered domains of the reporter and of the recipients, lower-case. learned: hosts that stand in front
    of their mailboxes, as earlier reports taught (`learning`)."""

    domains: frozenset[str] = frozenset()
    learned: frozenset[IPAddress] = frozenset()


@dataclass(frozen=True, slots=True)
class TraceRules:
    """Whom we believe.

    own_relays: addresses of our mail relays. relays: the well-known providers. max_skew: how far the clocks of two hops
    may disagree. managed: whether an address is in a configured network; then it counts as public whatever the
    registries say.
    """

    own_relays: tuple[IPNetwork, ...]
    relays: tuple[KnownRelay, ...]
    max_skew: timedelta
    managed: Callable[[IPAddress], bool]

    @property
    def signers(self) -> frozenset[str]:
        """The registered domains of all well-known providers' signatures."""
        return frozenset(domain for relay in self.relays for domain in relay.signs)

    def is_own_relay(self, ip: IPAddress) -> bool:
        return any(ip in network for network in self.own_relays)

    def relay_of(self, hop: Hop) -> KnownRelay | None:
        """The well-known provider whose relay *hop* recorded as its client."""
        return next((relay for relay in self.relays if relay.sent_as(hop)), None)

    def provider_of(self, domain: str | None) -> KnownRelay | None:
        """The well-known provider that signs its Received fields with *domain*."""
        return next((relay for relay in self.relays if domain in relay.stamps), None)

    def is_public(self, ip: IPAddress) -> bool:
        """Whether somebody answers for *ip*: a configured network, ordinary space, or documentation (for samples)."""
        inner = unwrap(ip)
        return self.managed(ip) or self.managed(inner) or special_use(inner) is None or is_documentation(inner)


def is_private(ip: IPAddress) -> bool:
    return any(ip in network for network in _PRIVATE)


def was_fetched(hop: Hop) -> bool:
    """Whether the recipient fetched the mail from a mailbox of its own (fetchmail, getmail)."""
    return hop.protocol is not None and _FETCHED.match(hop.protocol) is not None


def is_within_one_system(hop: Hop) -> bool:
    """Whether the protocol is one that a mail system speaks only with itself (RFC 2033 section 1, local delivery)."""
    return hop.protocol is not None and _WITHIN.match(hop.protocol) is not None


def is_handed_in(hop: Hop, provider: KnownRelay | None) -> bool:
    """Whether a user of *provider* handed the mail in here without an address being recorded.

    `mapi` is how Exchange speaks with its own mail store, for delivery and for submission alike. In a provider's cloud
    the user on the other side is a stranger, who may have put Received fields into what he submitted.
    """
    return provider is not None and hop.protocol is not None and hop.protocol.lower().startswith("mapi")


def is_internal_name(host: str | None) -> bool:
    """Whether *host* names no organisation: an address, `localhost`, a name without registered domain."""
    return host is not None and registered_domain(host) is None


class Household:
    """The recipient's hosts as the walk from the top learns them. Mutable: it lives for one walk."""

    def __init__(self, side: RecipientSide, rules: TraceRules, evidence: Beside) -> None:
        self._reporter = side.domains
        self._learned = side.learned
        self._evidence = evidence
        self._asked_for: set[str] = set()
        self._domains = set(side.domains)
        self._hosts: set[str] = set()
        self._named = False
        self._rules = rules

    def admit(self, hop: Hop) -> None:
        """Count the host that stamped *hop* to the household."""
        # Below a fetched mailbox the next field is the newest of that mailbox: the recipient's again, whoever hosts it.
        self._named = (self._named or hop.by is not None) and not was_fetched(hop)
        host = plain_host(hop.by)
        if host is not None:
            self._hosts.add(host)
        domain = stamp_domain(hop.by)
        if domain is not None:
            self._domains.add(domain)
        self._domains |= self._delivered(hop)

    def _delivered(self, hop: Hop) -> frozenset[str]:
        """Domains that the recipient's own hosts name as the mailbox's, down to *hop*: two writings must agree.

        FOR alone is not enough: on a shared host it can be a stranger's alias that leads to the recipient's mailbox.
        Nor are the fields alone: a program may have sorted them, and then the sender wrote those that stand on top.
        """
        asked = for_domain(hop)
        if asked is not None:
            self._asked_for.add(asked)
        return frozenset(self._asked_for & ({self._evidence.delivered_to} | self._evidence.results_above(hop)))

    def stamped(self, hop: Hop, above: Hop | None) -> bool:
        """Whether *hop* can have been stamped by a host of the household that handed it to *above*."""
        if above is None or not self._named:
            return True  # the newest field is the recipient's; qmail's own lines name no host, so the next one does
        if hop.by is None:
            return NO_CLIENT in hop.defects and hop.protocol == "local"
        host, domain = plain_host(hop.by), stamp_domain(hop.by)
        if domain is not None and domain in self._provider_domains(above):
            return True
        private = above.ip is not None and is_private(above.ip)
        if private and not self._is_neighbour(above) and not _says_the_same(hop, above):
            return False
        if (domain is not None and domain in self._domains) or (host is not None and host in self._hosts):
            return True
        if above.ip is None:
            return _is_internal_beside(hop, above) or (NO_CLIENT in above.defects and is_internal_name(above.by))
        return private and (domain is None or domain == registered_domain(above.rdns))

    def _is_neighbour(self, hop: Hop) -> bool:
        """Whether the private client of *hop* is a host of the recipient, not a NAT or proxy with a stranger behind it.

        Behind a NAT, a container's bridge or a load balancer every client has its address and greets as he likes. So it
        must be what no stranger reaches (LMTP, the host itself), or a host that the recipient's own DNS names and that
        greets with that name. An address or a greeting alone proves nothing, whatever it is.
        """
        if hop.ip is None or hop.authenticated or _DOUBTFUL & set(hop.defects):
            return False
        if is_within_one_system(hop) or _by_mailbox_transport(hop) or is_content_filter(hop):
            return True
        if hop.ip == own_address(hop) or self._rules.is_own_relay(hop.ip):
            return True
        if str(hop.ip) in _LOOPBACK:
            return self._greets_from_the_host(hop)
        return self._greets_with_its_name(hop)

    def _greets_from_the_host(self, hop: Hop) -> bool:
        helo, greeted = plain_host(hop.helo), registered_domain(hop.helo)
        if helo is None or hop.protocol == "HTTPS":  # Exchange Online hands over to its mail store so
            return hop.protocol == "HTTPS" or hop.helo is None or parse_address(hop.helo) == hop.ip
        return (greeted is None and first_label(helo) == "localhost") or greeted in self._domains or helo in self._hosts

    def _greets_with_its_name(self, hop: Hop) -> bool:
        """The reverse names of private addresses are the recipient's own to give, confirmed or not."""
        name, helo = plain_host(hop.rdns), plain_host(hop.helo)
        if name is None or helo is None or NAME_FORGED in hop.defects or is_gateway_name(name):
            return False
        if NAME_UNCONFIRMED in hop.defects and hop.ip is not None and looks_like_a_gateway(hop.ip):
            return False
        named, greeted = registered_domain(name), registered_domain(helo)
        if first_label(helo) != first_label(name) or (greeted is not None and named not in (None, greeted)):
            return False
        return named == greeted or named in self._domains or (named is None and greeted in self._domains)

    def _provider_domains(self, above: Hop) -> frozenset[str]:
        """Further domains of the recipient's provider, where *above* recorded a client inside its own networks."""
        provider = self._provider_inside(above)
        return provider.stamps if provider is not None else frozenset()

    def _provider_inside(self, hop: Hop) -> KnownRelay | None:
        provider = self._rules.provider_of(stamp_domain(hop.by))
        return provider if provider is not None and hop.ip is not None and provider.is_inside(hop.ip) else None

    def knows_client(self, hop: Hop) -> str | None:
        """Why the public client of *hop* is the recipient's own, or None when it is not."""
        if hop.ip is None or self._rules.managed(hop.ip):
            return None
        provider = self._provider_inside(hop)
        if provider is not None:
            return f"a host inside {provider.name}, which received the mail for the recipient"
        name = confirmed_name(hop)
        domain = registered_domain(name)
        if name is None or domain is None or domain not in self._domains or hop.authenticated:
            return None
        if not is_mail_host(name, domain) or looks_like_a_line(name, hop.ip):
            return None
        return f"{name} (confirmed) is in {domain}, the recipient's domain"

    def learned_client(self, hop: Hop) -> str | None:
        """Why the public client of *hop* is passed over on what earlier reports taught; None when it is not.

        An address of ours is never passed over: a customer must not become the recipient's by sending much.
        """
        if hop.ip is None or hop.ip not in self._learned or self._rules.managed(hop.ip):
            return None
        if self._rules.is_own_relay(hop.ip) or self._rules.relay_of(hop) is not None:
            return None
        return f"earlier reports show that {hop.ip} stands in front of the recipient's mailboxes"

    def doubt(self, hop: Hop, below: Hop | None) -> str | None:
        """Why it cannot be told whether the public client of *hop* is the recipient's own server or the other side.

        Only a client whose name is in the recipient's domain, and which seems to have relayed what is below, is in
        doubt: when it is in our network (it may be the reporter's own server), when nobody confirmed the name, when the
        name is confirmed and not plainly a mail host's (customers' machines have one too), or when it logged in.
        """
        name = plain_host(hop.rdns)
        if hop.ip is None or name is None or below is None or below.ip is None or NAME_FORGED in hop.defects:
            return None
        domain = registered_domain(name)
        if is_private(below.ip) or self._rules.relay_of(hop) is not None:
            return None
        if self._rules.managed(hop.ip):
            ours = domain in self._reporter and plain_host(below.by) == name
            return f"{hop.ip} is in our network and may be the reporter's own server" if ours else None
        if domain not in self._domains or looks_like_a_line(name, hop.ip):
            return None
        if NAME_UNCONFIRMED in hop.defects:
            same = plain_host(below.by) == name
            return f"{hop.ip} calls itself {name}, a name of the recipient that nobody confirmed" if same else None
        if stamp_domain(below.by) != domain:
            return None
        return f"{name} is in {domain}, the recipient's domain, but is not plainly a mail server of the recipient"


def own_address(hop: Hop) -> IPAddress | None:
    """The address that the writing host gives for itself, directly behind its name: `by ex1.example.jp (10.1.2.3)`.

    Exchange writes it. Nobody reaches a host from outside under the host's own address.
    """
    found = _OWN_ADDRESS.match(_behind_host(hop))
    return parse_address(found[1]) if found else None


def _by_mailbox_transport(hop: Hop) -> bool:
    """Whether Exchange's own transport to the mailbox handed the mail over; nobody else speaks to it."""
    behind = _behind_host(hop)
    exchange = (hop.protocol or "").startswith("Microsoft SMTP Server") and "@" not in behind
    return exchange and _BY_TRANSPORT.search(behind) is not None


def is_content_filter(hop: Hop) -> bool:
    """Whether amavis wrote *hop*: it listens to its own mail server alone, on a port of its own."""
    return _AMAVIS.match(_behind_host(hop)) is not None


def _is_internal_beside(hop: Hop, above: Hop) -> bool:
    """Whether *hop* is of a host with an internal name or address that *above*, which records no address, speaks of."""
    host, address = plain_host(hop.by), address_in_name(hop.by)
    if address is not None or host is None:
        return address is not None and is_private(address)
    named = {first_label(name) for name in (plain_host(above.by), plain_host(above.helo)) if name}
    return registered_domain(host) is None and first_label(host) in {"localhost", *named}


def _says_the_same(hop: Hop, above: Hop) -> bool:
    """Whether *hop* gives as its own name and address what *above* recorded of its client (Exchange on both hosts).

    Inside a network without reverse names that is all there is. Who is outside would have to know the address that his
    own connection gets behind a load balancer; those of common NATs are known to everybody, and do not count.
    """
    if above.ip is None or above.authenticated or looks_like_a_gateway(above.ip) or _DOUBTFUL & set(above.defects):
        return False
    if not all((each.protocol or "").startswith("Microsoft SMTP Server") for each in (hop, above)):
        return False
    return own_address(hop) == above.ip and plain_host(hop.by) == plain_host(above.helo)


def _behind_host(hop: Hop) -> str:
    """What follows the host in the BY clause, with single blanks: its beginning is the host's own word. Empty where the
    client or the sender may have written a BY like it."""
    parts = " ".join(hop.raw.split()).split(f" by {hop.by} ") if hop.by else []
    return parts[1] if len(parts) == 2 else ""


def address_in_name(host: str | None) -> IPAddress | None:
    """The address that stands in place of a host name (`by 10.1.2.3`), if one does; 6to4 forms unwrapped (Gmail)."""
    ip = parse_address(host) if host else None
    return unwrap(ip) if ip is not None else None
