"""`abuse init`, `abuse config check` and `abuse lookup`: the first minutes with the program."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import contract_shapes
import pytest
from abuse_command import SAMPLES, abuse, abuse_process
from conftest import Desk

FILES = {"abuse.toml", "networks.csv", "group_companies.csv", "customers.csv", "assignments.csv", "relays.toml"}


def test_init_writes_a_configuration_that_is_ready_to_run(tmp_path: Path) -> None:
    ran = abuse("init", tmp_path / "new" / "desk", config=None)
    assert ran.code == 0, ran.err
    folder = tmp_path / "new" / "desk"
    assert {file.name for file in folder.iterdir()} == FILES
    desk = Desk(folder)
    assert desk.abuse("config", "check").code == 0
    assert desk.abuse("ingest", SAMPLES / "arf" / "abuse.eml").code == 0
    assert (folder / "var" / "abuse.db").is_file()
    assert desk.json("cases", "list")["cases"]
    for line in ran.out.splitlines()[2:]:
        for file in re.findall(r"\S+/\S+\.(?:toml|csv)", line):
            assert Path(file.strip(",")).is_file(), line


@pytest.mark.parametrize("there", sorted(FILES))
def test_init_never_overwrites(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine")
    ran = abuse("init", tmp_path, config=None)
    assert ran.code != 0
    assert there in ran.err
    assert (tmp_path / there).read_text() == "mine"
    assert [file.name for file in tmp_path.iterdir()] == [there], "nothing is written beside it either"


def test_config_check_says_what_the_configuration_amounts_to(empty: Desk) -> None:
    found = empty.json("config", "check")["configuration"]
    assert found["provider"] == "Example Hosting"
    assert found["customers"] == 9
    assert found["smtp"] == "127.0.0.1:8025"
    assert found["file"] == str(empty.config)


def test_config_check_tells_where_things_are_and_no_password(empty: Desk) -> None:
    found = empty.json("config", "check")["configuration"]
    assert found["store"] == str(empty.folder / "var" / "abuse.db")
    assert found["folder"] == str(empty.folder / "var" / "inbox")
    empty.settings('url = "sqlite:///var/abuse.db"', 'url = "postgresql+psycopg://abuse:geheim@db.example.jp/abuse"')
    found = empty.json("config", "check")["configuration"]
    assert found["store"] == "postgresql+psycopg://abuse:…@db.example.jp/abuse"


def test_config_check_warns_of_what_is_seldom_meant(empty: Desk) -> None:
    empty.settings('abuse_address = "abuse@hosting', 'abuse_address = "desk@hosting')
    ran = empty.abuse("config", "check", "--json", now=None)
    ran.document()
    address, feed = ran.err.splitlines()
    assert address.startswith(f"abuse: warning: {empty.config}: provider.abuse_address: ")
    assert "desk@hosting.example.jp, which is not among intake.smtp.recipients" in address
    assert "triage.feeds.0: fbl@fbl.tayorimail.example has no networks" in feed
    empty.settings('abuse_address = "desk@hosting', 'abuse_address = "Abuse@hosting')
    empty.settings("#networks = []", 'networks = ["203.0.113.0/24"]')
    assert empty.abuse("config", "check", now=None).err == ""


@pytest.mark.parametrize("key", ["store.url", "store.keys", "intake.folder.path"])
def test_a_folder_that_cannot_be_made_is_wrong(empty: Desk, key: str) -> None:
    (empty.folder / "taken").write_text("a file")
    old = {"store.url": "sqlite:///var/abuse.db", "store.keys": '"var/keys"', "intake.folder.path": "var/inbox"}[key]
    empty.settings(old, old.replace("var/", "taken/deep/"))
    ran = empty.abuse("config", "check", now=None)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"abuse: {empty.config}: {key}: the folder {empty.folder}/taken/deep")
    assert ran.err.endswith(f"cannot be made: {empty.folder}/taken is not a folder\n")


def test_a_folder_that_cannot_be_written_is_wrong(empty: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, mode: mode == os.R_OK)
    ran = empty.abuse("config", "check", now=None)
    assert ran.code == 2
    for key in ("store.url", "store.keys", "intake.folder.path"):
        assert f"{key}: the folder {empty.folder}/var" in ran.err
    assert f"this user may not write into {empty.folder}\n" in ran.err
    assert not (empty.folder / "var").exists(), "looking makes nothing"


MISTAKES = {
    ('abuse_address = "abuse@hosting.example.jp"', 'abuse_adress = "abuse@hosting.example.jp"'): (
        "provider.abuse_adress", "'abuse_address'"),
    ('timezone = "Asia/Tokyo"', 'timezone = "Asia/Edo"'): ("provider.timezone", "Asia/Tokyo"),
    ('listen = "127.0.0.1:8025"', 'listen = "8025"'): ("intake.smtp.listen", "host and port"),
    ("#max_skew = \"2h\"", "max_skew = \"two hours\""): ("trace.max_skew", "number and s, m, h or d"),
    ("#minimum_reporters = 5", "minimum_reporters = 0"): ("notices.minimum_reporters", "1"),
    ("#rescan = \"10s\"", "resacn = \"10s\""): ("intake.folder.resacn", "'rescan'"),
    ("own_relays = [\"198.51.100.25/32\"]", "own_relays = [\"198.51.100.25/24\"]"): ("trace.own_relays", "host bits"),
}  # fmt: skip


@pytest.mark.parametrize("change", MISTAKES, ids=lambda change: change[1].partition(" ")[0])
def test_a_mistake_is_named_with_file_key_and_what_is_wrong(empty: Desk, change: tuple[str, str]) -> None:
    empty.settings(*change)
    ran = empty.abuse("config", "check")
    assert (ran.code, ran.out) == (2, "")
    (said,) = [line for line in ran.err.splitlines() if "ABUSE_NOW" not in line]
    assert str(empty.config) in said
    assert all(word in said for word in MISTAKES[change]), said


def test_every_mistake_is_named_at_once(empty: Desk) -> None:
    for change in MISTAKES:
        empty.settings(*change)
    ran = empty.abuse("config", "check")
    assert ran.code == 2
    assert not [key for key, _ in MISTAKES.values() if key not in ran.err]


def test_every_mistake_in_the_tables_is_named_with_its_line(empty: Desk) -> None:
    for name, row in (
        ("networks.csv", "192.0.2.0/40,ours,too long"),
        ("customers.csv", "C-9,Somebody,not-an-address,ja"),
        ("assignments.csv", "192.0.2.9/32,C-0000,2026-01-01T00:00:00+09:00,,,"),
        ("assignments.csv", "192.0.2.9/32,C-1042,2026-01-01T00:00:00,,,"),
    ):
        with (empty.folder / name).open("a", encoding="utf-8") as file:
            file.write(row + "\n")
    ran = empty.abuse("config", "check")
    assert ran.code == 2
    for name in ("networks.csv", "customers.csv", "assignments.csv"):
        assert re.search(rf"{re.escape(str(empty.folder / name))}: line \d+, column ", ran.err), ran.err
    assert "C-0000" in ran.err


def test_a_wrong_configuration_stops_every_command_the_same_way(empty: Desk) -> None:
    empty.settings('timezone = "Asia/Tokyo"', 'timezone = "Asia/Edo"')
    said = {
        (ran.code, ran.out, ran.err)
        for arguments in (("config", "check"), ("triage",), ("explain", SAMPLES / "arf" / "abuse.eml"), ("run",))
        for ran in [empty.abuse(*arguments, now=None)]
    }
    assert len(said) == 1
    assert not (empty.folder / "var").exists()


def test_a_table_that_is_missing_is_named(empty: Desk) -> None:
    (empty.folder / "networks.csv").unlink()
    ran = empty.abuse("config", "check")
    assert ran.code == 2
    assert "networks.csv" in ran.err


def test_a_plugin_that_cannot_be_loaded_is_named_and_the_rest_works(empty: Desk) -> None:
    empty.settings('#folder = "plugins"', 'folder = "plugins"')
    (empty.folder / "plugins").mkdir()
    (empty.folder / "plugins" / "broken.py").write_text("import no_such_module_anywhere\n")
    ran = empty.abuse("config", "check", "--json")
    ran.document()
    assert "broken" in ran.err
    contract_shapes.report(empty.json("explain", SAMPLES / "arf" / "abuse.eml"), stored=False)


def _lookup(*arguments: object) -> dict[str, Any]:
    document = abuse("lookup", "--json", *arguments).document()
    contract_shapes.lookup(document)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize(
    ("arguments", "kind", "customer"),
    [
        ("192.0.2.7", "ours", "C-1042"),
        ("192.0.2.200", "ours", None),
        ("192.0.2.50", "ours", None),
        ("2001:db8:100:4200::1", "ours", "C-1080"),
        ("2001:DB8:100:4200:0:0:0:1", "ours", "C-1080"),
        ("198.51.100.200", "group", None),
        ("2001:db8:200::1", "group", None),
        ("8.8.8.8", "elsewhere", None),
        ("10.0.0.1", "special", None),
        ("::1", "special", None),
        ("192.0.2.64", "ours", None),
        ("192.0.2.64 --port 4928", "ours", "C-1070"),
        ("192.0.2.64 --port 4959", "ours", "C-1071"),
        ("192.0.2.64 --port 80", "ours", None),
    ],
)
def test_who_holds_an_address_now(arguments: str, kind: str, customer: str | None) -> None:
    holder = _lookup(*arguments.split())["holder"]
    assert (holder["kind"], holder["customer"]) == (kind, customer)
    assert holder["group"] == ("sister" if kind == "group" else None)


@pytest.mark.parametrize(
    ("at", "customer"),
    [
        ("2026-11-20T14:03:11+09:00", "C-1060"),
        ("2026-11-20T14:03:12+09:00", "C-1061"),
        ("2026-11-20T05:03:12Z", "C-1061"),
        ("2026-11-20T05:03:11.999Z", "C-1060"),
        ("2026-11-20 14:03:11 +0900", "C-1060"),
        ("Fri, 20 Nov 2026 14:03:11 +0900", "C-1060"),
        ("Fri, 20 Nov 2026 14:03:12 +0900 (JST)", "C-1061"),
        ("20 Nov 2026 05:03:12 GMT", "C-1061"),
        ("2026-11-20T14:03+09:00", None),
        ("2026-11-20T14:04+09:00", "C-1061"),
    ],
)
def test_who_held_an_address_at_a_moment(at: str, customer: str | None) -> None:
    document = _lookup("192.0.2.130", "--at", at)
    assert document["holder"]["customer"] == customer
    if customer is None:
        assert "minute" in document["holder"]["reason"]


@pytest.mark.parametrize("at", ["2026-11-20T14:03:12", "20/11/2026", "noon", ""])
def test_a_time_without_zone_or_sense_is_wrong_use(at: str) -> None:
    ran = abuse("lookup", "192.0.2.7", "--at", at)
    assert ran.code == 2
    assert "--at" in ran.err


def test_lookup_asks_nobody_unless_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_arguments: object, **_more: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr("abuse_pipeline.enrichment.enrich", no_network)
    assert abuse("lookup", "8.8.8.8").code == 0


def test_demo_is_described_without_being_run() -> None:
    ran = abuse_process("demo", "--help", config=None, now=None)
    assert ran.code == 0
    assert "--keep" in ran.out
    assert "samples" in ran.out
