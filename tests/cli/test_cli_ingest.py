"""`abuse ingest`: JSON Lines of the contract, where each message came from, doubles, and what cannot be taken in."""

from __future__ import annotations

import hashlib
import json
import mailbox
import zipfile
from pathlib import Path
from typing import Any

import contract_shapes
import pytest
from abuse_command import SAMPLES, abuse_process
from conftest import Desk

from abuse_pipeline.errors import StoreUnavailable

EVERY = sorted(SAMPLES.glob("*/*.eml"))
ARF = sorted((SAMPLES / "arf").glob("*.eml"))
BARE_XARF = json.dumps(
    {
        "Version": "4",
        "ReporterInfo": {"ReporterOrg": "Example Org", "ReporterContactEmail": "taro@reporter.example"},
        "Report": {"ReportClass": "Activity", "ReportType": "LoginAttack", "SourceIp": "192.0.2.7",
                   "Date": "2026-11-20T05:03:12Z"},
    }
).encode()  # fmt: skip


def _ingested(desk: Desk, *paths: object, code: int = 0) -> list[dict[str, Any]]:
    ran = desk.abuse("ingest", "--json", *paths)
    assert ran.code == code, ran.err
    found = contract_shapes.lines_of(ran.out)
    for line in found:
        contract_shapes.report(line, stored=True)
    return found


def test_every_sample_becomes_a_line_that_agrees_with_explain(filled: Desk) -> None:
    lines = contract_shapes.lines_of((filled.folder / "ingested.jsonl").read_text("utf-8"))
    assert len(lines) == len(EVERY)
    doubles = [line for line in lines if line["status"] == "duplicate"]
    assert [Path(line["source"]).name for line in doubles] == ["postfix-iso2022jp.eml"]
    for line in lines:
        contract_shapes.report(line, stored=True)
        source = Path(line["source"])
        assert source.is_file()
        assert line["digest"] == f"sha256:{hashlib.sha256(source.read_bytes()).hexdigest()}"
        if line not in doubles:
            explained = filled.json("explain", source)
            assert _facts(line) == _facts(explained), source


def _facts(document: dict[str, Any]) -> dict[str, Any]:
    """What does not depend on a store: no ids, and no outgoing messages (held back by what came before)."""
    incidents = [{k: v for k, v in each.items() if k != "case"} for each in document["incidents"]]
    kept = ("source", "digest", "status", "format", "language", "reporter", "disposition")
    return {**{name: document[name] for name in kept}, "incidents": incidents}


def test_members_of_archives_are_numbered_and_have_their_own_digest(empty: Desk, tmp_path: Path) -> None:
    raws = [file.read_bytes() for file in ARF[:6]]
    box = mailbox.mbox(tmp_path / "old.mbox")
    for raw in raws[:2]:
        box.add(raw)
    box.flush()
    with zipfile.ZipFile(tmp_path / "reports.zip", "w") as archive:
        for number, raw in enumerate(raws[2:4]):
            archive.writestr(f"folder/{number}.eml", raw)
    maildir = mailbox.Maildir(tmp_path / "Mail")
    for raw in raws[4:6]:
        maildir.add(raw)
    lines = _ingested(empty, tmp_path / "old.mbox", tmp_path / "reports.zip", tmp_path / "Mail")
    named = [line["source"].removeprefix(f"{tmp_path}/") for line in lines]
    assert named[:4] == ["old.mbox#1", "old.mbox#2", "reports.zip#1", "reports.zip#2"]
    assert all(name.startswith("Mail/new/") for name in named[4:]), "a message of a Maildir is a file of its own"
    digests = [hashlib.sha256(raw).hexdigest() for raw in raws]
    assert [line["digest"] for line in lines[2:4]] == [f"sha256:{digest}" for digest in digests[2:4]]
    assert len({line["submission"] for line in lines}) == 6


def test_a_folder_is_walked_to_its_leaves(empty: Desk, tmp_path: Path) -> None:
    for number, name in enumerate(("a.eml", "b/c.eml", "b/d/e.eml")):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(ARF[number].read_bytes())
    lines = _ingested(empty, tmp_path / "in")
    assert sorted(line["source"] for line in lines) == [
        str(tmp_path / "in" / name) for name in ("a.eml", "b/c.eml", "b/d/e.eml")
    ]


def test_the_same_bytes_are_taken_in_once(empty: Desk, tmp_path: Path) -> None:
    copy = tmp_path / "copy.eml"
    copy.write_bytes(ARF[0].read_bytes())
    first, second = _ingested(empty, ARF[0], copy)
    assert (first["status"], second["status"]) == ("done", "duplicate")
    assert second["duplicate_of"] == first["submission"]
    assert second["digest"] == first["digest"]
    assert second["source"] == str(copy)
    (again,) = _ingested(empty, ARF[0])
    assert (again["status"], again["duplicate_of"]) == ("duplicate", first["submission"])
    assert empty.json("triage")["submissions"]["received"] == 1
    assert len(empty.json("outbox", "list")["outbox"]) == len(first["outgoing"])


def test_ids_lead_on(empty: Desk) -> None:
    (line,) = _ingested(empty, SAMPLES / "forwarded_attachment" / "exim.eml")
    case = line["incidents"][0]["case"]
    assert empty.json("cases", "show", case)["id"] == case
    listed = {item["id"]: item for item in empty.json("outbox", "list")["outbox"]}
    assert set(listed) == {message["id"] for message in line["outgoing"]}
    for message in line["outgoing"]:
        assert listed[message["id"]]["submissions"] == [line["submission"]]
        assert listed[message["id"]]["reporter"] in (None, line["reporter"])


def test_standard_input_is_one_message(empty: Desk) -> None:
    ran = abuse_process("ingest", "--json", "-", stdin=ARF[0].read_bytes(), config=empty.config)
    (line,) = contract_shapes.lines_of(ran.out)
    contract_shapes.report(line, stored=True)
    assert (ran.code, line["source"], line["status"]) == (0, "-", "done")


def test_a_bare_xarf_object_is_taken_in(empty: Desk, tmp_path: Path) -> None:
    (tmp_path / "xarf.json").write_bytes(BARE_XARF)
    (line,) = _ingested(empty, tmp_path / "xarf.json")
    contract_shapes.report(empty.json("explain", tmp_path / "xarf.json"), stored=False)
    assert line["status"] in ("done", "staff")
    assert "taro@reporter.example" not in json.dumps(line)


def test_what_cannot_be_taken_in_is_named_and_the_rest_goes_on(empty: Desk, tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 this is no zip")
    ran = empty.abuse("ingest", "--json", tmp_path / "missing.eml", tmp_path / "broken.zip", ARF[0])
    assert ran.code == 1
    (line,) = contract_shapes.lines_of(ran.out)
    assert line["source"] == str(ARF[0])
    assert "missing.eml" in ran.err
    assert "broken.zip" in ran.err
    assert "Traceback" not in ran.err


def test_what_the_store_does_not_take_is_1(own: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr("abuse_pipeline.store.Store.accept", full)
    ran = own.abuse("ingest", "--json", ARF[0], ARF[1])
    assert (ran.code, ran.out) == (1, "")
    assert [name for name in map(str, ARF[:2]) if f"{name}: was not stored: the disk is full" not in ran.err] == []


def test_a_store_whose_keys_are_gone_takes_nothing(own: Desk) -> None:
    for key in (own.folder / "var" / "keys").iterdir():
        key.unlink()
    ran = own.abuse("ingest", "--json", ARF[0])
    assert ran.code != 0
    assert ran.out == ""
    assert "key" in ran.err
    assert "Traceback" not in ran.err


def test_a_report_for_staff_is_no_failure(empty: Desk) -> None:
    (line,) = _ingested(empty, SAMPLES / "unreadable" / "hostile-deep-nesting.eml")
    assert (line["status"], line["disposition"]) == ("staff", "staff")


def test_people_get_a_summary(empty: Desk, tmp_path: Path) -> None:
    ran = empty.abuse("ingest", ARF[0], tmp_path / "missing.eml", ARF[0])
    assert ran.code == 1
    assert ran.out.splitlines()[0] == "2 taken in"
    assert {line.split()[1] for line in ran.out.splitlines()[1:3]} == {"notify_customer", "duplicate"}
    assert "could not be taken in" in ran.out


@pytest.mark.parametrize("kind", ["lines", "summary"])
def test_no_line_and_no_summary_shows_a_person(empty: Desk, kind: str) -> None:
    sample = SAMPLES / "forwarded_attachment" / "postfix-iso2022jp.eml"
    ran = empty.abuse("ingest", *(("--json",) if kind == "lines" else ()), sample)
    said = (ran.out + ran.err).lower()
    assert not [text for text in ("haruka", "北風", "はるか", "ktk-2026", "0000-0142") if text in said]
