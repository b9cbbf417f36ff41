"""`abuse config check`: everything that `abuse run` would read, checked without starting it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from abuse_pipeline.cli.common import command, json_option, note, open_desk, print_json, print_line

if TYPE_CHECKING:
    from abuse_pipeline.desk import Desk


@click.group("config")
def config() -> None:
    """Check a configuration."""


@command("check", short_help="Check the configuration and every file that it names.")
@json_option
def check(as_json: bool, config: Path) -> None:
    """Check the configuration and every file that it names. Exit 2 when something is wrong.

    \b
    Example:
      abuse config check --config my-desk/abuse.toml
    """
    desk = open_desk(config)
    summary = _summary(desk, config)
    if as_json:
        print_json(summary)
    else:
        print_line(f"{config}: no error found")
        for name, value in summary["configuration"].items():
            print_line(f"  {name}: {value}")
    if desk.plugins.problems:
        note("abuse: the plugins named above are left out; everything else works")


def _summary(desk: Desk, file: Path) -> dict[str, dict[str, object]]:
    settings = desk.settings
    smtp, folder = settings.intake.smtp, settings.intake.folder
    return {
        "configuration": {
            "file": str(file),
            "provider": settings.provider.name,
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
