"""`abuse learned`: which hosts stand in front of reporters' mailboxes, as their reports showed."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from abuse_pipeline.cli.common import command, desk_and_store, fail, json_option, print_json, print_line, the_clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abuse_pipeline.desk import Desk
    from abuse_pipeline.store import Store
    from abuse_pipeline.trace.learning import Standing

_COLUMNS = ("domain", "relay", "reports", "reporters", "first", "last", "why")


class _RegisteredDomain(click.ParamType[str]):
    """A domain, or a mail address of it -> the registered domain, which is what sightings are kept by."""

    name = "domain"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from abuse_pipeline.trace import registered_domain

        found = registered_domain(value.rpartition("@")[2])
        if found is None:
            self.fail(f"{value!r} is not a domain that somebody registered; write it like example.jp", param, ctx)
        return found


class _Token(click.ParamType[str]):
    name = "token"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"D-[0-9A-HJKMNP-TV-Z]{16}", value.strip().upper(), re.ASCII):
            self.fail(f"{value!r} is not the token of a domain; `abuse learned list` shows them", param, ctx)
        return value.strip().upper()


@click.group("learned")
def learned() -> None:
    """Hosts in front of reporters' mailboxes, as their reports showed; the tracer passes over what is learned."""


@command("list", short_help="What was learned, and what is watched and lacks something yet.")
@click.option("--domain", type=_RegisteredDomain(), help="Only this reporter domain's.")
@json_option
def list_learned(domain: str | None, as_json: bool, config: Path) -> None:
    """What was learned, and what is being watched with what it lacks. Domains are shown as tokens.

    \b
    Example:
      abuse learned list --domain example.jp
    """
    from abuse_pipeline.cli.tables import print_table

    with desk_and_store(config) as (desk, store):
        since = _window_start(the_clock()())
        token = store.domain_token(domain) if domain is not None else None
        tokens = (token,) if token is not None else store.learned_domains(since)
        found = [(each, standing) for each in tokens for standing in _standings(each, since, store, desk)]
    found.sort(key=lambda item: bool(item[1].missing))
    if as_json:
        print_json(_document(token, found))
        return
    of = f" of {token}" if token else ""
    print_table(_COLUMNS, [_row(each, standing) for each, standing in found], f"nothing was seen{of}")


def _window_start(now: datetime) -> datetime:
    from abuse_pipeline.store.learning import WINDOW

    return now - WINDOW


def _standings(token: str, since: datetime, store: Store, desk: Desk) -> tuple[Standing, ...]:
    from abuse_pipeline.trace.learning import never_learned, standings

    return standings(store.sightings_of(token, since), desk.settings.trace.learn_after, never_learned(desk.rules))


def _row(token: str, standing: Standing) -> tuple[object, ...]:
    why = f"not yet: {'; '.join(standing.missing)}" if standing.missing else "learned"
    return token, standing.relay, standing.reports, standing.reporters, standing.first, standing.last, why


def _document(token: str | None, found: Iterable[tuple[str, Standing]]) -> dict[str, Any]:
    document: dict[str, Any] = {"domain": token, "learned": [], "watched": []}
    for each, standing in found:
        shown = {
            "domain": each,
            "relay": str(standing.relay),
            "reports": standing.reports,
            "reporters": standing.reporters,
            "first": standing.first.isoformat(),
            "last": standing.last.isoformat(),
        }
        if standing.missing:
            document["watched"].append({**shown, "missing": list(standing.missing)})
        else:
            document["learned"].append(shown)
    return document


@command("forget", short_help="Forget what the reports of a domain, or of all, showed.")
@click.argument("token", type=_Token(), required=False, metavar="[D-TOKEN]")
@click.option("--domain", type=_RegisteredDomain(), help="The domain itself, instead of its token.")
@click.option("--all", "everything", is_flag=True, help="Of every domain.")
@click.option("--yes", is_flag=True, help="Do not ask before --all.")
def forget(token: str | None, domain: str | None, everything: bool, yes: bool, config: Path) -> None:
    """Forget what the reports of one domain showed. Later reports teach anew.

    \b
    Example:
      abuse learned forget --domain example.jp
    """
    if sum((token is not None, domain is not None, everything)) != 1:
        raise click.UsageError("give a token, --domain or --all")
    with desk_and_store(config) as (_, store):
        if everything and not yes and not click.confirm("Forget what was seen of every domain?", err=True):
            fail("nothing was forgotten")
        token = store.domain_token(domain) if domain is not None else token
        number = store.forget_sightings(token)
    print_line(f"{token or 'all domains'}: {number} {'sighting' if number == 1 else 'sightings'} forgotten")


for made in (list_learned, forget):
    learned.add_command(made)
