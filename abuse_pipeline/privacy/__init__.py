"""Promise 1, the reporter is never passed on: needles, the leak gate, pseudonyms. Pure: no I/O, no clock."""

from __future__ import annotations

from abuse_pipeline.privacy.collect import collect_needles
from abuse_pipeline.privacy.gate import GateVerdict, check_leaks
from abuse_pipeline.privacy.needle import CommonProperty, Needle, needles_from_json, needles_to_json
from abuse_pipeline.privacy.ordinary import without_common

__all__ = [
    "CommonProperty",
    "GateVerdict",
    "Needle",
    "check_leaks",
    "collect_needles",
    "needles_from_json",
    "needles_to_json",
    "without_common",
]
