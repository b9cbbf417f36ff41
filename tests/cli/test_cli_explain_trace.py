"""`abuse explain` and `abuse trace`: shapes, evidence, and that looking at a report leaves no trace."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import contract_shapes
import pytest
from abuse_command import SAMPLES, abuse, abuse_process
from conftest import Desk

EVERY = sorted(SAMPLES.glob("*/*.eml"))
A_REPORT = SAMPLES / "forwarded_attachment" / "postfix-iso2022jp.eml"


def _id(sample: Path) -> str:
    return f"{sample.parent.name}/{sample.stem}"


def _reported(sample: Path) -> Any:
    return abuse("explain", "--json", sample).document()


@pytest.mark.parametrize("sample", EVERY, ids=_id)
def test_every_sample_has_the_shape_of_the_contract(sample: Path) -> None:
    bare, shown = (abuse("explain", "--json", *more, sample).document() for more in ((), ("--evidence",)))
    contract_shapes.report(bare, stored=False)
    contract_shapes.report(shown, stored=False, evidence=True)
    assert isinstance(bare, dict)
    assert bare["source"] == str(sample)
    assert bare["digest"] == f"sha256:{hashlib.sha256(sample.read_bytes()).hexdigest()}"


def test_evidence_is_what_the_reported_message_says() -> None:
    document = abuse("explain", "--json", "--evidence", A_REPORT).document()
    assert isinstance(document, dict)
    evidence = document["incidents"][0]["evidence"]
    assert evidence["from"] == "あおぞら商店メルマガ <news@aozora-shop.example>"
    assert evidence["to"] == "北風 はるか <haruka.kitakaze@kitakaze.example>"
    assert evidence["date"] == "Fri, 20 Nov 2026 14:03:05 +0900"
    assert evidence["feedback_type"] is None
    arf = abuse("explain", "--json", "--evidence", SAMPLES / "arf" / "abuse.eml").document()
    assert isinstance(arf, dict)
    assert arf["incidents"][0]["evidence"]["feedback_type"] == "abuse"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_without_evidence_nobody_is_shown(more: tuple[str, ...]) -> None:
    """Of the recipient's side only host names stand there: they are the witnesses of the origin."""
    said = abuse("explain", *more, A_REPORT).out.lower()
    assert not [text for text in ("haruka", "北風", "はるか", "ktk-2026", "0000-0142") if text in said]


def test_standard_input_is_read(tmp_path: Path) -> None:
    raw = A_REPORT.read_bytes()
    piped = abuse_process("explain", "--json", "-", stdin=raw).document()
    assert isinstance(piped, dict)
    contract_shapes.report(piped, stored=False)
    assert piped["source"] == "-"
    file = _reported(A_REPORT)
    # The pseudonym's key is made up where there is no store.
    ignored = {"source", "reporter"}
    assert {k: v for k, v in piped.items() if k not in ignored} == {k: v for k, v in file.items() if k not in ignored}


def test_explaining_stores_nothing(empty: Desk) -> None:
    before = {file: file.stat().st_mtime_ns for file in empty.folder.rglob("*")}
    for arguments in (("explain", A_REPORT), ("explain", "--json", A_REPORT), ("trace", A_REPORT), ("lookup", "::1")):
        assert empty.abuse(*arguments).code == 0
    assert {file: file.stat().st_mtime_ns for file in empty.folder.rglob("*")} == before


def test_explaining_leaves_a_store_as_it_is(own: Desk) -> None:
    before = (own.folder / "var" / "abuse.db").read_bytes()
    known = own.json("outbox", "list", "--kind", "reply")["outbox"][0]["reporter"]
    document = own.json("explain", A_REPORT)
    assert (own.folder / "var" / "abuse.db").read_bytes() == before
    names = {line["reporter"] for line in map(json.loads, (own.folder / "ingested.jsonl").read_text().splitlines())}
    assert document["reporter"] in names, "the same reporter has one pseudonym"
    assert known in names


def test_the_text_tells_the_path_stage_by_stage() -> None:
    said = abuse("explain", A_REPORT).out
    stages = [line.split()[0] for line in said.splitlines() if line and not line.startswith(" ")]
    assert stages == ["read", "parse", "incident", "trace", "attribute", "decide", "report", "outgoing", "outgoing"]
    assert "株式会社あおぞら商店" in said, "the notice is shown"
    assert "192.0.2.7" in said


@pytest.mark.parametrize("sample", EVERY, ids=_id)
def test_every_chain_has_the_shape_of_the_contract(sample: Path) -> None:
    ran = abuse("trace", "--json", sample)
    if sample.parent.name == "unreadable":
        assert (ran.code, ran.out) == (1, "")
        return
    document = ran.document()
    contract_shapes.trace(document)
    assert isinstance(document, dict)
    incidents = _reported(sample)["incidents"]
    if incidents and incidents[0]["origin"]["ip"] is not None:
        assert document["origin"] == incidents[0]["origin"], "the reported message is followed"


def test_a_report_leads_to_the_reported_message_and_a_message_to_itself(tmp_path: Path) -> None:
    raw = A_REPORT.read_bytes()
    start = raw.index(b"Return-Path: <bounce-")
    inner = tmp_path / "spam.eml"
    inner.write_bytes(raw[start : raw.rindex(b"\r\n------=_" if b"\r\n" in raw else b"\n------=_")])
    of_report, of_message = (abuse("trace", "--json", file).document() for file in (A_REPORT, inner))
    assert isinstance(of_report, dict)
    assert isinstance(of_message, dict)
    assert [hop["by"] for hop in of_report["hops"]] == ["store.kitakaze.example", "mx.kitakaze.example"]
    assert [hop["by"] for hop in of_message["hops"]] == [hop["by"] for hop in of_report["hops"]]
    assert of_report["origin"]["ip"] == of_message["origin"]["ip"] == "192.0.2.7"


def test_verdicts_and_log_ins_are_told() -> None:
    forged = abuse("trace", "--json", SAMPLES / "forwarded_attachment" / "forged-tail.eml").document()
    assert isinstance(forged, dict)
    assert [hop["verdict"] for hop in forged["hops"]] == ["recipient_side", "handover", "claimed"]
    assert forged["origin"]["ip"] == "203.0.113.66"
    login = abuse("trace", "--json", SAMPLES / "forwarded_attachment" / "own-relay-login.eml").document()
    assert isinstance(login, dict)
    assert any(hop["authenticated"] for hop in login["hops"])


def test_a_message_without_a_chain_has_an_unknown_origin() -> None:
    document = abuse("trace", "--json", "-", stdin=b"From: a@b.example\r\n\r\nhello\r\n").document()
    assert isinstance(document, dict)
    assert document["hops"] == []
    assert document["origin"]["ip"] is None
    assert document["origin"]["reason"]


def test_what_a_stranger_wrote_cannot_drive_the_terminal() -> None:
    names = b"from \x1b[31mred (\x1b]0;title\x07 [192.0.2.7]) by \x9bmx.example.jp"
    raw = b"Received: " + names + b"; Fri, 20 Nov 2026 14:03:12 +0900\r\n\r\n"
    for arguments in (("trace", "-"), ("explain", "-", "--evidence")):
        said = abuse(*arguments, stdin=raw).out
        assert not {c for c in said if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)}


def test_the_time_is_shown_in_the_provider_s_zone(empty: Desk) -> None:
    assert "2026-11-20 14:03:12 JST" in empty.abuse("trace", A_REPORT).out
    empty.settings('timezone = "Asia/Tokyo"', 'timezone = "Europe/Berlin"')
    assert "2026-11-20 06:03:12 CET" in empty.abuse("trace", A_REPORT).out
    assert empty.json("trace", A_REPORT)["origin"]["at_local"] == "2026-11-20T06:03:12+01:00"
