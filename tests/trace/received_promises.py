"""What every Received field keeps to, however bent: checked by hypothesis in each run, by atheris in `make fuzz`."""

from __future__ import annotations

import re
import time
from dataclasses import fields

from received_mutations import INSERTS, LINES, Below, mutated_field

from abuse_pipeline.model import Hop, IPAddress
from abuse_pipeline.networks.addresses import parse_address
from abuse_pipeline.trace import read_hop
from abuse_pipeline.trace.received import UNBALANCED, _thorough_hop, _usual_hop
from abuse_pipeline.trace.usual import usual_field

SECONDS = 0.2
"""For a field of 20,000 characters, on a machine that does other things too."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PARTS = re.compile(r"[\s()\[\],;/@=<>\"]+")


def one_field(below: Below, lines: list[str] | None = None) -> None:
    """Bend one field in one of the two ways and check it."""
    if below(3):
        keeps_promises(mutated_field(below, lines))
    else:
        hostile_client(below)


def keeps_promises(raw: str) -> Hop:
    """Read *raw*; AssertionError when the hop says what the field does not."""
    start = time.process_time()
    hop = read_hop(7, raw)
    assert time.process_time() - start < SECONDS, f"{len(raw)} characters: {raw[:200]!r}"
    assert isinstance(hop, Hop)
    assert (hop.index, hop.raw) == (7, raw)
    text = " ".join(_CONTROL.sub("", raw).split())
    assert hop.ip is None or hop.ip in _addresses(text), f"{hop.ip} is not in {raw!r}"
    assert hop.by is None or hop.by in _hosts(text) or UNBALANCED in hop.defects, f"{hop.by} is no BY of {raw!r}"
    assert hop.port is None or (0 < hop.port < 65_536 and str(hop.port) in text), raw
    assert all("@" in address and address in text for address in hop.envelope_addresses), raw
    for word in (hop.helo, hop.rdns, hop.queue_id):
        assert word is None or word in text, f"{word!r} is not in {raw!r}"
    assert hop.stamped_at is None or hop.stamped_at.at.utcoffset() is not None
    usual = None if _CONTROL.search(raw) else usual_field(text)
    quick = usual and _usual_hop(7, raw, text, usual)
    assert not quick or quick == _thorough_hop(7, raw, text), _difference(quick, _thorough_hop(7, raw, text), raw)
    return hop


def _addresses(text: str) -> set[IPAddress | None]:
    """Whatever stands as an address in *text*, anywhere."""
    words = [word.rstrip(".") for word in _PARTS.split(text)]
    words += [word.partition("]")[0] for word in words] + [word.partition(":")[0] for word in words]
    return {parse_address(word) for word in words}


def _hosts(text: str) -> set[str]:
    """The words behind a BY, outside comments; the word behind FROM is the HELO and says nothing."""
    words: list[str] = []
    depth = 0
    for number, part in enumerate(re.findall(r"[()]|;|[^\s();]+", _without_helo(text))):
        if part == "(":
            depth += 1
        elif part == ")":
            depth = max(0, depth - 1)
        elif depth == 0 and part != ";":
            words.append(part if number else part.lower())
    return {
        words[at + 1].rstrip(".,").rpartition("@")[2].strip("<>")
        for at, word in enumerate(words[:-1])
        if word.lower() == "by"
    }


def _without_helo(text: str) -> str:
    return re.sub(r"^from [^\s()]+(?= |$)", "from", text, flags=re.IGNORECASE)


def _difference(quick: Hop, thorough: Hop, raw: str) -> str:
    names = [field.name for field in fields(Hop) if getattr(quick, field.name) != getattr(thorough, field.name)]
    return f"the quick way says otherwise in {names}: {raw!r}"


TRUE_IP, TRUE_BY, TRUE_TIME = parse_address("203.0.113.5"), "mx.true.example", "2026-11-20T05:03:12+00:00"
_WHEN = "Fri, 20 Nov 2026 14:03:12 +0900"
TEMPLATES = (
    "from {helo} (real.example [203.0.113.5]) by mx.true.example (Postfix) with ESMTP id A1; " + _WHEN,
    "from {helo} (unknown [203.0.113.5])\r\n\tby mx.true.example (Postfix) with ESMTPS id A1\r\n\tfor <a@b.example>; "
    + _WHEN,
    "from {helo} (real.example [203.0.113.5]) by mx.true.example (8.15.2/8.15.2) with ESMTP id g6; " + _WHEN,
    "from {helo} (real.example [203.0.113.5] (may be forged)) by mx.true.example (8.15.2/8.15.2) with SMTP id g6; "
    + _WHEN,
    "from {helo} (203.0.113.5) by mx.true.example (10.9.0.2) with Microsoft SMTP Server id 15.1.2; " + _WHEN,
    "from {helo} (real.example [203.0.113.5]) by mx.true.example with ESMTP id 77; " + _WHEN,
)
"""The client's HELO stands in front of its address: whatever it says, a reader may give up but not be led astray."""


def hostile_client(below: Below) -> None:
    """A HELO made of pieces of real lines; address, host, log-in and time stay the MTA's, or are given up."""
    pieces = []
    for _ in range(1 + below(6)):
        other = LINES[below(len(LINES))].replace("203.0.113.5", "203.0.113.66").split(" ")
        pieces.append(
            INSERTS[below(len(INSERTS))] if below(2) else " ".join(other[below(len(other)) :][: 1 + below(8)])
        )
    raw = TEMPLATES[below(len(TEMPLATES))].format(helo="".join(pieces))
    hop = keeps_promises(raw)
    assert hop.ip in (None, TRUE_IP), f"{hop.ip} is the client's word: {raw!r}"
    assert hop.by in (None, TRUE_BY), f"{hop.by} is the client's word: {raw!r}"
    assert not hop.authenticated, f"logged in by the client's word: {raw!r}"
    assert hop.stamped_at is None or hop.stamped_at.at.isoformat() == TRUE_TIME, f"{hop.stamped_at}: {raw!r}"
