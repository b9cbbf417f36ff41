"""Key records of relays from DNS (RFC 6376 section 3.6.2), and how they are kept in the cache of look-ups.

What DNS answers is somebody else's text: bounded, printable ASCII, or it is no key record.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from abuse_pipeline.errors import LookupUnavailable
from abuse_pipeline.model import Finding
from abuse_pipeline.networks.addresses import parse_endpoint
from abuse_pipeline.signatures.crypto import MOST_KEY_BYTES

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

SOURCE: Final = "dkim_key"
"""Name under which the cache of look-ups keeps key records; the subject is the DNS name."""

_AT_ONCE: Final = 8
_PRINTABLE: Final = re.compile(rb"[\t -~]*")
_KEY: Final = re.compile(rb"(?:\A|;)[ \t]{0,99}p[ \t]{0,99}=")


@dataclass(frozen=True, slots=True)
class KeyAnswer:
    """What DNS says of one name: the key record, or neither key nor problem when there is none, or why nobody knows."""

    key: str | None = None
    problem: str | None = None


def findings_of(name: str, answer: KeyAnswer, now: datetime) -> tuple[Finding, ...]:
    """*answer* as the cache of look-ups keeps it; empty when there is no key at *name*."""
    if answer.key is None and answer.problem is None:
        return ()
    return (Finding(SOURCE, "key", name, answer.key, now, answer.problem),)


def answer_of(findings: Sequence[Finding]) -> KeyAnswer:
    """The way back from `findings_of`."""
    return KeyAnswer(findings[0].value, findings[0].problem) if findings else KeyAnswer()


async def look_up_keys(names: Iterable[str], nameservers: Sequence[str], timeout: timedelta) -> Mapping[str, KeyAnswer]:
    """Ask for the TXT record of each of *names*, at most eight at once, for at most *timeout* in all.

    names: as `wanted_keys` gives them. nameservers: ``host`` or ``host:port``, empty for the system's. Whatever DNS
    does ends in an answer, one for each name; nothing is raised.
    """
    wanted = tuple(dict.fromkeys(names))
    try:
        resolver = _resolver(nameservers, timeout)
    except LookupUnavailable as error:
        return dict.fromkeys(wanted, KeyAnswer(problem=str(error)))
    places = asyncio.Semaphore(_AT_ONCE)
    tasks = {name: asyncio.ensure_future(_in_turn(resolver, name, places)) for name in wanted}
    if not tasks:
        return {}
    try:
        done, late = await asyncio.wait(tasks.values(), timeout=timeout.total_seconds())
    finally:
        # Also when this call itself is cancelled: nothing of ours runs on.
        for task in tasks.values():
            task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    unknown = KeyAnswer(problem="no answer in time")
    return {name: task.result() if task in done else unknown for name, task in tasks.items()}


async def _in_turn(resolver: Resolver, name: str, places: asyncio.Semaphore) -> KeyAnswer:
    async with places:
        return await _ask(resolver, name)


async def _ask(resolver: Resolver, name: str) -> KeyAnswer:
    import dns.exception
    import dns.resolver

    try:
        answer = await resolver.resolve(name + ".", "TXT", search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return KeyAnswer()
    except (dns.exception.DNSException, OSError, EOFError, ValueError) as error:
        return KeyAnswer(problem=f"failed: {type(error).__name__}")  # its text may quote what a server sent
    texts = [b"".join(record.strings) for record in answer]
    keys = [text for text in texts if _KEY.search(text)]
    if not keys:
        return KeyAnswer()
    if len(keys) > 1:
        return KeyAnswer(problem="several key records (RFC 6376 section 3.6.2.2)")
    if len(keys[0]) > MOST_KEY_BYTES or not _PRINTABLE.fullmatch(keys[0]):
        return KeyAnswer(problem="no key record: too long, or not printable ASCII")
    return KeyAnswer(keys[0].decode("ascii"))


def _resolver(nameservers: Sequence[str], timeout: timedelta) -> Resolver:
    """Raises LookupUnavailable when there is no name server, or one that is no address."""
    import dns.asyncresolver
    import dns.nameserver
    import dns.resolver

    try:
        resolver = dns.asyncresolver.Resolver(configure=not nameservers)
    except dns.resolver.NoResolverConfiguration:
        raise LookupUnavailable("this machine has no name server configured", where="DKIM keys") from None
    if nameservers:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*_name_server(text)) for text in nameservers]
    resolver.lifetime = timeout.total_seconds()
    resolver.timeout = max(timeout.total_seconds() / 3, 0.1)
    return resolver


def _name_server(text: str) -> tuple[str, int]:
    endpoint = parse_endpoint(text, default_port=53)
    if endpoint is None:
        raise LookupUnavailable(
            f"the name server {text!r} is no address", where="DKIM keys", todo="set enrich.nameservers"
        )
    return str(endpoint[0]), endpoint[1]
