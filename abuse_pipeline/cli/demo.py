"""`abuse demo`: the whole thing, to look at."""

from __future__ import annotations

from pathlib import Path

import click

from abuse_pipeline.cli.common import command, print_line


@command("demo", short_help="The whole thing on the samples, over real SMTP and a real folder.")
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Work in this new folder and leave it.")
def demo(keep: Path | None, config: Path) -> None:  # noqa: ARG001  the demo brings its own configuration
    """The whole thing on the samples, over real SMTP and a real folder, in a temporary place.

    \b
    Example:
      abuse demo
      abuse demo --keep my-demo
    """
    from abuse_pipeline.demo import run_demo

    run_demo(print_line, keep)
