"""Who held an address: prefix by time by port, over the provider's own lists. Pure: texts in, answers out."""

from __future__ import annotations

from datetime import UTC, tzinfo

from abuse_pipeline.networks.csv_files import NetworkTexts, read_lists
from abuse_pipeline.networks.table import NetworkTable

__all__ = ["NetworkTable", "NetworkTexts", "build_table"]


def build_table(texts: NetworkTexts, zone: tzinfo = UTC) -> NetworkTable:
    """The table of what the four lists say. zone: in which its reasons show times.

    Raises ConfigurationError with one line for each problem in any of them: file, line, column, value, what is wrong.
    """
    return NetworkTable.of(read_lists(texts), zone)
