"""Everything that a plugin may import: the contract between the desk and its parsers and enrichers.

A parser is registered in the entry-point group ``abuse_pipeline.parsers``, an enricher in ``abuse_pipeline.enrichers``;
a single file in the configured plugin folder works too. The name of the entry point is the name of the plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from abuse_pipeline.errors import (
    AbuseError,
    LimitExceeded,
    LookupUnavailable,
    MalformedMessage,
    MalformedReport,
    PluginError,
    ReportError,
    TransientError,
)
from abuse_pipeline.html_text import html_to_text
from abuse_pipeline.mail import Mail, Part, read_mail
from abuse_pipeline.model import (
    Disposition,
    Finding,
    Incident,
    IPAddress,
    Missing,
    Moment,
    Report,
)
from abuse_pipeline.networks.addresses import parse_address, parse_endpoint
from abuse_pipeline.settings import MailLimits
from abuse_pipeline.trace.dates import UnreadableTime, parse_date
from abuse_pipeline.trace.inside import came_from_a_desk, stayed_inside


@dataclass(frozen=True, slots=True)
class Bid:
    """How sure a parser is that a message is of its format.

    strength: 0 (not mine) to 100 (the standard says so). reason: one sentence for `abuse explain`.
    """

    strength: int
    reason: str


NOT_MINE = Bid(0, "not of this format")


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What a parser may know besides the message.

    own_addresses: addresses of the desk itself, lower-case. null_sender: the envelope's reverse-path was null, as that
    of a bounce is (RFC 5321 section 4.5.5); False also where there was no envelope.
    """

    limits: MailLimits
    own_addresses: frozenset[str] = frozenset()
    null_sender: bool = False


@runtime_checkable
class Parser(Protocol):
    """Reads one report format. Claims only: trust and ownership are decided elsewhere."""

    def recognise(self, mail: Mail, context: ParseContext) -> Bid:
        """Say how sure this parser is. Must not raise and must be cheap: every parser is asked about every message."""

    def parse(self, mail: Mail, context: ParseContext) -> Report:
        """Read the report. Raises MalformedReport (citing the standard) when the format's own rules are broken."""


@dataclass(frozen=True, slots=True)
class LookupContext:
    """What an enricher gets. now: aware UTC. timeout: how long it may take. nameservers: ``host`` or ``host:port``,
    empty for the system's. rdap_url: base URL of an RDAP server that replaces the bootstrap, for tests and mirrors."""

    now: datetime
    timeout: timedelta
    nameservers: tuple[str, ...] = ()
    rdap_url: str | None = None


@runtime_checkable
class Enricher(Protocol):
    """Asks one source of facts about an address. asks: what it asks of whom, for the documentation."""

    asks: str

    async def lookup(self, ip: IPAddress, context: LookupContext) -> tuple[Finding, ...]:
        """Facts about *ip*; empty when the source has none. Raises LookupUnavailable when it does not answer."""


__all__ = [
    "NOT_MINE",
    "AbuseError",
    "Bid",
    "Disposition",
    "Enricher",
    "Finding",
    "IPAddress",
    "Incident",
    "LimitExceeded",
    "LookupContext",
    "LookupUnavailable",
    "Mail",
    "MailLimits",
    "MalformedMessage",
    "MalformedReport",
    "Missing",
    "Moment",
    "ParseContext",
    "Parser",
    "Part",
    "PluginError",
    "Report",
    "ReportError",
    "TransientError",
    "UnreadableTime",
    "came_from_a_desk",
    "html_to_text",
    "parse_address",
    "parse_date",
    "parse_endpoint",
    "read_mail",
    "stayed_inside",
]
