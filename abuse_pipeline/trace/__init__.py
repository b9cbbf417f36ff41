"""Where a mail came from, and why we believe it: Received fields -> hops -> origin (DESIGN.md, "Trace")."""

from abuse_pipeline.trace.dates import UnreadableTime, parse_date

__all__ = ["UnreadableTime", "parse_date"]
