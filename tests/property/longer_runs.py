"""How much the property tests try: `ABUSE_PROPERTY_SCALE=20 pytest tests/property` tries twenty times as much."""

from __future__ import annotations

import os

_SCALE = float(os.environ.get("ABUSE_PROPERTY_SCALE", "1"))


def times(examples: int) -> int:
    """*examples* in CI; more, or fewer, where the environment asks for it."""
    return max(1, int(examples * _SCALE))
