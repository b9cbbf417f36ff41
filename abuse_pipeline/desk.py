"""A desk: everything that handling one report needs, built once from the configuration.

This is where files are read for the pure rooms: the CSV tables, the relay list and the plugins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from abuse_pipeline.api import ParseContext
from abuse_pipeline.errors import ConfigurationError
from abuse_pipeline.model import IPAddress
from abuse_pipeline.networks import NetworkTable, NetworkTexts, build_table
from abuse_pipeline.notices import ProviderFacts
from abuse_pipeline.plugins import Plugins, find_plugins
from abuse_pipeline.settings import NetworkFiles, Settings
from abuse_pipeline.shipped import shipped_file
from abuse_pipeline.trace import TraceRules, load_relays
from abuse_pipeline.trace.learning import never_learned
from abuse_pipeline.triage import Feed


@dataclass(frozen=True)
class Desk:
    """Settings and everything read on their account. Immutable; a changed configuration makes a new desk."""

    settings: Settings
    table: NetworkTable
    rules: TraceRules
    plugins: Plugins

    @cached_property
    def own_addresses(self) -> frozenset[str]:
        """Addresses of the desk itself, lower-case: mail from them is our own coming back."""
        smtp = self.settings.intake.smtp
        return frozenset(
            address.lower()
            for address in (self.settings.provider.abuse_address, *(smtp.recipients if smtp is not None else ()))
        )

    @cached_property
    def parse_context(self) -> ParseContext:
        return ParseContext(limits=self.settings.mail, own_addresses=self.own_addresses)

    @cached_property
    def feeds(self) -> tuple[Feed, ...]:
        return tuple(Feed(feed.sender, feed.networks) for feed in self.settings.triage.feeds)

    @cached_property
    def never_learned(self) -> Callable[[IPAddress], bool]:
        """Addresses that no report can teach the tracer to pass over."""
        return never_learned(self.rules)

    @cached_property
    def provider(self) -> ProviderFacts:
        provider = self.settings.provider
        return ProviderFacts(provider.name, provider.abuse_address, provider.postal_address)


def build_desk(settings: Settings) -> Desk:
    """Read the tables, the relays and the plugins that *settings* name.

    Raises ConfigurationError with every problem found in the tables or the relay list.
    """
    table = build_table(_network_texts(settings.networks), settings.provider.zone)
    relays_text, relays_name = _relays(settings.trace.relays)
    rules = TraceRules(
        own_relays=settings.trace.own_relays,
        relays=load_relays(relays_text, relays_name),
        max_skew=settings.trace.max_skew,
        managed=table.is_managed,
    )
    return Desk(settings, table, rules, find_plugins(settings.plugins.folder))


def _network_texts(files: NetworkFiles) -> NetworkTexts:
    return NetworkTexts(
        networks=_optional(files.networks, "networks.networks"),
        group_companies=_optional(files.group_companies, "networks.group_companies"),
        customers=_optional(files.customers, "networks.customers"),
        assignments=_optional(files.assignments, "networks.assignments"),
    )


def _optional(file: Path | None, key: str) -> tuple[str, str] | None:
    return None if file is None else (_text_of(file, key), str(file))


def _relays(file: Path | None) -> tuple[str, str]:
    """The configured relay list, or the one shipped with the program."""
    if file is not None:
        return _text_of(file, "trace.relays"), str(file)
    shipped = shipped_file("config", "relays.toml")
    return shipped.read_text(encoding="utf-8"), "relays.toml (shipped)"


def _text_of(file: Path, key: str) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError("is not UTF-8 text", where=str(file), todo="save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=f"{file} ({key})") from None
