"""Promise 1: no notice that leaves, nothing outside the vault and no output holds a reporter, whoever they are.

Reports made at random (`reports`) go the real way: `abuse ingest` into a store, `abuse outbox export`. The finder
(`identity_scanner`) shares no code with the leak gate. `ABUSE_PROPERTY_SCALE=50` takes some 14,000 reports through.
"""

from __future__ import annotations

import base64
import json
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import contract_shapes
import pytest
from abuse_command import Ran, abuse
from identity_scanner import identities_in, identities_in_message
from longer_runs import times
from people import Person, somebody
from reports import MadeReport, happenings, reports_of

from abuse_pipeline.shipped import write_configuration

# Reporters of the six cases of a round: 5 is the default of notices.minimum_reporters.
_REPORTERS = (1, 1, 4, 5, 5, 30)
# Where the contract shows a host of the recipient's side: the witness, and the sentence that names it.
_NAMES_THE_WITNESS = ("witness", "reason")
_LISTS = (
    "triage",
    "triage --format json",
    "triage --by day,network,customer,confidence --format csv",
    "cases list",
    "cases list --json",
    "outbox list",
    "outbox list --json",
)


@dataclass(frozen=True)
class Round:
    """A desk after one round: everything that it printed, and the notices that left."""

    folder: Path
    reports: tuple[MadeReport, ...]
    lines: tuple[dict[str, Any], ...]
    said: str
    notices: tuple[bytes, ...]

    @property
    def people(self) -> set[Person]:
        return {person for report in self.reports for person in report.people}

    @property
    def identities(self) -> set[str]:
        return {text for person in self.people for text in person.identities}


def play(folder: Path, seed: int, people_seed: int) -> Round:
    """Make the reports of *seed* with the people of *people_seed*, take them in, export the notices."""
    write_configuration(folder)
    made = list(_reports(random.Random(seed), random.Random(people_seed)))
    inbox = folder / "inbox"
    inbox.mkdir()
    for number, report in enumerate(made):
        (inbox / f"{number:04}.eml").write_bytes(report.raw)
    ran = _abuse(folder, "ingest", "--json", inbox)
    exported = _abuse(folder, "outbox", "export", folder / "out", "--kind", "notice")
    notices = tuple(file.read_bytes() for file in sorted((folder / "out").glob("*.eml")))
    return Round(folder, tuple(made), tuple(map(json.loads, ran.lines())), ran.err + exported.err, notices)


def _reports(chance: random.Random, people: random.Random) -> Iterator[MadeReport]:
    counts = random.Random(chance.random()).sample(_REPORTERS, len(_REPORTERS))
    for happening, reporters in zip(happenings(chance), counts, strict=True):
        yield from reports_of(happening, reporters, chance, people)


def _abuse(folder: Path, *arguments: object) -> Ran:
    ran = abuse(*arguments, config=folder / "abuse.toml")
    assert ran.code == 0, ran.err
    return ran


@pytest.fixture(scope="module", params=range(times(6)))
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Round:
    return play(tmp_path_factory.mktemp("round"), request.param, request.param + 1_000_000)


def test_every_report_led_to_its_notice(played: Round) -> None:
    """Else the other tests would look at nothing."""
    for line in played.lines:
        contract_shapes.report(line, stored=True)
        assert line["disposition"] == "notify_customer", line
    assert len(played.lines) == sum(_REPORTERS)


def test_no_exported_notice_holds_an_identity(played: Round) -> None:
    found = [identities_in_message(notice, played.identities) for notice in played.notices]
    assert not any(found), found


def test_nothing_is_held_back_without_cause(played: Round) -> None:
    """Staff who see a hundred false alarms wave the true one through."""
    held = [m for line in played.lines for m in line["outgoing"] if m["kind"] == "notice" and m["state"] != "queued"]
    assert not held
    assert len(played.notices) == len(_REPORTERS)


def test_outside_the_vault_there_is_nobody(played: Round) -> None:
    with closing(sqlite3.connect(played.folder / "var" / "abuse.db")) as store:
        tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        open_to_all = [name for name in tables if not name.startswith("vault_")]
        assert {"submissions", "incidents", "cases", "history", "outgoing"} <= set(open_to_all)
        for table in open_to_all:
            cells = [str(cell) for row in store.execute(f'SELECT * FROM "{table}"') for cell in row]
            assert not identities_in(_as_read("\n".join(cells)), played.identities), table
        (vault,) = store.execute("SELECT count(*) FROM vault_messages").fetchone()
    assert vault == len(played.reports)


def test_no_output_shows_anybody(played: Round) -> None:
    """The witness of an origin is a host of the recipient's side, by contract; no person is told by it."""
    personal = {text for person in played.people for text in person.personal}
    whole = "\n".join(json.dumps(line, ensure_ascii=False) for line in played.lines)
    assert not identities_in(whole, personal)
    rest = "\n".join(json.dumps(_without_witness(line), ensure_ascii=False) for line in played.lines)
    assert not identities_in(rest, played.identities)
    assert not identities_in(played.said, played.identities)


def test_no_list_shows_anybody(played: Round) -> None:
    for command in _LISTS:
        ran = _abuse(played.folder, *command.split())
        assert not identities_in(ran.out + ran.err, played.identities), command


def test_no_shown_case_or_message_shows_anybody(played: Round) -> None:
    cases = _abuse(played.folder, "cases", "list", "--json").document()
    messages = _abuse(played.folder, "outbox", "list", "--json").document()
    assert isinstance(cases, dict)
    assert isinstance(messages, dict)
    chance = random.Random(0)
    shown = [("cases", "show", case["id"]) for case in cases["cases"]]
    shown += [("outbox", "show", each["id"]) for each in chance.sample(messages["outbox"], 8)]
    for arguments in shown:
        ran = _abuse(played.folder, *arguments)
        assert not identities_in(ran.out + ran.err, played.identities), arguments


@pytest.mark.parametrize("seed", range(times(2)))
def test_the_notice_is_the_same_whoever_reported(seed: int, tmp_path: Path) -> None:
    """The same happening told by other people: word for word the same notices, but for the token of the thread."""
    one, other = (play(tmp_path / name, seed + 500, seed + people) for name, people in (("one", 1), ("other", 99)))
    assert not {p.address for p in one.people} & {p.address for p in other.people}
    assert sorted(map(_words, one.notices)) == sorted(map(_words, other.notices))


def _words(notice: bytes) -> str:
    mail = message_from_bytes(notice, policy=policy.default)
    body = mail.get_body(("plain",))
    assert body is not None
    fields = "\n".join(f"{name}: {value}" for name, value in mail.items())
    return re.sub(r"\b[0-9A-HJKMNP-TV-Z]{10}\b", "TOKEN", f"{fields}\n\n{body.get_content()}")


def _without_witness(line: dict[str, Any]) -> dict[str, Any]:
    incidents = [
        {**each, "origin": {key: value for key, value in each["origin"].items() if key not in _NAMES_THE_WITNESS}}
        for each in line["incidents"]
    ]
    return {**line, "incidents": incidents}


def _as_read(stored: str) -> str:
    """JSON in a cell may be written with escapes."""
    return stored + re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), stored)


_HIDDEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "full width": lambda s: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in s),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64, second place": lambda s: base64.b64encode(b"x" + s.encode()).decode(),
    "base64, third place": lambda s: base64.b64encode(b"xy" + s.encode()).decode(),
    "base64 of iso-2022-jp": lambda s: base64.b64encode(s.encode("iso2022_jp", "ignore")).decode(),
    "hexadecimal": lambda s: s.encode().hex(),
    "percent": lambda s: "".join(f"%{byte:02X}" for byte in s.encode()),
    "backwards": lambda s: s[::-1],
    "spaced": lambda s: " ".join(s),
}


@pytest.mark.parametrize("way", _HIDDEN)
def test_the_scanner_finds_what_is_there(way: str) -> None:
    chance = random.Random(7)
    for _ in range(20):
        person = somebody(chance)
        for identity in (person.address, person.name, person.domain, person.token, person.company):
            notice = f"Subject: x\r\n\r\n前略 {_HIDDEN[way](identity)} 草々\r\n".encode()
            assert identity in identities_in_message(notice, person.identities)
    assert not identities_in_message("Subject: x\r\n\r\nお客様のサーバー\r\n".encode(), somebody(chance).identities)
