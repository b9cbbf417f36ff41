"""`abuse init DIR`: a commented configuration, ready to run."""

from __future__ import annotations

from pathlib import Path

import click

from abuse_pipeline.cli.common import command, print_line
from abuse_pipeline.shipped import CONFIGURATION_FILES, write_configuration


@command("init", short_help="Write a commented configuration, ready to run.")
@click.argument("dir", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
def init(dir: Path, config: Path) -> None:  # noqa: ARG001  --config is accepted by every command
    """Write a commented configuration into DIR: abuse.toml, the CSV tables and the relay list.

    Files that are there already are never overwritten.

    \b
    Example:
      abuse init my-desk
      abuse run --config my-desk/abuse.toml
    """
    write_configuration(dir)
    print_line(f"wrote {', '.join(CONFIGURATION_FILES)} into {dir}")
    print_line("next:")
    print_line(f"  put your networks and customers into {dir}/networks.csv, customers.csv and assignments.csv")
    print_line(f"  abuse config check --config {dir / 'abuse.toml'}")
    print_line(f"  abuse run --config {dir / 'abuse.toml'}")
