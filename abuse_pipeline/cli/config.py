"""`abuse config check`: everything that `abuse run` would read, checked without starting it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abuse_pipeline.cli.common import command, json_option, note, open_desk, print_json, print_line
from abuse_pipeline.errors import ConfigurationError

if TYPE_CHECKING:
    from abuse_pipeline.desk import Desk
    from abuse_pipeline.settings import Settings

_SQLITE = "sqlite:///"


@click.group("config")
def config() -> None:
    """Check a configuration."""


@command("check", short_help="Check the configuration and every file that it names.")
@json_option
def check(as_json: bool, config: Path) -> None:
    """Check the configuration and every file that it names. Exit 2 when something is wrong.

    What is allowed but seldom meant is a warning, and no failure.

    \b
    Example:
      abuse config check --config my-desk/abuse.toml
    """
    desk = open_desk(config)
    unusable = [f"{config}: {problem}" for problem in _unusable_places(desk.settings)]
    if unusable:
        raise ConfigurationError("\n".join(unusable))
    summary = _summary(desk, config)
    if as_json:
        print_json(summary)
    else:
        print_line(f"{config}: no error found")
        for name, value in summary["configuration"].items():
            print_line(f"  {name}: {value}")
    for warning in _warnings(desk.settings):
        note(f"abuse: warning: {config}: {warning}")
    if desk.plugins.problems:
        note("abuse: the plugins named above are left out; everything else works")


def _unusable_places(settings: Settings) -> Iterator[str]:
    """What the first start would stumble over; nothing is made here."""
    store, folder = settings.store, settings.intake.folder
    places = [] if folder is None else [("intake.folder.path", folder.path)]
    if store.url.startswith(_SQLITE):
        places.append(("store.url", Path(store.url.removeprefix(_SQLITE)).parent))
    if not store.keys.is_dir():
        places.append(("store.keys", store.keys))
    for key, place in places:
        nearest = next(there for there in (place, *place.parents) if os.path.lexists(there))
        if not nearest.is_dir():
            yield f"{key}: the folder {place} cannot be made: {nearest} is not a folder"
        elif not os.access(nearest, os.W_OK | os.X_OK):
            yield f"{key}: the folder {place} cannot be written: this user may not write into {nearest}"


def _warnings(settings: Settings) -> Iterator[str]:
    smtp, address = settings.intake.smtp, settings.provider.abuse_address
    if smtp is None:
        return
    if address.lower() not in {recipient.lower() for recipient in smtp.recipients}:
        yield (
            f"provider.abuse_address: customers answer to {address}, which is not among intake.smtp.recipients: "
            "the receiver refuses their answers"
        )
    for number, feed in enumerate(settings.triage.feeds):
        if not feed.networks:
            yield (
                f"triage.feeds.{number}: {feed.sender} has no networks: whoever writes as this sender is believed, "
                "unless a mail server before the receiver checks that"
            )


def _summary(desk: Desk, file: Path) -> dict[str, dict[str, object]]:
    settings = desk.settings
    smtp, folder = settings.intake.smtp, settings.intake.folder
    return {
        "configuration": {
            "file": str(file),
            "provider": settings.provider.name,
            "store": re.sub(r"(//[^:/@]*):.*@", r"\1:…@", settings.store.url.removeprefix(_SQLITE)),
            "smtp": smtp.listen if smtp is not None else "off",
            "folder": str(folder.path) if folder is not None else "off",
            "customers": len(desk.table.customers),
            "group companies": len(desk.table.group_companies),
            "relays": len(desk.rules.relays),
            "parsers": ", ".join(desk.plugins.parsers),
            "enrichers": ", ".join(desk.plugins.enrichers),
        }
    }


config.add_command(check)
