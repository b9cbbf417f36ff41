"""The reader and the tracer over real mail: figures, and that no answer is a wrong address.

The corpus is not part of the repository (its licences differ); `ABUSE_CORPUS` says where it is.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import Message
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import mailparser
import pytest

from abuse_pipeline.model import IPAddress, JudgedHop, Verdict
from abuse_pipeline.networks.addresses import parse_address, special_use
from abuse_pipeline.trace import RecipientSide, TraceRules, find_origin, load_relays, read_hop, registered_domain

ROOT = Path(__file__).parents[2]
CORPUS = Path(os.environ.get("ABUSE_CORPUS", ROOT.parent / "shared" / "corpus"))
TRUTH = CORPUS / "groundtruth"
BELIEVED = (Verdict.HANDOVER, Verdict.BELIEVED)
OURS = "`abuse trace`"
MAIL_PARSER = {
    "mail-parser, told what the mail shows": ("topmost host", "its domain"),
    "mail-parser, told which MX it was": ("answer's host", "the domain of that"),
}
"""Rows of the table, and what `get_server_ipaddress` is told for them, see `_trusts`."""

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


def _phishing_cases() -> list[tuple[dict[str, Any], Message]]:
    cases = json.loads((TRUTH / "phishing_pot_boundary_ip.json").read_text(encoding="utf-8"))["cases"]
    found = []
    for case in cases:
        path = next(CORPUS.glob(f"*/*/{case['path']}"))
        message = message_from_bytes(path.read_bytes())
        for name in [name for name in message if GIVEAWAY.match(name)]:
            del message[name]
        found.append((case, message))
    return found


def _public(line: str) -> IPAddress | None:
    for text in LITERAL.findall(line):
        ip = parse_address(text.strip("()"))
        if ip is not None and special_use(ip) is None:
            return ip
    return None


@cache
def figures() -> dict[str, Counter[str]]:
    """How often each finder names the address that the receiving MX recorded, in the words of docs/trace.md.

    mail-parser must be told a string by which it knows the receiving MX. Where only the mail is at hand, that is the BY
    host of the topmost hop that records a public address, or its registered domain. But internal hops of large
    providers record public addresses too; so it is also told what only the answer tells: the host that recorded it, or
    that host's domain, as somebody knows it who looked the recipient's MX up. Of each two the better one is its row.
    """
    rules = _rules()
    table: dict[str, Counter[str]] = {}
    for case, message in _phishing_cases():
        truth, received = ip_address(case["boundary_ip"]), _received(message)
        publics = [ip for ip in map(_public, received) if ip is not None] or [None]
        answers = {
            OURS: _ours(received, truth, rules),
            "Topmost public address": publics[0],
            "Lowest public address": publics[-1],
            **{trust: _mail_parser(message, name) for trust, name in _trusts(case, received).items()},
        }
        for finder, ip in answers.items():
            outcome = "Unknown" if ip is None else "Right" if ip == truth else "Wrong"
            table.setdefault(finder, Counter())[outcome] += 1
    for row, tries in MAIL_PARSER.items():
        table[row] = max((table.pop(name) for name in tries), key=lambda counts: (counts["Right"], -counts["Wrong"]))
    return table


def _trusts(case: dict[str, Any], received: list[str]) -> dict[str, str]:
    """What mail-parser may be told, see `figures`."""
    hops = [read_hop(index, field) for index, field in enumerate(received)]
    topmost = next((hop.by for hop in hops if hop.by and hop.ip is not None and special_use(hop.ip) is None), None)
    answer = hops[case["hop_index_from_top"]].by or ""
    return {
        "topmost host": topmost or "",
        "its domain": registered_domain(topmost) or "",
        "answer's host": answer,
        "the domain of that": answer.partition(".")[2],
    }


def _ours(received: list[str], truth: IPAddress, rules: TraceRules) -> IPAddress | None:
    """The origin; or the handover that the truth is, when we followed well-known relays below it."""
    origin = find_origin(received, RecipientSide(), rules)
    believed = [judged.hop.ip for judged in origin.hops if judged.verdict in BELIEVED]
    return truth if truth in believed else origin.ip


def _mail_parser(message: Message, trust: str) -> IPAddress | None:
    parser = mailparser.MailParser(message)
    parser.parse()
    answer = parser.get_server_ipaddress(trust) if trust else None
    return parse_address(answer) if answer else None


def test_the_handover_of_real_phishing_mails() -> None:
    rules, cases, table = _rules(), _phishing_cases(), figures()
    print(f"\n| {'Finder':<42} | Right | Unknown | Wrong |")
    for finder, row in table.items():
        print(f"| {finder:<42} | {row['Right']:>5} | {row['Unknown']:>7} | {row['Wrong']:>5} |")
    in_time = 0
    for case, message in cases:
        origin = find_origin(_received(message), RecipientSide(), rules)
        believed = (judged for judged in origin.hops if judged.verdict in BELIEVED)
        hop = next((judged for judged in believed if str(judged.hop.ip) == case["boundary_ip"]), None)
        in_time += hop is not None and _stamped(hop) == datetime.fromisoformat(case["boundary_time_utc"])
    assert table[OURS]["Wrong"] == 0
    assert table[OURS]["Right"] == in_time
    assert table[OURS]["Right"] >= 0.99 * len(cases)


def test_the_documentation_quotes_these_figures() -> None:
    text = (ROOT / "docs" / "trace.md").read_text(encoding="utf-8").partition("\n## Measured\n")[2]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line[:1] == "|"]
    begin = rows.index(["Finder", "Right", "Unknown", "Wrong"]) + 2
    quoted = {finder: counts for finder, *counts in rows[begin : begin + 5]}
    assert quoted == {
        finder: [str(row[outcome]) for outcome in ("Right", "Unknown", "Wrong")] for finder, row in figures().items()
    }
    yielded, recorded, _ = _literals()
    assert f"{recorded:,} different fields" in text
    assert f"{yielded:,} yield it" in text


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
    yielded, recorded, invented = _literals()
    print(f"\nof {recorded:,} different fields that record an address {yielded:,} yield it")
    assert invented == []
    assert yielded > 900
    assert yielded >= 0.995 * recorded


@cache
def _literals() -> tuple[int, int, list[str]]:
    """Of all different fields: how many yield their address, how many record one, which yield one that is not there."""
    lines: dict[str, None] = {}
    for path in sorted(CORPUS.rglob("*")):
        if path.is_file() and path.suffix not in (".json", ".msg", ".zip", ".gz", ".pdf", ".tsv", ".md"):
            lines.update(dict.fromkeys(_fields_of(message_from_bytes(path.read_bytes()))))
    yielded, recorded, invented = 0, 0, []
    for line in lines:
        hop = read_hop(0, line)
        if hop.ip is not None and not _is_in(hop.ip, line):
            invented.append(line)
        clause = re.match(r"\s*from\s(.*?)\sby\s", line, re.S | re.I)
        if clause is not None and LITERAL.search(clause[1]):
            recorded += 1
            yielded += hop.ip is not None
    return yielded, recorded, invented


def _is_in(ip: IPAddress, line: str) -> bool:
    words = re.split(r"[\s()\[\],;/@]+", line)
    candidates = {parse_address(word) for word in words} | {parse_address(word.partition(":")[0]) for word in words}
    return ip in candidates
