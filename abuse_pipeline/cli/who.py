"""Which member of staff is at the keyboard, for the history."""

from __future__ import annotations

import getpass
import os

import click

who_option = click.option(
    "--who", default=lambda: os.environ.get("ABUSE_WHO") or getpass.getuser(), help="Your name for the history."
)
