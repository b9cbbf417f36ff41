"""`abuse run`: the service in the foreground."""

from __future__ import annotations

import asyncio
from pathlib import Path

from abuse_pipeline.cli.common import command, open_desk, open_the_store, the_clock


@command("run", short_help="Run the service: SMTP receiver, folder watcher, workers.")
def run(config: Path) -> None:
    """Run the service: SMTP receiver, folder watcher and workers. Stops cleanly on SIGTERM and Ctrl-C.

    \b
    Example:
      abuse run --config my-desk/abuse.toml
    """
    from abuse_pipeline.logs import configure_logging
    from abuse_pipeline.service import serve

    clock = the_clock()
    desk = open_desk(config)
    configure_logging(desk.settings.log)
    store = open_the_store(desk.settings, clock)
    try:
        asyncio.run(serve(desk, store, clock))
    finally:
        store.close()
