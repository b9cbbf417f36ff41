"""Prefix x time x port -> holder: whose address it was at that moment, or why that cannot be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo

from abuse_pipeline.model import (
    Customer,
    GroupCompany,
    Holder,
    HolderKind,
    IPAddress,
    IPNetwork,
    Missing,
    Moment,
)
from abuse_pipeline.networks.addresses import special_use, unwrap
from abuse_pipeline.networks.csv_files import OURS, Assignment, ManagedNetwork, NetworkLists
from abuse_pipeline.networks.ranges import PrefixIndex
from abuse_pipeline.networks.timeline import Timeline


@dataclass(frozen=True, slots=True, repr=False)
class NetworkTable:
    """The provider's lists, built once and asked often. Immutable: a changed list makes a new table.

    customers, group_companies: by their keys. The rest is private.
    """

    customers: Mapping[str, Customer]
    group_companies: Mapping[str, GroupCompany]
    _networks: tuple[ManagedNetwork, ...]
    _network_index: PrefixIndex
    _prefixes: tuple[IPNetwork, ...]
    _timelines: tuple[Timeline, ...]
    _assignment_index: PrefixIndex

    @classmethod
    def of(cls, lists: NetworkLists, zone: tzinfo = UTC) -> NetworkTable:
        """zone: in which reasons show times."""
        rows = _by_prefix(lists.assignments)
        return cls(
            customers=lists.customers,
            group_companies=lists.group_companies,
            _networks=lists.networks,
            _network_index=PrefixIndex(network.prefix for network in lists.networks),
            _prefixes=tuple(rows),
            _timelines=tuple(Timeline(of_prefix, zone) for of_prefix in rows.values()),
            _assignment_index=PrefixIndex(rows),
        )

    def is_managed(self, ip: IPAddress) -> bool:
        """Whether *ip*, or the IPv4 address inside it, is in a configured network: ours or a group company's."""
        if self._network_index.find(ip) is not None:
            return True
        inner = unwrap(ip)
        return inner != ip and self._network_index.find(inner) is not None

    def holder_at(self, ip: IPAddress, moment: Moment | None = None, port: int | None = None) -> Holder:
        """Who held *ip* at *moment*.

        moment: aware, with the precision of its source; None when the report has no usable time. port: the TCP/UDP
        source port, needed where one IPv4 address is shared (MAP-E port sets, CGN; RFC 6302).

        The longest prefix wins, in networks.csv and among the assignments, and then it alone decides: a gap in its
        leases means unassigned, we never guess a neighbour. On one prefix a lease beats a static assignment. Two
        holders at one moment are ambiguous. Both give kind OURS without a customer; the reason says which. What more
        must be known is in `missing`. Reasons are sentences for staff: they name customers.

        A translated or tunnelled address (`unwrap`) that is in no configured network is its IPv4 address's holder's.

        >>> from ipaddress import IPv4Address
        >>> NetworkTable.of(NetworkLists()).holder_at(IPv4Address("10.1.2.3")).reason
        '10.1.2.3 is a special-use address: private (RFC 1918)'
        """
        position = self._network_index.find(ip)
        if position is None:
            return self._outside(ip, moment, port)
        network = self._networks[position]
        if network.holder != OURS:
            reason = f"{ip} is in {network.prefix}, a network of {self.group_companies[network.holder].name}"
            return Holder(HolderKind.GROUP, reason, network=network.prefix, group=network.holder)
        return self._ours(ip, network.prefix, moment, port)

    def _ours(self, ip: IPAddress, network: IPNetwork, moment: Moment | None, port: int | None) -> Holder:
        position = self._assignment_index.find(ip)
        if position is None:
            reason = f"unassigned: {ip} is in our network {network}, but assignments.csv has no row for it"
            return Holder(HolderKind.OURS, reason, network=network)
        answer = self._timelines[position].held_at(moment, port)
        reason = f"{ip} is in {self._prefixes[position]}, {answer.reason}"
        return Holder(HolderKind.OURS, reason, network=network, customer=answer.customer, missing=answer.missing)

    def _outside(self, ip: IPAddress, moment: Moment | None, port: int | None) -> Holder:
        inner = unwrap(ip)
        if inner != ip:
            return self._wrapped(ip, inner, moment, port)
        name = special_use(ip)
        if name is not None:
            return Holder(HolderKind.SPECIAL, f"{ip} is a special-use address: {name}")
        return Holder(HolderKind.ELSEWHERE, f"{ip} is in no network of ours or of a group company")

    def _wrapped(self, ip: IPAddress, inner: IPAddress, moment: Moment | None, port: int | None) -> Holder:
        """Behind a tunnel the port in a log is not a port of the IPv4 address, and asking brings no better one."""
        name = special_use(ip) or ""
        tunnelled = name.startswith(("6to4", "Teredo"))
        holder = self.holder_at(inner, moment, None if tunnelled else port)
        missing = tuple(item for item in holder.missing if not (tunnelled and item is Missing.PORT))
        return replace(holder, reason=f"{ip} is {name} around {inner}: {holder.reason}", missing=missing)


def _by_prefix(assignments: Iterable[Assignment]) -> dict[IPNetwork, list[Assignment]]:
    rows: dict[IPNetwork, list[Assignment]] = {}
    for assignment in assignments:
        rows.setdefault(assignment.prefix, []).append(assignment)
    return rows
