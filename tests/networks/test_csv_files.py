"""The operator's lists: what is taken, and how each mistake is named."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_pipeline.errors import ConfigurationError
from abuse_pipeline.networks import NetworkTexts, build_table
from abuse_pipeline.networks.csv_files import read_lists

NETWORKS = "prefix,holder,note\n192.0.2.0/24,ours,\n203.0.113.0/24,sister,\n"
COMPANIES = "key,name,abuse_contact\nsister,Sister Net,abuse@sister.example\n"
CUSTOMERS = "customer,name,notice_address,language\nC-1042,株式会社あおぞら,a..b.@aozora.example,\n"
ASSIGNMENTS = "prefix,customer,since,until,port_first,port_last\n"


def texts(
    networks: str = NETWORKS, companies: str = COMPANIES, customers: str = CUSTOMERS, assignments: str = ASSIGNMENTS
) -> NetworkTexts:
    return NetworkTexts(
        networks=(networks, "networks.csv"),
        group_companies=(companies, "group_companies.csv"),
        customers=(customers, "customers.csv"),
        assignments=(assignments, "assignments.csv"),
    )


def problems(given: NetworkTexts) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        build_table(given)
    return str(caught.value).split("\n")


def test_what_a_spreadsheet_writes() -> None:
    """A byte order mark, CRLF, quotes, columns in another order, padding, comments and empty rows."""
    lists = read_lists(
        texts(
            networks='\ufeff# x\r\nholder,prefix,note\r\n\r\nours, 192.0.2.0/24 ,"Tokyo, 2nd floor"\r\n  # x\r\n,,\r\n',
            companies="\ufeffkey,name,abuse_contact\r\nsister,シスター　ネット,https://sister.example/abuse\r\n",
            assignments="prefix,customer\r\n192.0.2.7,C-1042\r\n",
        )
    )
    assert [str(network.prefix) for network in lists.networks] == ["192.0.2.0/24"]
    assert lists.group_companies["sister"].abuse_contact == "https://sister.example/abuse"
    assert lists.customers["C-1042"].language == "ja"
    assert lists.customers["C-1042"].notice_address == "a..b.@aozora.example"
    assert str(lists.assignments[0].prefix) == "192.0.2.7/32"
    assert not lists.assignments[0].timed


def test_the_lists_that_ship() -> None:
    folder = Path(__file__).parents[2] / "config"
    shipped = {name: ((folder / f"{name}.csv").read_text("utf-8"), f"{name}.csv") for name in NetworkTexts.__slots__}
    lists = read_lists(NetworkTexts(**shipped))
    assert lists.networks
    assert lists.group_companies
    assert {row.customer for row in lists.assignments} <= set(lists.customers)


def test_times_become_utc() -> None:
    rows = "192.0.2.7/32,C-1042,2026-11-20T14:03:12+09:00,2026-11-20T06:00:00Z,1024,2047\n"
    row = read_lists(texts(assignments=ASSIGNMENTS + rows)).assignments[0]
    assert (row.since, row.until) == (
        datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC),
        datetime(2026, 11, 20, 6, tzinfo=UTC),
    )
    assert row.ports == (1024, 2047)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("192.0.2.0/33,ours,", "line 4, column prefix: '192.0.2.0/33' is not a prefix"),
        ("192.0.2.0/255.255.255.0,ours,", "column prefix: '192.0.2.0/255.255.255.0' is not a prefix"),
        ("192.0.2.1/24,ours,", "column prefix: '192.0.2.1/24' has host bits set; its network is 192.0.2.0/24"),
        ("192.0.2.007/32,ours,", "is not a prefix"),
        ("tokyo,ours,", "'tokyo' is not a prefix"),
        (",ours,", "column prefix: '' is not a prefix"),
        ("0.0.0.0/0,ours,", "'0.0.0.0/0' covers every address"),
        ("::ffff:192.0.2.0/120,ours,", "is IPv4 in IPv6 spelling"),
        ("198.51.100.0/24,sistre,", "is neither 'ours' nor a key of group_companies.csv; did you mean 'sister'?"),
        ("198.51.100.0/24,,", "column holder: '' must not be empty"),
        ("192.0.2.0/24,ours,", "column prefix: '192.0.2.0/24' is on line 2 already"),
        ("192.0.2.0/24,sister,", "column prefix: '192.0.2.0/24' is on line 2 already"),
        ("198.51.100.0/24,ours", "line 4: has 2 fields, the header has 3"),
        ("198.51.100.0/24,ours,a,b", "line 4: has 4 fields, the header has 3"),
        ('198.51.100.0/24,ours,"a', "line 4: is not CSV"),
        ("198.51.100.0/24,ours,a\x07b", "column note: 'a\\x07b' has control characters"),
    ],
)  # fmt: skip
def test_networks(row: str, problem: str) -> None:
    [found] = problems(texts(networks=NETWORKS + row + "\n"))
    assert found.startswith("networks.csv: line 4")
    assert problem in found


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("192.0.2.7/32,C-1024,,,,", "'C-1024' is no customer of customers.csv; did you mean 'C-1042'?"),
        ("192.0.2.7/32,,,,,", "column customer: '' must not be empty"),
        ("192.0.2.7/24,C-1042,,,,", "has host bits set"),
        ("192.0.2.7/32,C-1042,2026-11-20T14:00:00,,,", "column since: '2026-11-20T14:00:00' has no offset"),
        ("192.0.2.7/32,C-1042,2026-11-20,,,", "column since: '2026-11-20' has no offset"),
        ("192.0.2.7/32,C-1042,,20.11.2026,,", "column until: '20.11.2026' is not an ISO 8601 time"),
        ("192.0.2.7/32,C-1042,,9999-12-31T23:59:59-05:00,,", "column until: '9999-12-31T23:59:59-05:00' is beyond"),
        ("192.0.2.7/32,C-1042,2026-11-20T14:00:00+09:00,2026-11-20T05:00:00Z,,", "'2026-11-20T05:00:00Z' is not after"),
        ("192.0.2.7/32,C-1042,2026-11-20T14:00:00+09:00,2026-11-20T13:00:00+09:00,,", "is not after since"),
        ("192.0.2.7/32,C-1042,,,1024,", "column port_last: '' must be given together with port_first"),
        ("192.0.2.7/32,C-1042,,,,1024", "column port_first: '' must be given together with port_last"),
        ("192.0.2.7/32,C-1042,,,2047,1024", "column port_last: '1024' is below port_first 2047"),
        ("192.0.2.7/32,C-1042,,,1024,65536", "column port_last: '65536' is not a port from 0 to 65535"),
        ("192.0.2.7/32,C-1042,,,-1,1024", "column port_first: '-1' is not a port"),
        ("192.0.2.7/32,C-1042,,,１０,1024", "column port_first: '１０' is not a port"),
        ("198.51.100.7/32,C-1042,,,,", "column prefix: '198.51.100.7/32' is not inside any network of ours"),
        ("192.0.2.0/23,C-1042,,,,", "column prefix: '192.0.2.0/23' is not inside any network of ours"),
        ("203.0.113.7/32,C-1042,,,,", "is inside 203.0.113.0/24, which networks.csv gives to 'sister'"),
        ("192.0.2.7/32,C-1042,,", "line 2: has 4 fields, the header has 6"),
    ],
)  # fmt: skip
def test_assignments(row: str, problem: str) -> None:
    [found] = problems(texts(assignments=ASSIGNMENTS + row + "\n"))
    assert found.startswith("assignments.csv: line 2")
    assert problem in found


def test_an_assignment_may_not_swallow_a_group_company() -> None:
    networks = "prefix,holder\n192.0.2.0/24,ours\n192.0.2.64/26,sister\n"
    [found] = problems(texts(networks=networks, assignments=ASSIGNMENTS + "192.0.2.0/25,C-1042,,,,\n"))
    assert "line 2, column prefix: '192.0.2.0/25' contains 192.0.2.64/26" in found


def test_the_same_assignment_twice() -> None:
    rows = "192.0.2.7/32,C-1042,2026-11-20T14:00:00+09:00,,,\n192.0.2.7,C-1042,2026-11-20T05:00:00Z,,,\n"
    [found] = problems(texts(assignments=ASSIGNMENTS + rows))
    assert found == "assignments.csv: line 3: says the same as line 2"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("C-1042,Again,again@customer.example,ja", "column customer: 'C-1042' is on line 2 already"),
        ("C-2,,two@customer.example,ja", "column name: '' must not be empty"),
        ("C-2,Two,,ja", "column notice_address: '' is not one mail address"),
        ("C-2,Two,two,ja", "'two' is not one mail address"),
        ("C-2,Two,Two <two@customer.example>,ja", "is not one mail address"),
        ("C-2,Two,\"two@customer.example,abuse@customer.example\",ja", "is not one mail address"),
        ("C-2,Two,two@customer.example\x0bBcc:x@y.example,ja", "is not one mail address"),
        ("C-2,Two,two@customer.example,jp", "column language: 'jp' is no language of notices"),
    ],
)  # fmt: skip
def test_customers(row: str, problem: str) -> None:
    [found] = problems(texts(customers=CUSTOMERS + row + "\n"))
    assert found.startswith("customers.csv: line 3")
    assert problem in found


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("ours,Us,abuse@us.example", "column key: 'ours' is what networks.csv says of our own networks"),
        ("sister,Again,abuse@sister.example", "column key: 'sister' is on line 2 already"),
        ("other,Other,call us", "column abuse_contact: 'call us' is neither one mail address nor an https:// page"),
    ],
)
def test_group_companies(row: str, problem: str) -> None:
    [found] = problems(texts(companies=COMPANIES + row + "\n"))
    assert found.startswith("group_companies.csv: line 3")
    assert problem in found


@pytest.mark.parametrize(
    ("networks", "problem"),
    [
        ("", "networks.csv: has no header row; the first line must be prefix,holder,note"),
        ("# nothing\n\n", "networks.csv: has no header row"),
        ("prefix,hodler,note\n", "networks.csv: line 1: 'hodler' is no column of this list; did you mean 'holder'?"),
        ("prefix,note\n", "networks.csv: line 1: the header has no column 'holder'"),
        ("prefix,holder,prefix\n", "networks.csv: line 1, column prefix: is there twice"),
        ("192.0.2.0/24,ours,\n", "'192.0.2.0/24' is no column"),
    ],
)
def test_headers(networks: str, problem: str) -> None:
    found = problems(texts(networks=networks, assignments=ASSIGNMENTS + "192.0.2.7/32,C-1042,,,,\n"))
    assert any(problem in line for line in found)
    assert all(line.startswith("networks.csv") for line in found), "an unread list must not spoil the others"


def test_every_problem_of_every_file_at_once() -> None:
    found = problems(
        texts(
            networks=NETWORKS + "192.0.2.1/24,ours,\n",
            companies=COMPANIES + "ours,Us,abuse@us.example\n",
            customers=CUSTOMERS + "C-2,Two,two,jp\n",
            assignments=ASSIGNMENTS + "192.0.2.7/32,C-9,2026-11-20,,7,\n",
        )
    )
    assert sorted(line.partition(":")[0] for line in found) == [
        "assignments.csv", "customers.csv", "customers.csv", "group_companies.csv", "networks.csv",
    ]  # fmt: skip


def test_a_file_of_the_wrong_kind_stays_readable_and_quick() -> None:
    rows = "".join(f"192.0.2.7/32,X-{number},,,,\n" for number in range(3000))
    customers = CUSTOMERS + "".join(f"C-{number},N,n@customer.example,ja\n" for number in range(2000, 5000))
    found = problems(texts(customers=customers, assignments=ASSIGNMENTS + rows))
    assert len(found) == 201
    assert found[-1] == "… and 2800 more problems"


@given(st.text(max_size=200) | st.text(alphabet='0123456789./,:"#\n C-ours', max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_is_taken_or_refused(text: str) -> None:
    for name in ("networks", "companies", "customers", "assignments"):
        header = {"networks": NETWORKS, "companies": COMPANIES, "customers": CUSTOMERS, "assignments": ASSIGNMENTS}[
            name
        ]
        for content in (text, header + text):
            with contextlib.suppress(ConfigurationError):
                build_table(texts(**{name: content}))
