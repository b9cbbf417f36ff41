"""Every sample through the running service, over a real socket and a real folder; and through `abuse ingest`."""

from __future__ import annotations

import json
import re
import smtplib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import getaddresses
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from desk_service import OUR_ADDRESS, Desk, Service, deliver, exported, make_desk, wait_until_processed

from abuse_pipeline.demo import NOW
from abuse_pipeline.errors import ReportError
from abuse_pipeline.mail import read_mail
from abuse_pipeline.settings import MailLimits

SAMPLES = Path(__file__).parents[2] / "samples"
ENGINES = ["sqlite", "postgresql"]
MANY_REPLIES = {"per_sender_per_day": 1000}


@dataclass(frozen=True)
class Sample:
    file: Path

    @cached_property
    def raw(self) -> bytes:
        return self.file.read_bytes()

    @cached_property
    def expected(self) -> dict[str, Any]:
        found = json.loads(self.file.with_suffix(".expected.json").read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found

    @property
    def return_path(self) -> str:
        found = re.search(rb"^Return-Path:[ \t]*<([^>\r\n]*)>", self.raw, re.MULTILINE | re.IGNORECASE)
        return found[1].decode("ascii", "replace") if found else "reporter@example.jp"

    @property
    def incidents(self) -> list[str]:
        """The disposition of each; empty also where the expectation leaves them open."""
        return [incident["disposition"] for incident in self.expected.get("incidents", [])]

    @property
    def dispositions(self) -> list[str]:
        """As triage counts them: of each incident, or of the report when it has none."""
        return self.incidents or [self.expected["disposition"]]

    @property
    def kinds(self) -> set[tuple[str, str, str]]:
        """(customer, category, type) of each notice that it calls for."""
        return {
            (incident["holder"]["customer"], incident["category"], incident["type"])
            for incident in self.expected.get("incidents", [])
            if incident["disposition"] == "notify_customer"
        }

    @cached_property
    def reporters(self) -> set[str]:
        """Addresses that would identify its reporter."""
        return {address for _, address in getaddresses([_from_of(self.raw), self.return_path]) if "@" in address}


def _from_of(raw: bytes) -> str:
    try:
        return read_mail(raw, MailLimits()).header("From") or ""
    except ReportError:  # a hostile sample is no mail; its Return-Path is looked for all the same
        return ""


def samples() -> list[Sample]:
    """All of different bytes."""
    return list({s.raw: s for s in map(Sample, sorted(SAMPLES.glob("*/*.eml"), reverse=True))}.values())


@pytest.fixture(params=ENGINES)
def sample_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    changes: dict[str, dict[str, object]] = {"replies": dict(MANY_REPLIES)}
    if request.param == "postgresql":
        changes["store"] = {"url": request.getfixturevalue("postgres_url")}
    return make_desk(tmp_path / "desk", now=NOW, **changes)


def _send_all(some: list[Sample], port: int) -> dict[str, Sample]:
    """Gives the samples by the submission's id. A message sent twice is the same submission."""
    ids: dict[str, Sample] = {}
    for sample in some:
        with smtplib.SMTP("127.0.0.1", port, timeout=30, local_hostname="client.example") as client:
            ids[deliver(client, sample.raw, sample.return_path)] = sample
            assert deliver(client, sample.raw, sample.return_path) in ids
    return ids


def test_samples_over_smtp_and_folder(sample_desk: Desk, run: Callable[[Desk], Service], tmp_path: Path) -> None:
    desk, everything = sample_desk, samples()
    service = run(desk)
    by_smtp, by_folder = everything[::2], everything[1::2]
    ids = _send_all(by_smtp, service.listening())
    for sample in by_folder:
        desk.drop(f"{sample.file.parent.name}-{sample.file.name}", sample.raw)
    desk.drop("again.eml", by_smtp[0].raw)  # the same report by another way
    wait_until_processed(desk, len(everything), service)
    _wait_for_files(desk, len(by_folder) + 1)
    started = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - started < 10
    assert "Traceback" not in service.said
    _assert_triage(desk, everything)
    ids |= dict(_ids_of_files(desk, by_folder))
    _assert_each_as_expected(desk, ids)
    _assert_one_notice_for_customer_and_kind(desk, ids)
    _assert_exported_tells_nobody(desk, everything, tmp_path / "out")


def test_a_configuration_named_relative_to_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[[Desk], Service]
) -> None:
    """The README's way: `abuse init my-desk`, ABUSE_CONFIG=my-desk/abuse.toml, `abuse run`."""
    monkeypatch.chdir(tmp_path)
    desk = make_desk(Path("my-desk"), now=NOW)
    service = run(desk)
    service.listening()
    desk.drop("report.eml", samples()[0].raw)
    wait_until_processed(desk, 1, service)
    assert service.stop() == 0


def _wait_for_files(desk: Desk, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(list((desk.inbox.parent / "done").iterdir())) < count:
        assert time.monotonic() < deadline, "files stay in the folder"
        time.sleep(0.1)


def _ids_of_files(desk: Desk, some: list[Sample]) -> Iterator[tuple[str, Sample]]:
    by_raw = {sample.raw: sample for sample in some}
    with desk.store() as store:
        for record in store.submissions():
            sample = by_raw.get(store.raw_message(record.id))
            if sample is not None:
                yield record.id, sample


def _assert_triage(desk: Desk, everything: list[Sample]) -> None:
    triage = desk.json("triage", "--by", "disposition")
    counted = Counter({group["disposition"]: group["incidents"] for group in triage["groups"]})
    counted["duplicate"] = triage["submissions"]["duplicate"]
    counted[None] = 0  # a duplicate has no disposition
    assert +counted == Counter(["duplicate", *(d for sample in everything for d in sample.dispositions)])
    statuses = Counter(sample.expected["status"] for sample in everything)
    assert {status: triage["submissions"][status] for status in ("done", "staff", "pending")} == {
        "done": statuses["done"],
        "staff": statuses["staff"],
        "pending": 0,
    }


def _assert_each_as_expected(desk: Desk, ids: dict[str, Sample]) -> None:
    with desk.store() as store:
        found = {id: store.submission(id) for id in ids}
        incidents = {id: [i.disposition.value for i in store.incidents_of_submission(id)] for id in ids}
    for id, sample in ids.items():
        name = sample.file.name
        assert (found[id].status.value, found[id].disposition) == (
            sample.expected["status"],
            sample.expected["disposition"],
        ), name
        if "incidents" in sample.expected:
            assert incidents[id] == sample.incidents, name


def _assert_one_notice_for_customer_and_kind(desk: Desk, ids: dict[str, Sample]) -> None:
    cases = {c["id"]: (c["customer"], c["category"], c["type"]) for c in desk.json("cases", "list")["cases"]}
    outbox = desk.json("outbox", "list")["outbox"]
    notices = {cases[m["case"]]: sorted(m["submissions"]) for m in outbox if m["kind"] == "notice"}
    assert len(notices) == len([m for m in outbox if m["kind"] == "notice"])
    wanted: dict[tuple[str, str, str], list[str]] = {}
    for id, sample in sorted(ids.items()):
        for kind in sample.kinds:
            wanted.setdefault(kind, []).append(id)
    assert notices == wanted
    replies = Counter(submission for m in outbox if m["kind"] == "reply" for submission in m["submissions"])
    answered = [id for id, s in ids.items() if any(o["kind"] == "reply" for o in s.expected["outgoing"])]
    assert replies == Counter(answered)


def _assert_exported_tells_nobody(desk: Desk, everything: list[Sample], out: Path) -> None:
    messages = exported(desk, out)
    assert {m["id"] for m in desk.json("outbox", "list", "--state", "queued")["outbox"]} == set(messages)
    identities = {address.lower() for sample in everything for address in sample.reporters} - {OUR_ADDRESS}
    assert len(identities) > 20
    for id, message in messages.items():
        assert not message.defects, id
        assert all(message[field] for field in ("From", "To", "Date", "Message-ID")), id
        if id.startswith("N"):
            text = f"{message.as_string()}\n{message.get_content()}".lower()
            assert not [identity for identity in identities if identity in text], id


def test_ingest_answers_as_expected(tmp_path: Path) -> None:
    desk = make_desk(tmp_path / "desk", now=NOW, replies=dict(MANY_REPLIES))
    done = desk.abuse("ingest", "--json", SAMPLES)
    # The README and the expectations beside the samples are no reports, and the folder is taken as it is.
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    answers = {line["source"]: line for line in lines if line["source"].endswith(".eml")}
    files = sorted(SAMPLES.glob("*/*.eml"))
    assert list(answers) == [str(file) for file in files]
    seen: set[bytes] = set()
    for file in files:
        sample, answer = Sample(file), answers[str(file)]
        if sample.raw in seen:
            assert (answer["status"], answer["disposition"]) == ("duplicate", "none"), file.name
            assert answer["duplicate_of"]
            assert answer["incidents"] == answer["outgoing"] == []
            continue
        seen.add(sample.raw)
        differences = list(_differences(sample.expected, answer))
        assert not differences, f"{file.name}: {differences}"
        kinds = Counter(message["kind"] for message in sample.expected["outgoing"])
        assert Counter(message["kind"] for message in answer["outgoing"]) == kinds, file.name


def _differences(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """What an answer lacks of what is expected. Messages are left out: a notice takes up what came before."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            if key not in ("note", "ingest", "outgoing"):
                yield from _differences(value, found[key], f"{where}.{key}")
    elif isinstance(expected, list) and len(expected) == len(found):
        for position, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(one, other, f"{where}[{position}]")
    elif expected != found:
        yield f"{where}: expected {expected!r}, found {found!r}"
