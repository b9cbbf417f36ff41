"""The reader and the tracer over real mail: figures, and that no answer is a wrong address.

The corpus is not part of the repository (its licences differ); `ABUSE_CORPUS` says where it is.
"""

from __future__ import annotations

import json
import os
import re
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import Message
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from abuse_pipeline.model import IPAddress, JudgedHop, Verdict
from abuse_pipeline.networks.addresses import parse_address, special_use
from abuse_pipeline.trace import RecipientSide, TraceRules, find_origin, load_relays, read_hop

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("ABUSE_CORPUS", ROOT.parent / "shared" / "corpus"))
TRUTH = CORPUS / "groundtruth"

pytestmark = pytest.mark.skipif(not TRUTH.is_dir(), reason="no corpus: set ABUSE_CORPUS to its folder")

# What gives the answer away in the phishing_pot mails: the README of the corpus.
GIVEAWAY = re.compile(r"x-sender-ip|x-sid-|authentication-results|received-spf|arc-|x-ms-exchange-|x-forefront-", re.I)
LITERAL = re.compile(
    r"(?<![\w.:-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.-])|[\[(](?:IPv6:)?[0-9a-f]{0,4}:[0-9a-f:.]+[\])]", re.IGNORECASE
)


def _rules() -> TraceRules:
    relays = load_relays((ROOT / "config" / "relays.toml").read_text(encoding="utf-8"), "relays.toml")
    return TraceRules((), relays, timedelta(hours=2), lambda ip: False)


def _received(message: Message) -> list[str]:
    return [str(value) for value in message.get_all("received", [])]


def _fields_of(message: Message) -> list[str]:
    """The Received fields of a message and of every message inside it."""
    return [field for part in message.walk() for field in _received(part)]


def _phishing_cases() -> list[tuple[dict[str, Any], list[str]]]:
    cases = json.loads((TRUTH / "phishing_pot_boundary_ip.json").read_text(encoding="utf-8"))["cases"]
    found = []
    for case in cases:
        path = next(CORPUS.glob(f"*/*/{case['path']}"))
        message = message_from_bytes(path.read_bytes())
        for name in [name for name in message if GIVEAWAY.match(name)]:
            del message[name]
        found.append((case, _received(message)))
    return found


def _public(line: str) -> IPAddress | None:
    for text in LITERAL.findall(line):
        ip = parse_address(text.strip("()"))
        if ip is not None and special_use(ip) is None:
            return ip
    return None


def test_the_handover_of_real_phishing_mails() -> None:
    rules = _rules()
    cases = _phishing_cases()
    right, in_time, unknown, wrong = 0, 0, [], []
    topmost = lowest = 0
    for case, received in cases:
        truth = ip_address(case["boundary_ip"])
        origin = find_origin(received, RecipientSide(), rules)
        believed = [j for j in origin.hops if j.verdict in (Verdict.HANDOVER, Verdict.BELIEVED)]
        hit = next((j for j in believed if j.hop.ip == truth), None)
        if hit is not None:
            right += 1
            in_time += _stamped(hit) == datetime.fromisoformat(case["boundary_time_utc"])
        else:
            (unknown if origin.ip is None else wrong).append(case["path"])
        publics = [ip for ip in map(_public, received) if ip is not None]
        topmost += bool(publics) and publics[0] == truth
        lowest += bool(publics) and publics[-1] == truth
    print(
        f"\nphishing_pot: {right}/{len(cases)} handovers right, {in_time} with their time, unknown {unknown}, wrong"
        f" {wrong}; baselines: topmost public address {topmost}, lowest {lowest}"
    )
    assert wrong == []
    assert right == in_time
    assert right >= 0.99 * len(cases)


def _stamped(judged: JudgedHop) -> datetime | None:
    return judged.hop.stamped_at.at if judged.hop.stamped_at else None


def test_the_fields_that_rspamd_knows() -> None:
    cases = json.loads((TRUTH / "rspamd_received.json").read_text(encoding="utf-8"))["cases"]
    assert len(cases) == 13
    for case in cases:
        hop, expected = read_hop(0, case["header"]), case["expected"]
        assert (str(hop.ip) if hop.ip else None) == expected.get("real_ip"), case["header"]
        if "by_hostname" in expected:
            assert hop.by == expected["by_hostname"]


def test_address_literals_of_all_lines() -> None:
    lines: dict[str, None] = {}
    for path in sorted(CORPUS.rglob("*")):
        if path.is_file() and path.suffix not in (".json", ".msg", ".zip", ".gz", ".pdf", ".tsv", ".md"):
            lines.update(dict.fromkeys(_fields_of(message_from_bytes(path.read_bytes()))))
    yielded, missed = 0, []
    for line in lines:
        hop = read_hop(0, line)
        if hop.ip is not None:
            assert _is_in(hop.ip, line), line
        clause = re.match(r"\s*from\s(.*?)\sby\s", line, re.S | re.I)
        if clause is None or not LITERAL.search(clause[1]):
            continue
        if hop.ip is None:
            missed.append(line)
        else:
            yielded += 1
    print(f"\nof {yielded + len(missed)} different lines that record an address {yielded} yield it")
    assert yielded > 900
    assert yielded >= 0.995 * (yielded + len(missed))


def _is_in(ip: IPAddress, line: str) -> bool:
    words = re.split(r"[\s()\[\],;/@]+", line)
    candidates = {parse_address(word) for word in words} | {parse_address(word.partition(":")[0]) for word in words}
    return ip in candidates
