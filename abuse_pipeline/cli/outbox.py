"""`abuse outbox`: notices and replies, and how they leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from abuse_pipeline.cli.common import command, desk_and_store, json_option, note, print_json, print_line, the_clock
from abuse_pipeline.cli.who import who_option

if TYPE_CHECKING:
    from abuse_pipeline.store import Store
    from abuse_pipeline.store.records import OutgoingRecord

_KINDS = ("notice", "reply")
_STATES = ("queued", "held", "sent", "failed")


class _Words(click.ParamType[frozenset[str]]):
    """``notice,reply``: one or several of the allowed words, separated by commas."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        self.name = ",".join(allowed)

    def convert(
        self, value: str | frozenset[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[str]:
        if isinstance(value, frozenset):
            return value
        words = frozenset(word.strip() for word in value.split(","))
        unknown = words - set(self.allowed)
        if unknown:
            self.fail(f"{', '.join(sorted(unknown))}: not among {', '.join(self.allowed)}", param, ctx)
        return words


kind_option = click.option(
    "--kind", "kinds", type=_Words(_KINDS), default=",".join(_KINDS), help="notice, reply or both."
)


@click.group("outbox")
def outbox() -> None:
    """Notices to customers and replies to reporters: what waits, what is held and why."""


def _selected(store: Store, kinds: frozenset[str], states: frozenset[str]) -> list[OutgoingRecord]:
    return [r for r in store.outgoing() if r.kind in kinds and r.state.value in states]


@command("list", short_help="What waits, what is held and why.")
@kind_option
@click.option("--state", "states", type=_Words(_STATES), default=",".join(_STATES), help="One or several states.")
@json_option
def list_outbox(kinds: frozenset[str], states: frozenset[str], as_json: bool, config: Path) -> None:
    """What waits, what is held and why.

    \b
    Example:
      abuse outbox list --kind notice --state held
    """
    from abuse_pipeline.cli.tables import minute, print_table
    from abuse_pipeline.documents import outbox_document

    with desk_and_store(config) as (desk, store):
        records = _selected(store, kinds, states)
    if as_json:
        print_json(outbox_document(records))
        return
    zone = desk.settings.provider.zone
    print_table(
        ("id", "kind", "state", "to", "due", "reason"),
        [(r.id, r.kind, r.state.value, r.customer or r.reporter, minute(r.due_at, zone), r.reason) for r in records],
        "nothing in the outbox",
    )


@command("show", short_help="One message as its receiver would read it.")
@click.argument("id")
def show(id: str, config: Path) -> None:
    """One message as its receiver would read it. The address of a reporter is not shown.

    \b
    Example:
      abuse outbox show N-1M80K4FW0PS76F6X9A
    """
    from abuse_pipeline.cli.explain import readable

    with desk_and_store(config) as (_, store):
        record, message = store.outgoing_record(id), store.outgoing_message(id)
    case = f"  case {record.case}" if record.case else ""
    reason = f": {record.reason}" if record.reason else ""
    print_line(f"{record.id}  {record.kind}{case}  {record.state.value}{reason}")
    if record.reporter is not None:
        print_line(f"To: {record.reporter}")
    for line in readable(message, hide_receiver=record.kind == "reply"):
        print_line(line)


@command("export", short_help="Write messages as files, one ID.eml each.")
@click.argument("dir", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@kind_option
@click.option("--state", "state", type=click.Choice(_STATES), default="queued", show_default=True)
@click.option("--due", is_flag=True, help="Only what is due by now.")
@click.option("--mark-sent", is_flag=True, help="Record them as sent, once the files are safely written.")
def export(dir: Path, kinds: frozenset[str], state: str, due: bool, mark_sent: bool, config: Path) -> None:
    """Write everything queued into DIR, one ID.eml each, due or not. Held messages only with --state held.

    \b
    Example:
      abuse outbox export out/ --kind notice --due --mark-sent
    """
    from abuse_pipeline.delivery.export import export_messages

    if mark_sent and state != "queued":
        raise click.UsageError("--mark-sent goes with queued messages only; approve a held one first")
    with desk_and_store(config) as (_, store):
        now = the_clock()() if due else None
        records = [r for r in _selected(store, kinds, frozenset({state})) if now is None or r.due_at <= now]
        number = export_messages(store, records, dir, mark_sent)
    print_line(f"wrote {number} messages into {dir}")
    if number and not mark_sent:
        note("abuse: they are still queued; --mark-sent records them as sent")


@command("approve", short_help="Let a held message go.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@who_option
def approve(ids: tuple[str, ...], who: str, config: Path) -> None:
    """Let held messages go: they are queued again.

    \b
    Example:
      abuse outbox approve N-1M80K4FW0PS76F6X9A
    """
    with desk_and_store(config) as (_, store):
        for id in ids:
            store.approve(id, who)
            print_line(f"{id}: queued")


@command("hold", short_help="Keep a queued message back.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--reason", required=True, help="Why; it stands in the outbox and in the history.")
@who_option
def hold(ids: tuple[str, ...], reason: str, who: str, config: Path) -> None:
    """Keep queued messages back until somebody approves them.

    \b
    Example:
      abuse outbox hold N-1M80K4FW0PS76F6X9A --reason "customer is on the phone"
    """
    with desk_and_store(config) as (_, store):
        for id in ids:
            store.hold(id, who, reason)
            print_line(f"{id}: held")


@command("retry", short_help="Queue a failed message again.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@who_option
def retry(ids: tuple[str, ...], who: str, config: Path) -> None:
    """Queue failed messages again.

    \b
    Example:
      abuse outbox retry N-1M80K4FW0PS76F6X9A
    """
    with desk_and_store(config) as (_, store):
        for id in ids:
            store.retry(id, who)
            print_line(f"{id}: queued")


for made in (list_outbox, show, export, approve, hold, retry):
    outbox.add_command(made)
