"""Who held an address: prefix by time by port, over the provider's own lists. Pure: texts in, answers out."""

from __future__ import annotations

from abuse_pipeline.networks.csv_files import NetworkTexts, read_lists
from abuse_pipeline.networks.table import NetworkTable

__all__ = ["NetworkTable", "NetworkTexts", "build_table"]


def build_table(texts: NetworkTexts) -> NetworkTable:
    """The table of what the four lists say.

    Raises ConfigurationError with one line for each problem in any of them: file, line, column, value, what is wrong.
    """
    return NetworkTable.of(read_lists(texts))
