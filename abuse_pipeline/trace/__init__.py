"""Where a mail came from, and why we believe it: Received fields -> hops -> origin (DESIGN.md, "Trace")."""

from abuse_pipeline.trace.beside import Beside, beside
from abuse_pipeline.trace.dates import UnreadableTime, parse_date
from abuse_pipeline.trace.domains import registered_domain
from abuse_pipeline.trace.inside import stayed_inside
from abuse_pipeline.trace.learning import Passage, passage_of
from abuse_pipeline.trace.origin import find_origin
from abuse_pipeline.trace.pasted import pasted_headers, pasted_text
from abuse_pipeline.trace.received import read_hop
from abuse_pipeline.trace.relays import KnownRelay, load_relays
from abuse_pipeline.trace.side import RecipientSide, TraceRules

__all__ = [
    "Beside",
    "KnownRelay",
    "Passage",
    "RecipientSide",
    "TraceRules",
    "UnreadableTime",
    "beside",
    "find_origin",
    "load_relays",
    "parse_date",
    "passage_of",
    "pasted_headers",
    "pasted_text",
    "read_hop",
    "registered_domain",
    "stayed_inside",
]
