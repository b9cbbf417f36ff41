"""Promise 2 over generated chains: no trace ends in an address that a forger wrote, and honest origins are found."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace

import pytest
from trace_chains import Maker, is_forged, rules

from abuse_pipeline.model import Confidence
from abuse_pipeline.trace import beside, find_origin

CHAINS = int(os.environ.get("ABUSE_CHAINS", "20000"))


def test_no_chain_ends_in_a_forged_address(record_property: pytest.RecordProperty) -> None:
    counts: Counter[tuple[bool, str]] = Counter()
    believe = rules()
    for seed in range(CHAINS):
        chain = Maker(seed).chain()
        origin = find_origin(chain.received, chain.side, believe, beside(chain.fields))
        assert not is_forged(origin.ip), f"seed {seed}: {origin.ip} was written by the forger"
        assert [judged.hop.index for judged in origin.hops] == list(range(len(chain.received)))
        if origin.ip is None:
            assert origin.confidence is Confidence.UNKNOWN
        sort = "forged" if chain.forged else "unnamed" if chain.kind == "unnamed" else "honest"
        counts[sort, "right" if origin.ip == chain.truth else "unknown" if origin.ip is None else "other"] += 1
    figures = {
        sort: {outcome: n for (s, outcome), n in counts.items() if s == sort} for sort in sorted({s for s, _ in counts})
    }
    print(f"\n{CHAINS} chains: {figures}")
    record_property("chains", str(figures))
    honest, forged, unnamed = figures["honest"], figures["forged"], figures["unnamed"]
    assert honest["right"] >= 0.98 * (sum(honest.values()) + sum(unnamed.values()))
    assert honest.get("other", 0) == unnamed.get("other", 0) == 0
    assert unnamed
    assert forged["right"] >= 0.6 * sum(forged.values())


def test_learning_believes_nobody_who_was_not_believed_before() -> None:
    """Whatever somebody made us learn: an address that is believed with it was believed without it."""
    believe = rules()
    passed = 0
    for seed in range(CHAINS // 10):
        chain = Maker(seed).chain()
        plain = find_origin(chain.received, chain.side, believe, beside(chain.fields))
        everybody = frozenset(judged.hop.ip for judged in plain.hops if judged.hop.ip is not None)
        learned = replace(chain.side, learned=everybody)
        origin = find_origin(chain.received, learned, believe, beside(chain.fields))
        if origin.confidence in (Confidence.WITNESSED, Confidence.RELAYED):
            assert (origin.ip, origin.moment) == (plain.ip, plain.moment), f"seed {seed}"
        else:
            passed += origin != plain
    assert passed > CHAINS // 100
