"""Enrichers behave, misbehave and hang; the desk gets findings and goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from abuse_pipeline.api import Enricher, Finding, IPAddress, LookupContext, LookupUnavailable
from abuse_pipeline.enrichment import FAILED, enrich
from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.settings import EnrichSettings

NOW = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)
IP = ip_address("192.0.2.7")
OTHER = ip_address("2001:db8::7")

Behaviour = Callable[[IPAddress, LookupContext], Awaitable[Any]]


class Scripted:
    """An enricher that does what a test says."""

    asks = "nobody"

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.asked: list[IPAddress] = []

    async def lookup(self, ip: IPAddress, context: LookupContext) -> tuple[Finding, ...]:
        self.asked.append(ip)
        found: tuple[Finding, ...] = await self.behaviour(ip, context)
        return found


class Memory:
    """A cache as the protocol says."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[tuple[Finding, ...], datetime]] = {}

    def get(self, name: str, subject: str, now: datetime) -> tuple[Finding, ...] | None:
        findings, expires_at = self.rows.get((name, subject), ((), now))
        return findings if expires_at > now else None

    def put(self, name: str, subject: str, findings: Sequence[Finding], expires_at: datetime) -> None:
        self.rows[name, subject] = (tuple(findings), expires_at)


def fact(ip: IPAddress, value: str | None = "mail.example.jp", **more: Any) -> Finding:
    return Finding("whoever", "ptr", str(ip), value, NOW, **more)


def good(ip: IPAddress, context: LookupContext) -> Awaitable[tuple[Finding, ...]]:
    return asyncio.sleep(0, (fact(ip),))


def settings(**more: Any) -> EnrichSettings:
    return EnrichSettings(**{"timeout": timedelta(seconds=0.3), **more})


async def ask(*ips: IPAddress, cache: Memory | None = None, now: datetime = NOW, **enrichers: Enricher) -> Any:
    return await enrich(ips, enrichers, settings(), cache or Memory(), now)


async def test_findings_of_every_enricher_about_every_address() -> None:
    a, b = Scripted(good), Scripted(good)
    found = await ask(IP, OTHER, IP, b=b, a=a)
    assert list(found) == [IP, OTHER]
    assert [(finding.source, finding.subject) for finding in found[OTHER]] == [("a", str(OTHER)), ("b", str(OTHER))]
    assert a.asked == b.asked == [IP, OTHER]


async def test_the_context_comes_from_the_settings() -> None:
    seen: list[LookupContext] = []

    async def look(ip: IPAddress, context: LookupContext) -> tuple[Finding, ...]:
        seen.append(context)
        return ()

    wanted = settings(nameservers=("192.0.2.53",), rdap_url="https://rdap.example/")
    await enrich([IP], {"a": Scripted(look)}, wanted, Memory(), NOW)
    assert seen == [LookupContext(NOW, timedelta(seconds=0.3), ("192.0.2.53",), "https://rdap.example/")]


async def test_answers_are_kept_until_they_expire() -> None:
    cache, enricher = Memory(), Scripted(good)
    first = await ask(IP, cache=cache, a=enricher)
    assert await ask(IP, cache=cache, now=NOW + timedelta(hours=23), a=enricher) == first
    assert len(enricher.asked) == 1
    await ask(IP, cache=cache, now=NOW + timedelta(days=1), a=enricher)
    assert len(enricher.asked) == 2


async def test_nothing_known_is_kept_too() -> None:
    cache, enricher = Memory(), Scripted(lambda ip, context: asyncio.sleep(0, ()))
    assert await ask(IP, cache=cache, a=enricher) == await ask(IP, cache=cache, a=enricher) == {IP: ()}
    assert len(enricher.asked) == 1


async def test_failures_are_kept_for_less_long() -> None:
    async def down(ip: IPAddress, context: LookupContext) -> None:
        raise LookupUnavailable("is down", where="ns.example")

    cache, enricher = Memory(), Scripted(down)
    await ask(IP, cache=cache, a=enricher)
    await ask(IP, cache=cache, now=NOW + timedelta(minutes=59), a=enricher)
    assert len(enricher.asked) == 1
    await ask(IP, cache=cache, now=NOW + timedelta(hours=1), a=enricher)
    assert len(enricher.asked) == 2


async def test_offline_only_the_cache_speaks() -> None:
    cache, enricher = Memory(), Scripted(good)
    cache.put("a", str(IP), (fact(IP, "kept.example"),), NOW + timedelta(hours=1))
    found = await enrich([IP, OTHER], {"a": enricher}, settings(offline=True), cache, NOW)
    assert [finding.value for finding in found[IP]] == ["kept.example"]
    assert found[OTHER] == ()
    assert enricher.asked == []
    assert len(cache.rows) == 1


async def _unavailable(ip: IPAddress, context: LookupContext) -> None:
    raise LookupUnavailable("does not answer", where="ns.example")


async def _bug(ip: IPAddress, context: LookupContext) -> None:
    raise ZeroDivisionError("reporter@victim.example")


async def _hang(ip: IPAddress, context: LookupContext) -> None:
    await asyncio.sleep(60)


async def _cancel_itself(ip: IPAddress, context: LookupContext) -> None:
    raise asyncio.CancelledError


def _answers(answer: object) -> Behaviour:
    return lambda ip, context: asyncio.sleep(0, answer)


@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        (_unavailable, "ns.example: does not answer"),
        (_bug, "the enricher failed: ZeroDivisionError"),
        (_hang, "no answer within 0.3 s"),
        (_cancel_itself, "the look-up was cancelled from inside"),
        (_answers(None), "broke its contract: lookup() gave NoneType"),
        (_answers([fact(IP)]), "broke its contract: lookup() gave list"),
        (_answers(("mail.example.jp",)), "broke its contract: lookup() gave tuple, not a tuple of Finding"),
        (_answers((fact(IP),) * 51), "broke its contract: lookup() gave 51 findings"),
        (_answers((fact(IP, b"x"),)), "broke its contract: a finding holds something other than text"),  # type: ignore[arg-type]
        (_answers((fact(IP, None),)), "broke its contract: a finding has neither a value nor a problem"),
        (lambda ip, context: 7, "the enricher failed: TypeError"),
    ],
)  # fmt: skip
async def test_an_enricher_that_fails_harms_nobody_else(behaviour: Behaviour, problem: str) -> None:
    start = time.monotonic()
    found = await ask(IP, bad=Scripted(behaviour), good=Scripted(good))
    assert time.monotonic() - start < 3
    bad, other = found[IP]
    assert (bad.source, bad.name, bad.subject, bad.value, bad.as_of) == ("bad", FAILED, str(IP), None, NOW)
    assert problem in bad.problem
    assert "victim" not in bad.problem
    assert other == Finding("good", "ptr", str(IP), "mail.example.jp", NOW)


async def test_lookup_that_is_no_coroutine_function() -> None:
    class Wrong:
        asks = "nobody"

        def lookup(self, ip: IPAddress, context: LookupContext) -> tuple[Finding, ...]:
            return (fact(ip),)

    [finding] = (await ask(IP, bad=Wrong()))[IP]  # type: ignore[arg-type]
    assert "the enricher failed: TypeError" in finding.problem


async def test_one_that_ignores_its_cancellation_is_left_behind() -> None:
    released = asyncio.Event()

    async def stubborn(ip: IPAddress, context: LookupContext) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError("late")

    start = time.monotonic()
    [finding] = (await ask(IP, bad=Scripted(stubborn)))[IP]
    assert time.monotonic() - start < 3
    assert "no answer within" in finding.problem
    released.set()
    await asyncio.sleep(0.05)


async def test_what_is_given_up_does_not_run_on() -> None:
    ended: list[IPAddress] = []

    async def notice(ip: IPAddress, context: LookupContext) -> tuple[Finding, ...]:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(ip)
        return ()

    await ask(IP, a=Scripted(notice))
    await asyncio.sleep(0.05)
    assert ended == [IP]
    shutting_down = asyncio.create_task(ask(OTHER, a=Scripted(notice)))
    await asyncio.sleep(0.1)
    shutting_down.cancel()
    with pytest.raises(asyncio.CancelledError):
        await shutting_down
    await asyncio.sleep(0.05)
    assert ended == [IP, OTHER]


async def test_nobody_speaks_in_anothers_name_or_at_length() -> None:
    posing = Finding("rdap", "ptr\n", "198.51.100.1", "line\r\n" + "x" * 10_000, datetime(2026, 1, 1))  # noqa: DTZ001
    [finding] = (await ask(IP, a=Scripted(_answers((posing,)))))[IP]
    assert (finding.source, finding.name, finding.subject, finding.as_of) == ("a", "ptr ", str(IP), NOW)
    assert finding.value.startswith("line  xxx")
    assert len(finding.value) == 501


async def test_no_more_at_once_than_configured() -> None:
    running, most = 0, 0

    async def count(ip: IPAddress, context: LookupContext) -> tuple[Finding, ...]:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.01)
        running -= 1
        return ()

    ips = [ip_address(f"192.0.2.{number}") for number in range(20)]
    await enrich(ips, {"a": Scripted(count), "b": Scripted(count)}, settings(concurrency=4), Memory(), NOW)
    assert most == 4


async def test_a_store_that_is_down_is_the_callers_matter() -> None:
    class Down(Memory):
        def get(self, name: str, subject: str, now: datetime) -> tuple[Finding, ...] | None:
            raise StoreUnavailable("is down")

    with pytest.raises(StoreUnavailable):
        await enrich([IP], {"a": Scripted(good)}, settings(), Down(), NOW)
