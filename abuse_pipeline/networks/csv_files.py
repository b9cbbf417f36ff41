"""The provider's four lists as CSV text -> checked rows.

UTF-8 with or without a byte order mark; lines that begin with ``#`` and empty lines are passed over; the first other
line names the columns, in any order. Every problem of every file is collected before anything is raised, because an
operator who mends a list wants to see all that is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from abuse_pipeline.errors import ConfigurationError
from abuse_pipeline.model import Customer, GroupCompany, IPNetwork
from abuse_pipeline.networks.cells import (
    read_contact,
    read_language,
    read_line,
    read_mailbox,
    read_note,
    read_port,
    read_prefix,
    read_time,
)
from abuse_pipeline.networks.problems import Problems, Suggestions
from abuse_pipeline.networks.ranges import ContainerIndex
from abuse_pipeline.networks.sheet import Column, CsvFile, Row, read_rows

OURS: Final = "ours"

_NETWORKS: Final = (
    Column("prefix", read_prefix),
    Column("holder", read_line),
    Column("note", read_note, optional=True),
)
_COMPANIES: Final = (Column("key", read_line), Column("name", read_line), Column("abuse_contact", read_contact))
_CUSTOMERS: Final = (
    Column("customer", read_line),
    Column("name", read_line),
    Column("notice_address", read_mailbox),
    Column("language", read_language, optional=True),
)
_ASSIGNMENTS: Final = (
    Column("prefix", read_prefix),
    Column("customer", read_line),
    Column("since", read_time, optional=True),
    Column("until", read_time, optional=True),
    Column("port_first", read_port, optional=True),
    Column("port_last", read_port, optional=True),
)


@dataclass(frozen=True, slots=True)
class NetworkTexts:
    """The four lists of DESIGN.md, "Configuration": each (text, name to show), or None where it is not configured."""

    networks: tuple[str, str] | None = None
    group_companies: tuple[str, str] | None = None
    customers: tuple[str, str] | None = None
    assignments: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ManagedNetwork:
    """One row of networks.csv. holder: ``ours``, or the key of a group company."""

    prefix: IPNetwork
    holder: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """One row of assignments.csv: who holds a prefix, from `since` up to, not including, `until`, on which ports.

    since, until: aware UTC, None where open. ports: first and last TCP/UDP source port, None for all of them.
    """

    prefix: IPNetwork
    customer: str
    since: datetime | None = None
    until: datetime | None = None
    ports: tuple[int, int] | None = None

    @property
    def timed(self) -> bool:
        """A lease; a row that is open at both ends is a static assignment."""
        return self.since is not None or self.until is not None


@dataclass(frozen=True, slots=True)
class NetworkLists:
    """The rows of all four lists; every key that one list names is in the list that explains it."""

    networks: tuple[ManagedNetwork, ...] = ()
    group_companies: Mapping[str, GroupCompany] = field(default_factory=dict)
    customers: Mapping[str, Customer] = field(default_factory=dict)
    assignments: tuple[Assignment, ...] = ()


def read_lists(texts: NetworkTexts) -> NetworkLists:
    """Check all four texts against their columns and against each other.

    Raises ConfigurationError with one line for each problem: file, line, column, value, what is wrong.
    """
    problems = Problems()
    companies = _read_companies(_file(texts.group_companies), problems)
    customers = _read_customers(_file(texts.customers), problems)
    networks = _read_networks(_file(texts.networks), companies, problems)
    assignments: list[tuple[int, Assignment]] = []
    if (file := _file(texts.assignments)) is not None:
        assignments = _read_assignments(file, customers, problems)
        if networks is not None:
            _check_places(file, assignments, networks, problems)
    if problems:
        raise ConfigurationError(problems.text())
    return NetworkLists(
        networks=tuple(networks or ()),
        group_companies=companies or {},
        customers=customers or {},
        assignments=tuple(row for _, row in assignments),
    )


def _file(given: tuple[str, str] | None) -> CsvFile | None:
    return None if given is None else CsvFile(*given)


def _read_companies(file: CsvFile | None, problems: Problems) -> dict[str, GroupCompany] | None:
    """None when the header is wrong, so that the other lists do not complain about keys that could not be read."""
    if file is None:
        return {}
    rows = read_rows(file, _COMPANIES, problems)
    if rows is None:
        return None
    found: dict[str, GroupCompany] = {}
    lines: dict[str, int] = {}
    for row in rows:
        if row.values["key"] == OURS:
            what = "is what networks.csv says of our own networks"
            problems.add(file.name, what, line=row.line, column="key", value=OURS)
        elif _first_time(file, row, "key", lines, problems):
            found[row.values["key"]] = GroupCompany(**row.values)
    return found


def _read_customers(file: CsvFile | None, problems: Problems) -> dict[str, Customer] | None:
    if file is None:
        return {}
    rows = read_rows(file, _CUSTOMERS, problems)
    if rows is None:
        return None
    found: dict[str, Customer] = {}
    lines: dict[str, int] = {}
    for row in rows:
        if _first_time(file, row, "customer", lines, problems):
            values = row.values
            found[values["customer"]] = Customer(
                key=values["customer"],
                name=values["name"],
                notice_address=values["notice_address"],
                language=values["language"],
            )
    return found


def _read_networks(
    file: CsvFile | None, companies: dict[str, GroupCompany] | None, problems: Problems
) -> list[ManagedNetwork] | None:
    if file is None:
        return []
    rows = read_rows(file, _NETWORKS, problems)
    if rows is None:
        return None
    suggestions = Suggestions([OURS, *(companies or ())])
    found: list[ManagedNetwork] = []
    lines: dict[str, int] = {}
    for row in rows:
        holder = row.values["holder"]
        if companies is not None and holder != OURS and holder not in companies:
            what = f"is neither {OURS!r} nor a key of group_companies.csv{suggestions.nearest(holder)}"
            problems.add(file.name, what, line=row.line, column="holder", value=holder)
        elif _first_time(file, row, "prefix", lines, problems):
            found.append(ManagedNetwork(row.values["prefix"], holder))
    return found


def _read_assignments(
    file: CsvFile, customers: dict[str, Customer] | None, problems: Problems
) -> list[tuple[int, Assignment]]:
    """Each with its line, because `_check_places` has more to say about it."""
    rows = read_rows(file, _ASSIGNMENTS, problems)
    if rows is None:
        return []
    suggestions = Suggestions(customers or ())
    found: dict[Assignment, int] = {}
    for row in rows:
        customer = row.values["customer"]
        assignment = _assignment(file, row, problems)
        if customers is not None and customer not in customers:
            what = f"is no customer of customers.csv{suggestions.nearest(customer)}"
            problems.add(file.name, what, line=row.line, column="customer", value=customer)
        elif assignment is not None and found.setdefault(assignment, row.line) != row.line:
            problems.add(file.name, f"says the same as line {found[assignment]}", line=row.line)
    return [(line, assignment) for assignment, line in found.items()]


def _assignment(file: CsvFile, row: Row, problems: Problems) -> Assignment | None:
    """The row as an assignment, or None when its times or its ports contradict each other."""
    since, until = row.values["since"], row.values["until"]
    first, last = row.values["port_first"], row.values["port_last"]
    column, what = "", ""
    if since is not None and until is not None and until <= since:
        column, what = "until", f"is not after since {row.texts['since']!r}"
    elif first is not None and last is None:
        column, what = "port_last", "must be given together with port_first"
    elif first is None and last is not None:
        column, what = "port_first", "must be given together with port_last"
    elif first is not None and last < first:
        column, what = "port_last", f"is below port_first {first}"
    if what:
        problems.add(file.name, what, line=row.line, column=column, value=row.texts[column])
        return None
    ports = None if first is None else (first, last)
    return Assignment(row.values["prefix"], row.values["customer"], since, until, ports)


def _check_places(
    file: CsvFile, assignments: list[tuple[int, Assignment]], networks: list[ManagedNetwork], problems: Problems
) -> None:
    """An assignment stands inside a network of ours, and no group company's network stands inside it.

    Elsewhere it would never be found, or would give a group company's address to a customer of ours.
    """
    index = ContainerIndex(network.prefix for network in networks)
    for line, assignment in assignments:
        prefix = assignment.prefix
        found = index.find(prefix)
        if found is None:
            what = "is not inside any network of ours in networks.csv"
        elif networks[found].holder != OURS:
            what = f"is inside {networks[found].prefix}, which networks.csv gives to {networks[found].holder!r}"
        else:
            continue
        problems.add(file.name, what, line=line, column="prefix", value=str(prefix))
    assigned = ContainerIndex(assignment.prefix for _, assignment in assignments)
    for network in networks:
        position = assigned.find(network.prefix) if network.holder != OURS else None
        if position is not None and assignments[position][1].prefix != network.prefix:
            line, assignment = assignments[position]
            what = f"contains {network.prefix}, which networks.csv gives to {network.holder!r}"
            problems.add(file.name, what, line=line, column="prefix", value=str(assignment.prefix))


def _first_time(file: CsvFile, row: Row, column: str, lines: dict[str, int], problems: Problems) -> bool:
    """Whether no earlier row had this value in the column that names the row."""
    key = str(row.values[column])
    if lines.setdefault(key, row.line) == row.line:
        return True
    problems.add(file.name, f"is on line {lines[key]} already", line=row.line, column=column, value=key)
    return False
