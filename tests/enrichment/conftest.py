"""The local DNS and RDAP servers of tests/enrichers serve here too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "enrichers"))
