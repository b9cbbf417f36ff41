"""Logging to stderr: one line an event, as text for people or as JSON for machines. No line shows a reporter.

Rooms log through ``logging.getLogger("abuse.…")``; structlog renders. Libraries that log mail addresses are silenced.
"""

from __future__ import annotations

import logging
import sys

import structlog

from abuse_pipeline.settings import LogSettings

# aiosmtpd logs every command with its addresses; SQLAlchemy logs bound values.
_TALKATIVE = (
    "mail.log",
    "mail.debug",
    "sqlalchemy",
    "alembic",
    "asyncio",
    "watchfiles",
    "ipwhois",
    "httpx",
    "httpcore",
)


def configure_logging(settings: LogSettings) -> None:
    """Send this process's log to stderr as *settings* say. Call once, at the start of a process."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
