"""`abuse cases`: the work of staff."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from abuse_pipeline.cli.common import command, desk_and_store, json_option, print_json, print_line
from abuse_pipeline.cli.who import who_option


@click.group("cases")
def cases() -> None:
    """The work of staff: every case with its incidents, its messages and its history."""


@command("list", short_help="Cases, worst first.")
@click.option("--state", type=click.Choice(["open", "closed", "all"]), default="open", show_default=True)
@click.option("--customer", help="Only this customer's.")
@json_option
def list_cases(state: Literal["open", "closed", "all"], customer: str | None, as_json: bool, config: Path) -> None:
    """Cases, worst first.

    \b
    Example:
      abuse cases list --customer C-1042
    """
    from abuse_pipeline.cli.tables import CASE_COLUMNS, case_row, print_table
    from abuse_pipeline.documents import cases_document
    from abuse_pipeline.reports.triage import worst_first

    with desk_and_store(config) as (desk, store):
        found = worst_first(store.cases(state=None if state == "all" else state, customer=customer))
    if as_json:
        print_json(cases_document(found))
        return
    zone = desk.settings.provider.zone
    print_table(
        CASE_COLUMNS if state == "open" else (*CASE_COLUMNS, "state"),
        [case_row(case, zone) if state == "open" else (*case_row(case, zone), case.state) for case in found],
        "no cases",
    )


@command("show", short_help="One case: its messages and its history.")
@click.argument("case_id", metavar="CASE")
@json_option
def show(case_id: str, as_json: bool, config: Path) -> None:
    """One case with its messages and its history.

    \b
    Example:
      abuse cases show K-1M80K4FW0PS76F6X9E
    """
    from abuse_pipeline.documents import case_document, local_text

    with desk_and_store(config) as (desk, store):
        case, history = store.case(case_id), store.case_history(case_id)
        messages = [record for record in store.outgoing(kind="notice") if record.case == case_id]
    zone = desk.settings.provider.zone
    if as_json:
        print_json(case_document(case, history, messages))
        return
    print_line(f"{case.id}  {case.customer}  {case.category}/{case.type}  {case.state}  {case.severity.value}")
    print_line(
        f"  {case.incidents} incidents from {local_text(case.first_at, zone)} to {local_text(case.last_at, zone)}"
    )
    if case.assignee:
        print_line(f"  with {case.assignee}")
    for message in messages:
        reason = f" ({message.reason})" if message.reason else ""
        print_line(f"  notice {message.id}: {message.state.value}{reason}, due {local_text(message.due_at, zone)}")
    for event in history:
        print_line(
            f"  {local_text(event.at, zone)}  {event.who}: {event.action}{f' — {event.text}' if event.text else ''}"
        )


@command("note", short_help="Write a note into a case.")
@click.argument("case_id", metavar="CASE")
@click.argument("text")
@who_option
def note_case(case_id: str, text: str, who: str, config: Path) -> None:
    """Write a note into the history of a case.

    \b
    Example:
      abuse cases note K-1M80K4FW0PS76F6X9E "called the customer, server is being cleaned"
    """
    with desk_and_store(config) as (_, store):
        store.note_case(case_id, who, text)
    print_line(f"{case_id}: noted")


@command("assign", short_help="Give a case to somebody.")
@click.argument("case_id", metavar="CASE")
@click.argument("assignee")
@who_option
def assign(case_id: str, assignee: str, who: str, config: Path) -> None:
    """Give a case to a member of staff.

    \b
    Example:
      abuse cases assign K-1M80K4FW0PS76F6X9E sato
    """
    with desk_and_store(config) as (_, store):
        store.assign(case_id, who, assignee)
    print_line(f"{case_id}: assigned to {assignee}")


@command("close", short_help="Close a case, with the reason.")
@click.argument("case_id", metavar="CASE")
@click.option("--reason", required=True, help="Why; it stands in the history.")
@who_option
def close(case_id: str, reason: str, who: str, config: Path) -> None:
    """Close a case. Later incidents of the same kind open a new one.

    \b
    Example:
      abuse cases close K-1M80K4FW0PS76F6X9E --reason "customer removed the script"
    """
    with desk_and_store(config) as (_, store):
        store.close_case(case_id, who, reason)
    print_line(f"{case_id}: closed")


@command("reopen", short_help="Open a closed case again.")
@click.argument("case_id", metavar="CASE")
@click.option("--reason", required=True, help="Why; it stands in the history.")
@who_option
def reopen(case_id: str, reason: str, who: str, config: Path) -> None:
    """Open a closed case again.

    \b
    Example:
      abuse cases reopen K-1M80K4FW0PS76F6X9E --reason "the same script is back"
    """
    with desk_and_store(config) as (_, store):
        store.reopen_case(case_id, who, reason)
    print_line(f"{case_id}: open again")


for made in (list_cases, show, note_case, assign, close, reopen):
    cases.add_command(made)
