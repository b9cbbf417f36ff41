"""`abuse lookup IP`: who held an address at a moment."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abuse_pipeline.cli.common import command, json_option, note, open_desk, print_json, print_line, the_clock

if TYPE_CHECKING:
    from abuse_pipeline.desk import Desk
    from abuse_pipeline.model import Finding, Holder, IPAddress, Moment


@command("lookup", short_help="Who held an address at a moment.")
@click.argument("ip")
@click.option("--at", "at", metavar="TIME", help="When; ISO 8601 or as a mail header writes it. Default: now.")
@click.option("--port", type=click.IntRange(1, 65535), help="Source port, needed for an address that several share.")
@click.option("--ask/--no-ask", default=False, help="Ask DNS and RDAP too. They learn which address we look at.")
@json_option
def lookup(ip: str, at: str | None, port: int | None, ask: bool, as_json: bool, config: Path) -> None:
    """Who held an address at a moment: the network, the customer, the reason.

    \b
    Example:
      abuse lookup 192.0.2.7 --at 2026-11-20T14:03:12+09:00
      abuse lookup 192.0.2.80 --at "Fri, 20 Nov 2026 14:03:12 +0900" --port 4928
    """
    from abuse_pipeline.networks.addresses import parse_address

    clock = the_clock()
    desk = open_desk(config)
    address = parse_address(ip)
    if address is None:
        raise click.BadParameter(f"{ip!r} is not an IP address", param_hint="IP")
    moment = _moment(at, clock())
    holder = desk.table.holder_at(address, moment, port)
    findings = _ask(address, desk, clock()) if ask else ()
    document = _document(address, moment, port, holder, findings, desk)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _moment(at: str | None, now: datetime) -> Moment:
    from abuse_pipeline.model import Moment
    from abuse_pipeline.trace import UnreadableTime, parse_date

    if at is None:
        return Moment(now)
    found = parse_date(at)
    if isinstance(found, UnreadableTime):
        raise click.BadParameter(f"{found.reason}; write it like 2026-11-20T14:03:12+09:00", param_hint="--at")
    return found


def _ask(address: IPAddress, desk: Desk, now: datetime) -> tuple[Finding, ...]:
    from abuse_pipeline.enrichment import NoCache, enrich

    for name, enricher in desk.plugins.enrichers.items():
        note(f"abuse: asking {name}: {enricher.asks}")
    found = asyncio.run(enrich((address,), desk.plugins.enrichers, desk.settings.enrich, NoCache(), now))
    return found[address]


def _document(
    address: IPAddress, moment: Moment, port: int | None, holder: Holder, findings: tuple[Finding, ...], desk: Desk
) -> dict[str, Any]:
    from abuse_pipeline.documents import holder_document, local_text, utc_text

    customer = desk.table.customers.get(holder.customer) if holder.customer else None
    return {
        "ip": str(address),
        "port": port,
        "at": utc_text(moment.at),
        "at_local": local_text(moment.at, desk.settings.provider.zone),
        "holder": {**holder_document(holder), "group": holder.group, "name": customer.name if customer else None},
        "findings": [
            {"source": f.source, "name": f.name, "value": f.value, "problem": f.problem, "as_of": utc_text(f.as_of)}
            for f in findings
        ],
    }


def _print(document: dict[str, Any]) -> None:
    holder = document["holder"]
    port = f" port {document['port']}" if document["port"] else ""
    print_line(f"{document['ip']}{port} at {document['at_local']}")
    name = f" ({holder['name']})" if holder["name"] else ""
    who = f"customer {holder['customer']}{name}" if holder["customer"] else holder["group"] or "no customer"
    print_line(f"  {holder['kind']}: {who}" + (f", network {holder['network']}" if holder["network"] else ""))
    print_line(f"  {holder['reason']}")
    for finding in document["findings"]:
        print_line(
            f"  {finding['name']}: {finding['value'] or 'not known, ' + finding['problem']} ({finding['source']})"
        )
