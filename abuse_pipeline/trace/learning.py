"""Which hosts stand in front of a reporter's mailboxes, learned from that organisation's earlier reports.

An organisation gets its mail through a filter or a forwarder that nothing in the mail proves to be its own. Every
report of it then ends at that host, whose operator would be blamed each time. When enough independent reports show the
same picture, the tracer passes over the host (`RecipientSide.learned`), and what it recorded is a claim for staff. So
learning takes belief away and never gives any; who wants such a host believed lists it in `relays.toml`.

Whoever writes to us chooses his From, and whoever sends spam chooses what stands below his own address. Neither can be
told from an honest report here, so the rule asks for agreement, and what is at stake is kept small: a host that is
learned wrongly costs staff a look. See `standings` for the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address, ip_network
from typing import Final

from abuse_pipeline.model import Hop, IPAddress, IPNetwork, JudgedHop, Origin, Verdict
from abuse_pipeline.networks.addresses import unwrap
from abuse_pipeline.networks.ranges import PrefixIndex
from abuse_pipeline.trace.domains import plain_host, registered_domain
from abuse_pipeline.trace.received import ADDRESS_ALONE, NAME_FORGED, TWO_ADDRESSES
from abuse_pipeline.trace.side import TraceRules

LEAST_DAYS: Final = 3
"""Reports of fewer days than this teach nothing: somebody sees what happens before it has happened thrice."""

_NEVER: Final = "it is ours or a well-known provider's, and is never learned"
_SWITCHED_OFF: Final = "learning is switched off"


@dataclass(frozen=True, slots=True)
class Passage:
    """What one chain shows. relay: the handover's client. client: whom the relay names as its own client in the field
    below, None when it does not seem to have passed the mail on."""

    relay: IPAddress
    client: IPAddress | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A passage with who reported it (a pseudonym), when the report came in (day in UTC), and in which submission."""

    relay: IPAddress
    client: IPAddress | None
    reporter: str
    day: date
    submission: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a host is from being learned.

    reports, reporters: how many saw it pass mail on. first, last: the days of the earliest and the latest of them.
    missing: what it lacks, in words; empty for a host that is learned.
    """

    relay: IPAddress
    reports: int
    reporters: int
    first: date
    last: date
    missing: tuple[str, ...] = ()


def passage_of(origin: Origin, rules: TraceRules, learned: frozenset[IPAddress] = frozenset()) -> Passage | None:
    """What the traced chain of a report shows of the reporter's side; None without a handover.

    learned: what the trace passed over on earlier teaching. Such a host is seen again, else it would be forgotten as
    soon as it is learned.
    """
    at = _handover(origin.hops, learned)
    entry = None if at is None else origin.hops[at].hop
    if at is None or entry is None or entry.ip is None:
        return None
    if rules.is_own_relay(entry.ip) or rules.relay_of(entry) is not None or at + 1 == len(origin.hops):
        return Passage(entry.ip, None)
    return Passage(entry.ip, _client_behind(entry, origin.hops[at + 1], rules))


def _handover(hops: Sequence[JudgedHop], learned: frozenset[IPAddress]) -> int | None:
    for at, judged in enumerate(hops):
        if judged.verdict is Verdict.HANDOVER:
            return at
        if judged.verdict is not Verdict.RECIPIENT_SIDE:
            return None
        if judged.hop.ip in learned:
            return at
    return None


def _client_behind(entry: Hop, below: JudgedHop, rules: TraceRules) -> IPAddress | None:
    """From whom the client of *entry* seems to have taken the mail: it wrote *below* and names a stranger there.

    Not one that logged in: then that host is the sender's mail server, not one that stands before the recipient.
    """
    hop = below.hop
    if entry.ip is None or hop.ip is None or hop.authenticated or NAME_FORGED in entry.defects:
        return None
    if below.verdict in (Verdict.BROKEN, Verdict.UNREADABLE) or {ADDRESS_ALONE, TWO_ADDRESSES} & set(hop.defects):
        return None
    names = {plain_host(name) for name in (entry.rdns, entry.helo) if registered_domain(name)}
    stranger = rules.is_public(hop.ip) and _neighbours(hop.ip) != _neighbours(entry.ip)
    return hop.ip if stranger and plain_host(hop.by) in names else None


def never_learned(rules: TraceRules) -> Callable[[IPAddress], bool]:
    """The addresses that no report can teach us: those of our networks and relays, of well-known providers' networks,
    and those that nobody answers for. Make it once for many questions."""
    known = PrefixIndex((*rules.own_relays, *(network for relay in rules.relays for network in relay.networks)))

    def excluded(ip: IPAddress) -> bool:
        inner = unwrap(ip)
        if rules.managed(ip) or rules.managed(inner) or not rules.is_public(ip):
            return True
        return known.find(ip) is not None or known.find(inner) is not None

    return excluded


def learned_relays(
    sightings: Iterable[Sighting], needed: int, excluded: Callable[[IPAddress], bool]
) -> tuple[Standing, ...]:
    """The hosts that *sightings* teach: those of `standings` that lack nothing."""
    return tuple(standing for standing in standings(sightings, needed, excluded) if not standing.missing)


def standings(
    sightings: Iterable[Sighting], needed: int, excluded: Callable[[IPAddress], bool]
) -> tuple[Standing, ...]:
    """Every host that *sightings* show passing mail on, and what it lacks; most reports first.

    sightings: of one reporter domain within the window, oldest first. needed: 0 learns nothing. excluded: what is never
    learned (`never_learned`). A report speaks once, by the first of its sightings. A host is learned when

    - *needed* reports count: each names a client that none before it named (within an IPv6 /48 all are one), and they
      come from `LEAST_DAYS` different days at least;
    - three of four reports of the domain show it, or another host in its network (/24, /48), passing mail on: a filter
      service has several addresses;
    - so do three of four reporters, each counted once: with two reporters both, so that nobody teaches alone.
    """
    reports = _one_each(sightings)
    everybody = len({sighting.reporter for sighting in reports})
    by_host: dict[IPAddress, list[Sighting]] = {}
    by_network: dict[IPNetwork, list[Sighting]] = {}
    for sighting in reports:
        if sighting.client is not None:
            by_host.setdefault(sighting.relay, []).append(sighting)
            by_network.setdefault(_neighbours(sighting.relay), []).append(sighting)
    found = []
    for relay, own in by_host.items():
        missing: tuple[str, ...] = (_NEVER,)
        if not excluded(relay):
            agree = by_network[_neighbours(relay)]
            missing = (*_evidence_missing(own, needed), *_agreement_missing(agree, len(reports), everybody))
        days = [sighting.day for sighting in own]
        found.append(Standing(relay, len(own), _reporters(own), min(days), max(days), missing))
    return tuple(sorted(found, key=lambda standing: (-standing.reports, standing.first, str(standing.relay))))


def _one_each(sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    first: dict[str, Sighting] = {}
    for sighting in sightings:
        first.setdefault(sighting.submission, sighting)
    return tuple(first.values())


def _reporters(sightings: Iterable[Sighting]) -> int:
    return len({sighting.reporter for sighting in sightings})


def _evidence_missing(own: Iterable[Sighting], needed: int) -> tuple[str, ...]:
    """What the reports about one host lack by themselves."""
    if needed <= 0:
        return (_SWITCHED_OFF,)
    counted = _independent(own)
    missing = []
    if len(counted) < needed:
        lacking = needed - len(counted)
        missing.append(f"{lacking} more {'report that names' if lacking == 1 else 'reports that name'} a new client")
    days = len({sighting.day for sighting in counted})
    if days < LEAST_DAYS:
        missing.append(f"reports of {LEAST_DAYS} days (there are {days})")
    return tuple(missing)


def _independent(own: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """Those whose client none before them named: one sender, however often reported, counts once."""
    first: dict[IPAddress | IPNetwork, Sighting] = {}
    for sighting in own:
        if sighting.client is not None:
            inner = unwrap(sighting.client)
            first.setdefault(inner if isinstance(inner, IPv4Address) else _neighbours(inner), sighting)
    return tuple(first.values())


def _agreement_missing(agree: Sequence[Sighting], reports: int, reporters: int) -> tuple[str, ...]:
    """What the domain's reports as a whole lack: those that show another handover speak against the host."""
    missing = []
    if 4 * len(agree) < 3 * reports:
        missing.append(f"agreement: {len(agree)} of {reports} reports show it")
    if 4 * _reporters(agree) < 3 * reporters:
        missing.append(f"agreement: {_reporters(agree)} of {reporters} reporters saw it")
    return tuple(missing)


def _neighbours(ip: IPAddress) -> IPNetwork:
    """The network that one holder usually has: IPv4 /24 (also of an address inside an IPv6 one), IPv6 /48."""
    inner = unwrap(ip)
    return ip_network((inner, 24 if isinstance(inner, IPv4Address) else 48), strict=False)
