"""Files that ship with the program: the samples and the commented configuration."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

from abuse_pipeline.errors import ConfigurationError

CONFIGURATION_FILES = (
    "abuse.toml",
    "networks.csv",
    "group_companies.csv",
    "customers.csv",
    "assignments.csv",
    "relays.toml",
)


def shipped_file(*steps: str) -> Path:
    """A file or folder that ships with the program: inside the wheel, or in the checkout it runs from.

    Raises ConfigurationError when the installation is incomplete.
    """
    package = Path(str(resources.files("abuse_pipeline")))
    for base in (package / "_data", package.parent):
        candidate = base.joinpath(*steps)
        if candidate.exists():
            return candidate
    raise ConfigurationError("/".join(steps) + " is missing from the installation", todo="install the package again")


def write_configuration(folder: Path) -> None:
    """Copy the shipped configuration into *folder*, all of it or nothing.

    Raises ConfigurationError when a file is there already or the folder cannot be written.
    """
    shipped = shipped_file("config")
    there = [name for name in CONFIGURATION_FILES if (folder / name).exists()]
    if there:
        raise ConfigurationError(
            f"{', '.join(there)} exists already", where=str(folder), todo="name another folder or move it away"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in CONFIGURATION_FILES:
            # "x": a file that appeared since the check above is not overwritten either.
            with (folder / name).open("xb") as file:
                file.write((shipped / name).read_bytes())
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(f"cannot be written: {reason}", where=str(folder)) from None
