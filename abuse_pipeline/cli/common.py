"""What every command shares: its options, how it prints JSON, how it opens desk and store."""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from abuse_pipeline.clock import Clock, clock_from_environment, system_clock
from abuse_pipeline.errors import AbuseError, ConfigurationError

if TYPE_CHECKING:
    from abuse_pipeline.desk import Desk
    from abuse_pipeline.settings import Settings
    from abuse_pipeline.store import Store

DEFAULT_CONFIG = "config/abuse.toml"
_PIPE_WIDTH = 200

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else.")


def command(name: str, **attributes: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A click command with the options that every command has: --config and --debug."""

    make: Callable[[Callable[..., Any]], click.Command] = click.command(name, **attributes)

    def decorate(function: Callable[..., Any]) -> click.Command:
        made = make(function)
        made.params += [_config_option(), _debug_option()]
        return made

    return decorate


def _config_option() -> click.Option:
    return click.Option(
        ["--config", "config"],
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_CONFIG,
        envvar="ABUSE_CONFIG",
        show_default=True,
        show_envvar=True,
        help="The configuration to work with.",
    )


def _debug_option() -> click.Option:
    # `main` looks for the flag itself: it must also know when reading the arguments fails.
    return click.Option(
        ["--debug"], is_flag=True, expose_value=False, help="Show a traceback when something goes wrong."
    )


def print_json(document: object) -> None:
    """One JSON document on stdout. Japanese stays readable; what is not valid Unicode is replaced."""
    print_line(json.dumps(document, ensure_ascii=False, indent=2))


def print_line(text: str) -> None:
    """One line on stdout, in UTF-8 whatever the locale says; without colours where nobody sees them."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        text = click.unstyle(text)
    sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()


def read_file(file: Path) -> bytes:
    """The bytes of *file*, or of standard input for ``-``. Raises AbuseError."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise AbuseError(f"cannot be read: {error.strerror}", where=str(file)) from None


def line_width() -> int:
    """How many columns a line may have: the terminal's, COLUMNS, or those of a generous page in a pipe."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        return _PIPE_WIDTH
    return shutil.get_terminal_size().columns


def note(text: str) -> None:
    """A word to the person at the terminal; stdout stays for what was asked for."""
    click.echo(text, err=True)


def the_clock() -> Clock:
    """The clock of this command; a fixed one is announced on stderr."""
    clock = clock_from_environment()
    if clock is not system_clock:
        _announce(clock().isoformat())
    return clock


@functools.cache
def _announce(instant: str) -> None:
    note(f"abuse: the clock stands at {instant} (ABUSE_NOW)")


def open_settings(config: Path) -> Settings:
    from abuse_pipeline.settings import load_settings

    return load_settings(config)


def open_desk(config: Path) -> Desk:
    """The desk of *config*; plugins that could not be loaded are named on stderr."""
    from abuse_pipeline.desk import build_desk

    desk = build_desk(open_settings(config))
    for problem in desk.plugins.problems:
        note(f"abuse: {problem}")
    return desk


def open_the_store(settings: Settings, clock: Clock) -> Store:
    from abuse_pipeline.store import open_store

    return open_store(settings.store, clock)


@contextmanager
def desk_and_store(config: Path) -> Iterator[tuple[Desk, Store]]:
    """The desk and its open store, closed afterwards."""
    desk = open_desk(config)
    store = open_the_store(desk.settings, the_clock())
    try:
        yield desk, store
    finally:
        store.close()


def exit_code_of(error: AbuseError) -> int:
    return 2 if isinstance(error, ConfigurationError) else 1


def fail(message: str, code: int = 1) -> NoReturn:
    note(f"abuse: {message}")
    sys.exit(code)
