"""`abuse init DIR`: a commented configuration, ready to run."""

from __future__ import annotations

import os
from pathlib import Path

import click

from abuse_pipeline.cli.common import command, print_line
from abuse_pipeline.errors import ConfigurationError

FILES = ("abuse.toml", "networks.csv", "group_companies.csv", "customers.csv", "assignments.csv", "relays.toml")


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
    print_line(f"wrote {', '.join(FILES)} into {dir}")
    print_line("next:")
    print_line(f"  put your networks and customers into {dir}/networks.csv, customers.csv and assignments.csv")
    print_line(f"  abuse config check --config {dir / 'abuse.toml'}")
    print_line(f"  abuse run --config {dir / 'abuse.toml'}")


def write_configuration(folder: Path) -> None:
    """Copy the shipped configuration into *folder*, all of it or nothing.

    Raises ConfigurationError when a file is there already or the folder cannot be written.
    """
    from abuse_pipeline.desk import shipped_file

    shipped = shipped_file("config")
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise ConfigurationError(
            f"{', '.join(there)} exists already", where=str(folder), todo="name another folder or move it away"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            # "x": a file that appeared since the check above is not overwritten either.
            with (folder / name).open("xb") as file:
                file.write((shipped / name).read_bytes())
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(f"cannot be written: {reason}", where=str(folder)) from None
