"""`abuse`: one click program. A command's module is imported only when that command runs, so that help stays quick."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import NoReturn

import click

from abuse_pipeline import __version__
from abuse_pipeline.cli.common import exit_code_of, note
from abuse_pipeline.errors import AbuseError

# name: (module, object, the line that `abuse --help` shows)
COMMANDS = {
    "run": ("run", "run", "Run the service: SMTP receiver, folder watcher, workers."),
    "ingest": ("ingest", "ingest", "Take files, folders, mbox, Maildir, zip or - through the pipeline."),
    "triage": ("triage", "triage", "The report for staff: what came in, what is open, worst first."),
    "cases": ("cases", "cases", "The work of staff: list, show, note, assign, close, reopen."),
    "outbox": ("outbox", "outbox", "Notices and replies: list, show, export, approve, hold, retry."),
    "learned": ("learned", "learned", "Hosts in front of reporters' mailboxes: list, forget."),
    "explain": ("explain", "explain", "The whole path for one report, with reasons; stores nothing."),
    "trace": ("trace", "trace", "The Received chain of a message, hop by hop, and its origin."),
    "lookup": ("lookup", "lookup", "Who held an address at a moment."),
    "config": ("config", "config", "Check a configuration."),
    "init": ("init", "init", "Write a commented configuration, ready to run."),
    "demo": ("demo", "demo", "The whole thing on the samples, over real SMTP and a real folder."),
}


class LazyGroup(click.Group):
    """Knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        found = getattr(importlib.import_module(f"abuse_pipeline.cli.{module}"), name)
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="abuse")
@click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback when something goes wrong.")
def cli() -> None:
    """The abuse desk: reports in by SMTP or as files, anonymised notices to customers out.

    \b
    First steps:
      abuse demo                       see the whole thing work
      abuse init DIR                   write a configuration
      abuse --help, abuse run --help   what there is
    """


def main() -> NoReturn:
    """Run `abuse`; exit 2 for wrong use or configuration, 1 for a failure, 0 for success, 130 when interrupted."""
    debug = "--debug" in sys.argv
    try:
        sys.exit(cli.main(prog_name="abuse", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        note("abuse: interrupted")
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read us has gone (`abuse … | head`): that is no failure, and flushing at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except AbuseError as error:
        if debug:
            traceback.print_exc()
        note("\n".join(f"abuse: {line}" for line in str(error).splitlines()))
        sys.exit(exit_code_of(error))
    except Exception as error:  # noqa: BLE001  the last line of defence: a person gets a sentence, not a traceback
        if debug:
            traceback.print_exc()
        # Its text may quote a message, and so a reporter; the class and --debug must do.
        note(f"abuse: this is a defect in the program ({type(error).__name__}); --debug shows where")
        sys.exit(1)


if __name__ == "__main__":
    main()
