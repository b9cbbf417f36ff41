"""`abuse trace`: the chain of a message, of the message that a report reports, or of pasted header text."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abuse_pipeline.cli.common import (
    command,
    json_option,
    note,
    open_desk,
    print_json,
    print_line,
    read_file,
    the_clock,
)
from abuse_pipeline.errors import AbuseError, ReportError

if TYPE_CHECKING:
    from datetime import datetime

    from abuse_pipeline.assess import Memory
    from abuse_pipeline.desk import Desk
    from abuse_pipeline.mail import Mail
    from abuse_pipeline.model import Identity, Origin

_STDIN = Path("-")
_MOST_MESSAGES = 10
_WHAT_TO_PASTE = (
    'paste all lines that begin with "Received:", as they stand in the mail program: Gmail "Show original"; Outlook '
    '"File", "Properties", "Internet headers"; Outlook on the web "View message source"; Thunderbird "View Source"; '
    'Apple Mail "Raw Source"; Yahoo! Mail "View raw message"'
)


@command("trace", short_help="The Received chain of a message, hop by hop, and its origin.")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True))
@click.option("--received", is_flag=True, help="FILE, or standard input, is header text that somebody pasted.")
@click.option(
    "--recipient",
    "recipients",
    metavar="DOMAIN",
    multiple=True,
    help="Domain, or mail address, of who received the mail, where the input does not show it. May be repeated.",
)
@click.option("--why", is_flag=True, help="Show the reason for each verdict.")
@click.option("--verify", is_flag=True, help="Ask DNS for the keys of well-known relays and check their signatures.")
@json_option
def trace(
    file: Path | None,
    received: bool,
    recipients: tuple[str, ...],
    why: bool,
    verify: bool,
    as_json: bool,
    config: Path,
) -> None:
    """The Received chain of a message, newest first, one line a hop with its verdict; then the origin with its time.

    Given a report, the chain of the reported message is followed. `=>` marks the hop at which the mail was handed
    over to the recipient's side. A client's name in quotes is only what the client said of itself. The delay is how
    much later the hop above was stamped; with a minus, time runs backwards.

    \b
    Example:
      abuse trace spam.eml
      abuse trace --why spam.eml
      abuse trace --verify spam.eml
      abuse trace --json - < report.eml
      abuse trace --received < headers.txt
      abuse trace --received --recipient example.jp headers.txt
    """
    from abuse_pipeline.cli.chain import chain_lines, page_here
    from abuse_pipeline.documents import trace_document

    if file is None and not received:
        raise click.UsageError("Missing argument 'FILE'; `-` reads standard input.")
    if received and verify:
        raise click.UsageError("--verify needs the whole message: header text alone cannot be checked.")
    clock = the_clock()
    desk = open_desk(config)
    domains = frozenset(_domain(text) for text in recipients)
    if received:
        origin = _origin_of_pasted(file or _STDIN, domains, desk)
    else:
        mail = _read(file or _STDIN, desk)
        origin = _origin_of(mail, domains, desk, _memory_of(mail, desk, verify), clock())
    zone = desk.settings.provider.zone
    if as_json:
        print_json(trace_document(origin, zone))
        return
    for line in chain_lines(origin, zone, page_here(why=why)):
        print_line(line)
    if origin.hops and not why:
        note("abuse trace --why shows the reason for each line")


def _domain(text: str) -> str:
    """The registered domain of a host, domain or mail address; an error names the option."""
    from abuse_pipeline.trace import registered_domain

    domain = registered_domain(text.strip().strip("<>").rpartition("@")[2])
    if domain is None:
        raise click.BadParameter(
            f"{text!r} is no domain that somebody registered; write it like example.jp", param_hint="--recipient"
        )
    return domain


def _read(file: Path, desk: Desk) -> Mail:
    from abuse_pipeline.mail import read_mail

    try:
        return read_mail(read_file(file), desk.settings.mail)
    except ReportError as error:
        raise AbuseError(f"the message cannot be read: {error}", where=str(file)) from None


def _memory_of(mail: Mail, desk: Desk, verify: bool) -> Memory:
    """Nothing; or, to *verify*, the keys of relays' signatures over *mail* and the messages in it, asked for now."""
    from abuse_pipeline.assess import NO_MEMORY
    from abuse_pipeline.signatures import look_up_keys, wanted_keys

    if not verify:
        return NO_MEMORY
    messages = [mail, *(part.message for part in mail.walk() if part.message is not None)][:_MOST_MESSAGES]
    names = {name for message in messages for name in wanted_keys(message.raw, desk.rules.signers)}
    settings = desk.settings.enrich
    answers = asyncio.run(look_up_keys(sorted(names), settings.nameservers, settings.timeout))
    for name, answer in answers.items():
        if answer.problem is not None:
            note(f"abuse: the key {name} is not known: {answer.problem}")
    return replace(NO_MEMORY, key_of=lambda name: answers[name].key if name in answers else None)


def _origin_of(mail: Mail, domains: frozenset[str], desk: Desk, memory: Memory, now: datetime) -> Origin:
    """The origin of the first reported message, or of *mail* itself when it reports none."""
    from abuse_pipeline.assess import assess_mail, trace_incident
    from abuse_pipeline.model import Envelope, Incident
    from abuse_pipeline.trace import RecipientSide

    assessment = assess_mail(mail, Envelope(), desk, now, memory)
    messages = {each.incident.message.raw for each in assessment.incidents if each.incident.message is not None}
    for judged in assessment.incidents:
        if judged.incident.message is not None or judged.origin.ip is not None:
            if len(messages) > 1:
                note(f"the report holds {len(messages)} messages; this is the chain of the first")
            if not domains:
                return judged.origin
            side = RecipientSide(domains | _reporters_domain(assessment.reporter))
            return trace_incident(judged.incident, side, desk, memory)
    note("no reported message in it: this is the chain of the mail itself")
    return trace_incident(Incident("messaging", "spam", mail), RecipientSide(domains), desk, memory)


def _reporters_domain(reporter: Identity | None) -> frozenset[str]:
    from abuse_pipeline.trace import registered_domain

    address = reporter.address if reporter is not None else None
    domain = registered_domain(address.rpartition("@")[2]) if address else None
    return frozenset({domain} if domain else ())


def _origin_of_pasted(file: Path, domains: frozenset[str], desk: Desk) -> Origin:
    from abuse_pipeline.trace import RecipientSide, beside, find_origin
    from abuse_pipeline.trace.pasted import mentions_received, pasted_headers, pasted_text, received_outside

    where = "standard input" if file == _STDIN else str(file)
    if file == _STDIN and sys.stdin.isatty():
        note("Paste the lines, then press Ctrl-D:")
    try:
        text = pasted_text(_at_most(file, where))
        headers = pasted_headers(text)
    except ReportError as error:
        raise AbuseError(error.what, where=where, todo=error.todo) from None
    chain = [value for name, value in headers if name.lower() == "received"]
    if not chain and mentions_received(text):
        raise AbuseError("no line of it begins with Received:", where=where, todo="begin each line with Received:")
    if not chain:
        raise AbuseError("no Received field is in it", where=where, todo=_WHAT_TO_PASTE)
    outside = received_outside(text)
    if outside:
        lines = "line stands" if outside == 1 else "lines stand"
        note(f"{outside} more Received {lines} outside the header block that was traced")
    return find_origin(chain, RecipientSide(domains), desk.rules, beside(headers))


def _at_most(file: Path, where: str) -> bytes:
    """What was pasted, or as much of it as shows that it is too long: in UTF-16 a character has two bytes."""
    from abuse_pipeline.trace.pasted import LARGEST

    enough = 2 * LARGEST + 4
    try:
        if file == _STDIN:
            return sys.stdin.buffer.read(enough)
        with file.open("rb") as stream:
            return stream.read(enough)
    except OSError as error:
        raise AbuseError(f"cannot be read: {error.strerror}", where=where) from None
