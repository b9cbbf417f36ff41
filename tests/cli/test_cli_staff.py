"""`abuse cases` and `abuse outbox`: the work of staff, and how messages leave."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import contract_shapes
import pytest
from abuse_command import SAMPLES
from conftest import Desk

from abuse_pipeline.demo import NOW

SEVERITIES = ["critical", "high", "medium", "low"]


def _outbox(desk: Desk, *more: str) -> list[dict[str, Any]]:
    document = desk.json("outbox", "list", *more)
    contract_shapes.outbox(document)
    found: list[dict[str, Any]] = document["outbox"]
    return found


def _cases(desk: Desk, *more: str) -> list[dict[str, Any]]:
    document = desk.json("cases", "list", *more)
    contract_shapes.cases(document)
    found: list[dict[str, Any]] = document["cases"]
    return found


def _later(**more: float) -> str:
    return (datetime.fromisoformat(NOW) + timedelta(**more)).isoformat()


def test_cases_are_worst_first(filled: Desk) -> None:
    cases = _cases(filled)
    assert cases
    order = [(SEVERITIES.index(case["severity"]), -case["incidents"], case["first_at"]) for case in cases]
    assert order == sorted(order)
    assert len({(case["customer"], case["category"], case["type"]) for case in cases}) == len(cases)


def test_cases_of_one_customer(filled: Desk) -> None:
    every = _cases(filled, "--state", "all")
    customer = every[0]["customer"]
    assert _cases(filled, "--customer", customer) == [case for case in every if case["customer"] == customer]
    assert _cases(filled, "--customer", "C-0") == []
    assert filled.abuse("cases", "list", "--customer", "C-0").out == "no cases\n"


def test_a_case_is_shown_with_messages_and_history(own: Desk) -> None:
    id = _cases(own)[0]["id"]
    assert own.abuse("cases", "note", id, "お客様に電話した", "--who", "sato").code == 0
    assert own.abuse("cases", "assign", id, "suzuki", "--who", "sato").code == 0
    shown = own.json("cases", "show", id)
    contract_shapes.case(shown)
    assert shown["assignee"] == "suzuki"
    assert [item["case"] for item in shown["outbox"]] == [id]
    assert [(event["who"], event["action"], event["text"]) for event in shown["history"][1:]] == [
        ("sato", "note", "お客様に電話した"),
        ("sato", "assigned", "suzuki"),
    ]
    text = own.abuse("cases", "show", id).out
    assert "お客様に電話した" in text
    assert "suzuki" in text


def test_a_case_is_closed_and_opened_again(own: Desk) -> None:
    id = _cases(own)[0]["id"]
    assert own.abuse("cases", "close", id, "--reason", "the script is gone", "--who", "sato").code == 0
    assert id not in [case["id"] for case in _cases(own)]
    assert [case["state"] for case in _cases(own, "--state", "closed")] == ["closed"]
    assert id in [case["id"] for case in _cases(own, "--state", "all")]
    again = own.abuse("cases", "close", id, "--reason", "twice")
    assert again.code == 1
    assert id in again.err
    assert own.abuse("cases", "reopen", id, "--reason", "it is back", "--who", "sato").code == 0
    assert id in [case["id"] for case in _cases(own)]
    assert [e["text"] for e in own.json("cases", "show", id)["history"][1:]] == ["the script is gone", "it is back"]


def test_who_acts_comes_from_the_environment_too(own: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABUSE_WHO", "tanabe")
    id = _cases(own)[0]["id"]
    own.abuse("cases", "note", id, "x")
    assert own.json("cases", "show", id)["history"][-1]["who"] == "tanabe"


def test_the_outbox_is_listed_by_kind_and_state(filled: Desk) -> None:
    every = _outbox(filled)
    notices, replies = _outbox(filled, "--kind", "notice"), _outbox(filled, "--kind", "reply")
    assert {item["kind"] for item in notices} == {"notice"}
    assert {item["kind"] for item in replies} == {"reply"}
    assert len(notices) + len(replies) == len(every) == len(_outbox(filled, "--kind", "notice,reply"))
    by_state = [len(_outbox(filled, "--state", state)) for state in ("queued", "held", "sent", "failed")]
    assert sum(by_state) == len(every)
    assert _outbox(filled, "--state", "queued,held,sent,failed") == every


def _export(desk: Desk, folder: Path, *more: str, now: str = NOW) -> set[str]:
    ran = desk.abuse("outbox", "export", folder, *more, now=now)
    assert ran.code == 0, ran.err
    files = {file.stem for file in folder.glob("*.eml")}
    assert {file.name for file in folder.iterdir()} == {f"{id}.eml" for id in files}, "nothing half-written is left"
    assert f"wrote {len(files)} " in ran.out
    return files


def _ids(items: list[dict[str, Any]]) -> set[str]:
    return {item["id"] for item in items}


def test_everything_queued_is_exported_due_or_not(own: Desk, tmp_path: Path) -> None:
    assert _export(own, tmp_path / "out") == _ids(_outbox(own, "--state", "queued"))
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in (tmp_path / "out").iterdir())
    assert len(_outbox(own, "--state", "sent")) == 0


def test_exported_files_are_whole_messages_to_the_right_people(own: Desk, tmp_path: Path) -> None:
    _export(own, tmp_path / "out")
    for item in _outbox(own, "--state", "queued"):
        raw = (tmp_path / "out" / f"{item['id']}.eml").read_bytes()
        assert b"\n" not in raw.replace(b"\r\n", b"")
        mail = message_from_bytes(raw, policy=policy.default)
        assert not mail.defects
        assert mail["Auto-Submitted"]
        to_customer = {"C-1042": "postmaster@aozora-shop.example", "C-1043": "abuse@blueharbor.example"}
        if item["customer"] in to_customer:
            assert mail["To"].addresses[0].addr_spec == to_customer[item["customer"]]


def test_kinds_and_due_times_filter(own: Desk, tmp_path: Path) -> None:
    notices = _ids(_outbox(own, "--kind", "notice", "--state", "queued"))
    assert _export(own, tmp_path / "notices", "--kind", "notice") == notices
    assert _export(own, tmp_path / "now", "--due") == set(), "a notice waits an hour, a reply five minutes"
    replies = _ids(_outbox(own, "--kind", "reply", "--state", "queued"))
    assert _export(own, tmp_path / "soon", "--due", now=_later(minutes=6)) == replies
    assert _export(own, tmp_path / "later", "--due", now=_later(minutes=61)) == notices | replies


def test_what_is_marked_as_sent_does_not_leave_again(own: Desk, tmp_path: Path) -> None:
    replies = _export(own, tmp_path / "one", "--kind", "reply", "--mark-sent")
    assert replies == _ids(_outbox(own, "--state", "sent"))
    assert _export(own, tmp_path / "two").isdisjoint(replies)
    (first,) = {item["id"] for item in _outbox(own, "--state", "sent")} & {min(replies)}
    assert own.abuse("outbox", "hold", first, "--reason", "too late").code == 1


def test_held_messages_leave_only_when_asked_for(own: Desk, tmp_path: Path) -> None:
    held = _outbox(own, "--kind", "notice", "--state", "queued")[0]["id"]
    assert own.abuse("outbox", "hold", held, "--reason", "お客様と電話中", "--who", "sato").code == 0
    (item,) = [each for each in _outbox(own, "--state", "held") if each["id"] == held]
    assert item["reason"] == "お客様と電話中"
    assert held not in _export(own, tmp_path / "queued")
    assert held in _export(own, tmp_path / "held", "--state", "held")
    assert own.abuse("outbox", "approve", held).code == 0
    assert held in _export(own, tmp_path / "approved")


def test_staff_approval_holds_every_notice_until_it_is_given(empty: Desk, tmp_path: Path) -> None:
    empty.settings('#approval = "automatic"', 'approval = "staff"')
    assert empty.abuse("ingest", SAMPLES / "forwarded_attachment" / "two-customers.eml").code == 0
    notices = _outbox(empty, "--kind", "notice")
    assert {item["state"] for item in notices} == {"held"}
    assert all(item["reason"] for item in notices)
    assert _export(empty, tmp_path / "out", "--kind", "notice") == set()
    assert empty.abuse("outbox", "approve", *sorted(_ids(notices))).code == 0
    assert _export(empty, tmp_path / "out", "--kind", "notice") == _ids(notices)


def test_a_reply_is_shown_without_its_receiver(filled: Desk) -> None:
    for item in _outbox(filled, "--kind", "reply")[:5]:
        said = filled.abuse("outbox", "show", item["id"]).out
        assert f"To: {item['reporter']}" in said
        assert "@" not in said.partition("To: ")[2].partition("\n")[0]


def test_a_notice_is_shown_as_the_customer_reads_it(filled: Desk) -> None:
    item = next(each for each in _outbox(filled, "--kind", "notice") if each["customer"] == "C-1042")
    said = filled.abuse("outbox", "show", item["id"]).out
    assert "株式会社あおぞら商店 御中" in said
    assert "To: 株式会社あおぞら商店 <postmaster@aozora-shop.example>" in said


def test_a_reporter_is_a_pseudonym_in_every_list(filled: Desk) -> None:
    for arguments in (("outbox", "list"), ("outbox", "list", "--json"), ("cases", "list"), ("cases", "list", "--json")):
        assert "@" not in filled.abuse(*arguments).out
