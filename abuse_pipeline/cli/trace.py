"""`abuse trace FILE`: the chain of a message, or of the message that a report reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from abuse_pipeline.cli.common import (
    command,
    json_option,
    line_width,
    open_desk,
    print_json,
    print_line,
    read_file,
    the_clock,
)
from abuse_pipeline.errors import AbuseError, ReportError

if TYPE_CHECKING:
    from datetime import datetime

    from abuse_pipeline.desk import Desk
    from abuse_pipeline.mail import Mail
    from abuse_pipeline.model import Origin


@command("trace", short_help="The Received chain of a message, hop by hop, and its origin.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True))
@json_option
def trace(file: Path, as_json: bool, config: Path) -> None:
    """The Received chain of a message, hop by hop with the verdict on each, and the origin with its time.

    Given a report, the chain of the reported message is followed.

    \b
    Example:
      abuse trace spam.eml
      abuse trace --json - < report.eml
    """
    from abuse_pipeline.cli.chain import chain_lines
    from abuse_pipeline.documents import trace_document
    from abuse_pipeline.mail import read_mail

    clock = the_clock()
    desk = open_desk(config)
    try:
        mail = read_mail(read_file(file), desk.settings.mail)
    except ReportError as error:
        raise AbuseError(f"the message cannot be read: {error}", where=str(file)) from None
    origin = _origin_of(mail, desk, clock())
    zone = desk.settings.provider.zone
    if as_json:
        print_json(trace_document(origin, zone))
        return
    for line in chain_lines(origin, zone, line_width()):
        print_line(line)


def _origin_of(mail: Mail, desk: Desk, now: datetime) -> Origin:
    """The origin of the first reported message, or of *mail* itself when it reports none."""
    from abuse_pipeline.assess import assess_mail
    from abuse_pipeline.model import Envelope
    from abuse_pipeline.trace import RecipientSide, find_origin

    assessment = assess_mail(mail, Envelope(), desk, now)
    for judged in assessment.incidents:
        if judged.incident.message is not None or judged.origin.ip is not None:
            return judged.origin
    return find_origin(mail.raw_headers("Received"), RecipientSide(frozenset()), desk.rules)
