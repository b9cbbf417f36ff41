"""What reading one Received field costs, beside mail-parser on the same field in the same run; what hostile ones cost.

Usage: python benchmarks/received.py [ROUNDS]

The fields are those of the tests (tests/trace/dialects), and those of the corpus of real mail when it is there
(`ABUSE_CORPUS` or ../shared/corpus), as often as they occur. The peer is the part of mail-parser that makes its
`received`: `receiveds_parsing` with one field, without the reading of a mail around it. By turns each reads all fields,
and then, in rounds of their own, ten at a time: then the caches of the processor are cold for both, which costs the
quicker one more. Each field is timed by itself; its figure is the median of the rounds. What we remember of earlier
fields (addresses, zones) is forgotten before each round.
"""

from __future__ import annotations

import gc
import os
import resource
import statistics
import sys
import time
import tomllib
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

from mailparser.utils import receiveds_parsing

from abuse_pipeline.networks import addresses
from abuse_pipeline.trace import (
    RecipientSide,
    TraceRules,
    clauses,
    dates,
    dialects,
    find_origin,
    read_hop,
    received,
    usual,
)

ROOT = Path(__file__).parents[1]
CORPUS = Path(os.environ.get("ABUSE_CORPUS", ROOT.parent / "shared" / "corpus"))
NOT_MAIL = (".json", ".msg", ".zip", ".gz", ".pdf", ".tsv", ".md")
ROUNDS = 9
CHAIN = 10
LIMIT = received.LONGEST_FIELD

FIELD = (
    "from {} (r.example [203.0.113.5]) by mx.example.jp (Postfix) with ESMTP id 4F2; Fri, 20 Nov 2026 14:03:12 +0900"
)
HOSTILE = (
    *(
        "x",
        "(",
        ")",
        "()",
        "(a",
        "(a)",
        "((()))",
        "[",
        "]",
        "<",
        "@",
        "a@b ",
        ";",
        ":",
        ".",
        "1.",
        "\u3042",
        "\x00",
        " ",
    ),
    *(
        " by ",
        "from ",
        " with ",
        " id x",
        "1.2.3.4 ",
        "[1.2.3.4] ",
        "(x [1.2.3.4]) ",
        "::1 ",
        "(auth ",
        "; Fri, 20 Nov ",
    ),
    *(" (using TLSv1.3 with cipher A (1/1 bits))", " (HELO x)", "\r\n\t", "(Postfix) ", "-", "_", "<a@b>", "(a)b"),
)


def main(rounds: int) -> None:
    _compare("fields of the tests", _fields_of_tests(), rounds)
    if CORPUS.is_dir():
        _compare("fields of the corpus", _fields_of_corpus(), rounds)
    else:
        print("no corpus (ABUSE_CORPUS): its fields are left out")
    _huge()
    _thousand_hops()
    _growth()
    _memory()


def _fields_of_tests() -> list[str]:
    files = sorted((ROOT / "tests" / "trace" / "dialects").glob("*.toml"))
    return [line["received"] for file in files for line in tomllib.loads(file.read_text(encoding="utf-8"))["line"]]


def _fields_of_corpus() -> list[str]:
    paths = (path for path in sorted(CORPUS.rglob("*")) if path.is_file() and path.suffix not in NOT_MAIL)
    messages = (part for path in paths for part in message_from_bytes(path.read_bytes()).walk())
    return [str(value) for part in messages for value in part.get_all("received", [])]


def _compare(name: str, fields: list[str], rounds: int) -> None:
    print(f"{len(fields):,} {name}, median of {rounds} rounds, one core")
    _by_turns("by turns of all fields", fields, rounds, len(fields))
    _by_turns(f"by turns of {CHAIN} fields", fields, rounds, CHAIN)


def _by_turns(name: str, fields: list[str], rounds: int, turn: int) -> None:
    ours: list[list[float]] = [[] for _ in fields]
    theirs: list[list[float]] = [[] for _ in fields]
    gc.disable()  # as `timeit` does: when the collector runs is chance
    for _ in range(rounds):
        _forget()
        for begin in range(0, len(fields), turn):
            chain = range(begin, min(begin + turn, len(fields)))
            _clock(lambda field: read_hop(0, field), fields, chain, ours)
            _clock(lambda field: receiveds_parsing([field]), fields, chain, theirs)
    gc.enable()
    we, they = list(map(statistics.median, ours)), list(map(statistics.median, theirs))
    print(f"  {name}: {sum(we) / sum(they):.0%} of mail-parser's time (goal: 40 % at most)")
    print(f"    {'read_hop':<14} {_micro(we)}")
    print(f"    {'mail-parser':<14} {_micro(they)}")


def _clock(read: Callable[[str], object], fields: list[str], chain: range, seconds: list[list[float]]) -> None:
    for number in chain:
        start = time.perf_counter()
        read(fields[number])
        seconds[number].append(time.perf_counter() - start)


def _forget() -> None:
    for module in (addresses, clauses, dates, dialects, received, usual):
        for thing in vars(module).values():
            if hasattr(thing, "cache_clear"):
                thing.cache_clear()


def _micro(seconds: list[float]) -> str:
    mean, median = statistics.mean(seconds) * 1e6, statistics.median(seconds) * 1e6
    return f"{mean:>8.1f} µs a field (the median field {median:.1f} µs)"


def _huge() -> None:
    worst = max((_time(lambda field=field: read_hop(0, field)), piece) for piece, field in _hostile(1_000_000))
    print(f"a field of 1 MB, the worst of {len(HOSTILE)} contents: {worst[0] * 1e3:.3f} ms (goal: 50)")
    worst = max((_time(lambda field=field: read_hop(0, field)), piece) for piece, field in _hostile(LIMIT))
    print(f"a field of 64 KB, the longest that is read: {worst[0] * 1e3:.1f} ms (content {worst[1]!r})")


def _hostile(size: int) -> Iterator[tuple[str, str]]:
    """Fields of *size* characters at most, filled up where the client writes, with the contents that filled them."""
    space = size - len(FIELD) + 2
    for piece in HOSTILE:
        yield piece, FIELD.format(piece * (space // len(piece)))


def _time(act: Callable[[], object]) -> float:
    """Seconds of the processor, the best of five: other programs on the machine only ever slow a run down."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        act()
        best = min(best, time.process_time() - start)
    return best


def _thousand_hops() -> None:
    rules = TraceRules((), (), timedelta(hours=2), lambda _: False)
    plain = [FIELD.format(f"h{number}.example") for number in range(1000)]
    inside = [
        f"from h{number + 1}.example.jp (h{number + 1}.example.jp [10.0.{number // 250}.{number % 250 + 1}]) by"
        f" h{number}.example.jp (Postfix) with ESMTP id 4F2A8; Fri, 20 Nov 2026 14:03:12 +0900"
        for number in range(1000)
    ]
    hostile = [FIELD.format(f"x{number} by y [192.0.2.4] (a(b) by z") for number in range(1000)]
    for name, fields in (("usual", plain), ("all of the recipient's side", inside), ("hostile", hostile)):
        _forget()
        read = _time(lambda fields=fields: [read_hop(number, field) for number, field in enumerate(fields)])
        traced = _time(lambda fields=fields: find_origin(fields, RecipientSide(frozenset({"example.jp"})), rules))
        print(f"1,000 hops, {name}: read in {read * 1e3:.0f} ms (goal: 100), traced in {traced * 1e3:.0f} ms")


def _growth() -> None:
    """How the time grows when a hostile field becomes eight times as long: 8 is linear."""
    small, large = dict(_hostile(LIMIT // 8)), dict(_hostile(LIMIT))
    growth = {
        piece: _time(lambda piece=piece: read_hop(0, large[piece]))
        / _time(lambda piece=piece: read_hop(0, small[piece]))
        for piece in HOSTILE
    }
    piece = max(growth, key=lambda piece: growth[piece])
    print(f"8 KB to 64 KB: {growth[piece]:.1f} times as long at worst (content {piece!r}); 8 is linear")


def _memory() -> None:
    worst = 0
    for _, field in _hostile(LIMIT):
        tracemalloc.start()
        read_hop(0, field)
        worst = max(worst, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory for a field of 64 KB: {worst / 2**20:.1f} MiB at worst; the whole run {peak:.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
