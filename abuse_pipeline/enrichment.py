"""Ask the enrichers about addresses: at most so many at once, each for so long, each answer kept for a while.

An enricher is somebody else's code that asks somebody else's server. Whatever it does, short of blocking the event
loop, ends in findings: its answers, or one finding without a value whose `problem` says what went wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from abuse_pipeline.api import Enricher, Finding, IPAddress, LookupContext, LookupUnavailable
from abuse_pipeline.settings import EnrichSettings

_log = logging.getLogger(__name__)

FAILED: Final = "lookup"
"""Name of the finding that stands for a look-up that gave none."""

_MOST_FINDINGS: Final = 50
_LONGEST_TEXT: Final = 500


class FindingCache(Protocol):
    """Keeps answers until they expire. An empty tuple is an answer too: the source has nothing."""

    def get(self, name: str, subject: str, now: datetime) -> tuple[Finding, ...] | None:
        """What enricher *name* said about *subject*; None when that is not known, or no longer."""

    def put(self, name: str, subject: str, findings: Sequence[Finding], expires_at: datetime) -> None:
        """Replaces what is there."""


class NoCache:
    """Remembers nothing: for a question that a person asks now."""

    def get(self, name: str, subject: str, now: datetime) -> None:  # noqa: ARG002  the shape of FindingCache
        return None

    def put(self, name: str, subject: str, findings: Sequence[Finding], expires_at: datetime) -> None: ...


async def enrich(
    ips: Iterable[IPAddress],
    enrichers: Mapping[str, Enricher],
    settings: EnrichSettings,
    cache: FindingCache,
    now: datetime,
) -> Mapping[IPAddress, tuple[Finding, ...]]:
    """Findings of all *enrichers* about each of *ips*, by enricher name; from *cache* where it has them.

    Takes at most ``settings.timeout`` for each ``settings.concurrency`` look-ups. Offline, only the cache is asked.
    Failures are kept too, for ``settings.keep_failures``, so that a source that is down is not asked for every report.

    Raises StoreUnavailable when the cache does not answer.
    """
    context = LookupContext(now, settings.timeout, settings.nameservers, settings.rdap_url)
    round_ = _Round(enrichers, settings, cache, context, asyncio.Semaphore(settings.concurrency))
    subjects = tuple(dict.fromkeys(ips))
    found = await asyncio.gather(*(round_.about(ip) for ip in subjects))
    return dict(zip(subjects, found, strict=True))


@dataclass(frozen=True, slots=True)
class _Round:
    """What the look-ups of one call share."""

    enrichers: Mapping[str, Enricher]
    settings: EnrichSettings
    cache: FindingCache
    context: LookupContext
    places: asyncio.Semaphore

    async def about(self, ip: IPAddress) -> tuple[Finding, ...]:
        answers = await asyncio.gather(*(self._ask(name, self.enrichers[name], ip) for name in sorted(self.enrichers)))
        return tuple(finding for answer in answers for finding in answer)

    async def _ask(self, name: str, enricher: Enricher, ip: IPAddress) -> tuple[Finding, ...]:
        """The cache blocks on its database: it works in a thread, so that this loop can go on receiving mail."""
        async with self.places:
            now = self.context.now
            kept = await asyncio.to_thread(self.cache.get, name, str(ip), now)
            if kept is not None or self.settings.offline:
                return kept or ()
            findings = await self._look_up(name, enricher, ip)
            failed = any(finding.value is None for finding in findings)
            keep = self.settings.keep_failures if failed else self.settings.keep
            await asyncio.to_thread(self.cache.put, name, str(ip), findings, now + keep)
            return findings

    async def _look_up(self, name: str, enricher: Enricher, ip: IPAddress) -> tuple[Finding, ...]:
        try:
            answer = await _in_time(enricher, ip, self.context)
            return _checked(name, ip, answer, self.context.now)
        except LookupUnavailable as error:
            problem = str(error)
        except TimeoutError:
            problem = f"no answer within {self.context.timeout.total_seconds():g} s"
        except _BrokenContract as error:
            problem = f"the enricher broke its contract: {error}"
        except (Exception, SystemExit) as error:  # noqa: BLE001 - isolation boundary: a plugin's bug must not stop the desk
            # Its text is left out: nobody knows what a plugin puts there, and findings are shown and kept.
            _log.warning("enricher %s failed on %s: %s", name, ip, type(error).__name__)
            problem = f"the enricher failed: {type(error).__name__}"
        return (Finding(name, FAILED, str(ip), None, self.context.now, _bounded(problem)),)


class _BrokenContract(Exception):
    """An enricher returned something that is no tuple of findings."""


async def _in_time(enricher: Enricher, ip: IPAddress, context: LookupContext) -> object:
    """The answer, or TimeoutError. An enricher that ignores its cancellation is left behind, not waited for."""
    task = asyncio.ensure_future(enricher.lookup(ip, context))
    try:
        done, _ = await asyncio.wait({task}, timeout=context.timeout.total_seconds())
    finally:
        # Also when this call itself is cancelled: nothing of ours runs on.
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)
    if not done:
        raise TimeoutError
    if task.cancelled():
        raise LookupUnavailable("the look-up was cancelled from inside")
    return task.result()


def _forget(task: asyncio.Future[Any]) -> None:
    """Takes note of what a given-up look-up ended with, so that asyncio does not report it as never retrieved."""
    if not task.cancelled():
        task.exception()


def _checked(name: str, ip: IPAddress, answer: object, now: datetime) -> tuple[Finding, ...]:
    """Findings as the desk keeps them: under the enricher's own name, about the address asked for, short."""
    if not isinstance(answer, tuple) or not all(isinstance(finding, Finding) for finding in answer):
        raise _BrokenContract(f"lookup() gave {type(answer).__name__}, not a tuple of Finding")
    if len(answer) > _MOST_FINDINGS:
        raise _BrokenContract(f"lookup() gave {len(answer)} findings")
    return tuple(_own(name, ip, finding, now) for finding in answer)


def _own(name: str, ip: IPAddress, finding: Finding, now: datetime) -> Finding:
    value, problem = finding.value, finding.problem
    if not isinstance(finding.name, str) or not isinstance(value, str | None) or not isinstance(problem, str | None):
        raise _BrokenContract("a finding holds something other than text")
    if value is None and not problem:
        raise _BrokenContract("a finding has neither a value nor a problem")
    return replace(
        finding,
        source=name,
        name=_bounded(finding.name),
        subject=str(ip),
        value=None if value is None else _bounded(value),
        as_of=_instant(finding.as_of, now),
        problem=None if problem is None else _bounded(problem),
    )


def _instant(as_of: object, now: datetime) -> datetime:
    """Without a zone nobody knows when it was: the time of the question is what we do know."""
    if not isinstance(as_of, datetime) or as_of.tzinfo is None:
        return now
    try:
        return as_of.astimezone(UTC)
    except OverflowError:
        return now


def _bounded(text: str) -> str:
    """One printable line that any database takes."""
    shown = "".join(char if char.isprintable() or char == "\u3000" else " " for char in text[: _LONGEST_TEXT + 1])
    return shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + "…"
