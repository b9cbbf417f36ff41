"""`abuse explain FILE`: the whole path for one report, stage by stage."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from email import message_from_bytes, policy
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
from abuse_pipeline.errors import LimitExceeded

if TYPE_CHECKING:
    from abuse_pipeline.assess import Assessment
    from abuse_pipeline.desk import Desk
    from abuse_pipeline.model import JudgedIncident, Outgoing

# A person waits for the answer; what takes longer than this is staff work anyway.
_LIMIT = timedelta(seconds=8)
_INDENT = 11


@command("explain", short_help="The whole path for one report, with reasons; stores nothing.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True))
@click.option("--evidence", is_flag=True, help="Add the reported message's own fields, in clear.")
@json_option
def explain(file: Path, evidence: bool, as_json: bool, config: Path) -> None:
    """The whole path for one report, stage by stage with reasons, and the notice it would give. Stores nothing.

    \b
    Example:
      abuse explain reports/a.eml
      abuse explain --json - < reports/a.eml
    """
    from abuse_pipeline.assess import assess
    from abuse_pipeline.deadline import time_limit
    from abuse_pipeline.model import Envelope
    from abuse_pipeline.preview import preview_outgoing

    clock = the_clock()
    desk = open_desk(config)
    raw = read_file(file)
    now, envelope = clock(), Envelope()
    try:
        with time_limit(_LIMIT):
            assessment = assess(raw, envelope, desk, now)
            outgoing = preview_outgoing(assessment, raw, envelope, desk, now)
    except LimitExceeded as error:
        assessment, outgoing = _out_of_time(error), ()
    if as_json:
        print_json(_document(raw, file, assessment, outgoing, desk, evidence))
    else:
        _print_stages(assessment, outgoing, desk, evidence)


def _out_of_time(error: LimitExceeded) -> Assessment:
    from abuse_pipeline.assess import Assessment
    from abuse_pipeline.model import Disposition

    return Assessment(None, None, None, None, Disposition.STAFF, (str(error),))


def _document(
    raw: bytes, file: Path, assessment: Assessment, outgoing: tuple[Outgoing, ...], desk: Desk, evidence: bool
) -> dict[str, object]:
    from abuse_pipeline.compose import status_of
    from abuse_pipeline.documents import Labels, evidence_document, report_document
    from abuse_pipeline.model import Envelope

    labels = Labels(
        submission=None,
        source=str(file),
        digest=f"sha256:{hashlib.sha256(raw).hexdigest()}",
        status=status_of(assessment, Envelope(), desk),
        reporter=_pseudonym(assessment, desk),
    )
    messages = [(None, message) for message in outgoing]
    document = report_document(labels, assessment, messages, desk.settings.provider.zone)
    if evidence:
        for shown, judged in zip(document["incidents"], assessment.incidents, strict=True):
            shown["evidence"] = evidence_document(judged)
    return document


def _pseudonym(assessment: Assessment, desk: Desk) -> str | None:
    """The reporter's pseudonym under the store's key; where there is no store yet, under a key for this answer only."""
    from abuse_pipeline.privacy.pseudonyms import pseudonym

    if assessment.reporter is None or not assessment.reporter.address:
        return None
    return pseudonym(_key(desk), assessment.reporter.address)


def _key(desk: Desk) -> bytes:
    try:
        return bytes.fromhex((desk.settings.store.keys / "pseudonym.key").read_text("ascii").strip())
    except (OSError, ValueError):
        return secrets.token_bytes(32)


def _print_stages(assessment: Assessment, outgoing: tuple[Outgoing, ...], desk: Desk, evidence: bool) -> None:
    from abuse_pipeline.cli.chain import chain_lines, page_here

    zone = desk.settings.provider.zone
    _stage("read", _reading(assessment))
    bids = [f"{name} bids {bid.strength}: {bid.reason}" for name, bid in assessment.bids]
    _stage("parse", _said(*(bids or ["no parser took it"]), *assessment.problems))
    for number, judged in enumerate(assessment.incidents, 1):
        print_line("")
        print_line(click.style(f"incident {number}: {judged.incident.category}/{judged.incident.type}", bold=True))
        if evidence:
            _stage("evidence", _evidence(judged))
        _stage("trace", chain_lines(judged.origin, zone, page_here(indent=_INDENT, why=True)))
        _stage("attribute", _said(f"{judged.holder.kind.value}: {judged.holder.reason}"))
        _stage("decide", [_strong(judged.decision.disposition.value), *_said(*judged.decision.reasons[:1])])
    print_line("")
    _stage("report", [_strong(assessment.disposition.value), *_said(*assessment.reasons)])
    if not outgoing:
        _stage("outgoing", ["nothing goes out"])
    for message in outgoing:
        _stage(
            "outgoing", _said(f"{message.kind}, {message.state.value}{f': {message.reason}' if message.reason else ''}")
        )
        for line in readable(message.message, hide_receiver=message.kind == "reply"):
            print_line(f"    | {line}")


def _said(*sentences: str) -> list[str]:
    from abuse_pipeline.cli.chain import folded, printable

    return [line for each in sentences for line in folded(printable(each, 1000), line_width() - _INDENT)]


def _stage(name: str, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        print_line(f"{click.style(name, fg='cyan') if number == 0 else '':<{19 if number == 0 else 10}} {line}")


def _strong(text: str) -> str:
    return click.style(text, bold=True)


def _reading(assessment: Assessment) -> list[str]:
    if assessment.mail is None:
        return ["no message could be made of it"]
    parts = sum(1 for _ in assessment.mail.walk())
    defects = [f"repaired: {defect}" for defect in assessment.mail.defects]
    return [f"{parts} part{'s' if parts != 1 else ''}, read by {assessment.mail.reader}", *defects]


def _evidence(judged: JudgedIncident) -> list[str]:
    from abuse_pipeline.cli.chain import printable
    from abuse_pipeline.documents import evidence_document

    return [f"{name}: {printable(value)}" for name, value in evidence_document(judged).items() if value]


def readable(message: bytes, hide_receiver: bool) -> list[str]:
    """An outgoing message as its receiver's mail program shows it: the fields people see, and the text.

    hide_receiver: it is a reply, and its To: is a reporter.
    """
    parsed = message_from_bytes(message, policy=policy.default)
    shown = ("From", "Date", "Subject") if hide_receiver else ("From", "To", "Date", "Subject")
    fields = [f"{name}: {parsed[name]}" for name in shown if parsed[name]]
    body = parsed.get_body(("plain",))
    return [*fields, "", *(body.get_content().splitlines() if body is not None else ())]
