"""Mail services and filters of Japan."""

from __future__ import annotations

from typing import Final

from abuse_pipeline.trace.dialects.shapes import Dialect

JAPAN: Final[tuple[Dialect, ...]] = ()
