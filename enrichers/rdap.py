"""Who answers for an address: the abuse contact that its network's registry publishes (RDAP, RFC 9082 and 9083).

ipwhois does the HTTP conversation (`Net`) and reads the network (`RDAP`). Three things are ours, because its defaults
do not fit a desk: no waiting (it sleeps 120 s, three times, on "too many requests"); bounded answers (an opener of
ours, which `Net` takes as an argument); and the abuse role, which RFC 9083 section 5.1 lets stand at any depth while
ipwhois reads the first level only. Its ASN look-up is not used: the bootstrap service knows the registry.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from abuse_pipeline.api import Finding, IPAddress, LookupContext, LookupUnavailable
from enrichers.rdap_http import Conversation

_SOURCE: Final = "rdap"
_MOST_AT_ONCE: Final = 32
_MOST_ENTITIES: Final = 200
_DEEPEST: Final = 8
_MOST_FOLLOWED: Final = 2
_LONGEST_TEXT: Final = 200
_WORST_PREFERENCE: Final = 101
_MAILBOX: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{1,62}"
)
_HANDLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_UNSEEN: Final = {"private", "removed"}


class RdapAbuseContact:
    """Findings ``abuse_contact`` (one mail address), ``network_name`` and ``network`` (its prefixes or its range)."""

    asks = "the RDAP service of the registry that is responsible for the address, by way of ARIN's bootstrap service"

    def __init__(self) -> None:
        # Threads of our own: the loop's default pool has few, and a look-up would time out waiting for its turn.
        self._threads = ThreadPoolExecutor(max_workers=_MOST_AT_ONCE, thread_name_prefix="rdap")

    async def lookup(self, ip: IPAddress, context: LookupContext) -> tuple[Finding, ...]:
        """What the registry publishes; empty when it knows nothing, and for addresses that no registry hands out.

        Raises LookupUnavailable when it does not answer in time, refuses (429 with its Retry-After), or answers
        with something that is no RDAP.
        """
        seconds = context.timeout.total_seconds()
        conversation = Conversation(ip, context.rdap_url, deadline=time.monotonic() + seconds, timeout=seconds)
        try:
            # ipwhois blocks. The thread ends by itself soon after: every read of it looks at the deadline.
            answering = asyncio.get_running_loop().run_in_executor(self._threads, _ask, conversation)
            facts = await asyncio.wait_for(answering, seconds)
        except TimeoutError:
            raise LookupUnavailable("no answer in time", where=f"RDAP of {ip}") from None
        return tuple(Finding(_SOURCE, name, str(ip), value, context.now) for name, value in facts)


def _ask(conversation: Conversation) -> list[tuple[str, str]]:
    answer = conversation.network()
    if answer is None:
        return []
    facts = [(name, text) for name, value in conversation.described(answer) if (text := _one_line(value))]
    contact = _abuse_contact(answer, conversation)
    return [("abuse_contact", contact), *facts] if contact is not None else facts


def _abuse_contact(answer: dict[str, Any], conversation: Conversation) -> str | None:
    """The first usable address of the first entity with the role; entities given by handle only are asked for."""
    followed = 0
    for entity in _entities(answer):
        if not _is_abuse(entity):
            continue
        found = _mailbox(entity)
        handle = entity.get("handle")
        if found is None and "vcardArray" not in entity and isinstance(handle, str) and _HANDLE.fullmatch(handle):
            followed += 1
            if followed > _MOST_FOLLOWED:
                return None
            found = _mailbox(conversation.entity(handle) or {})
        if found is not None:
            return found
    return None


def _entities(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every entity that may be shown, depth first as RFC 9083 nests them."""
    waiting = [(entity, 1) for entity in reversed(_list(answer.get("entities")))]
    for _ in range(_MOST_ENTITIES):
        if not waiting:
            return
        entity, depth = waiting.pop()
        if not isinstance(entity, dict) or _UNSEEN & {str(word).lower() for word in _list(entity.get("status"))}:
            continue
        yield entity
        if depth < _DEEPEST:
            waiting += [(inner, depth + 1) for inner in reversed(_list(entity.get("entities")))]


def _is_abuse(entity: dict[str, Any]) -> bool:
    return any(isinstance(role, str) and role.lower() == "abuse" for role in _list(entity.get("roles")))


def _mailbox(entity: dict[str, Any]) -> str | None:
    """The preferred e-mail of a jCard (RFC 7095; ``pref`` of RFC 6350 section 5.3: 1 is best, 100 worst)."""
    card = _list(entity.get("vcardArray"))
    found: list[tuple[int, int, str]] = []
    for position, line in enumerate(_list(card[1] if len(card) > 1 else None)[:_MOST_ENTITIES]):
        match line:
            case [str(name), parameters, _, str(value), *_] if name.lower() == "email":
                address = value.strip().removeprefix("mailto:")
                if len(address) <= 254 and _MAILBOX.fullmatch(address):
                    found.append((_preference(parameters), position, address))
    return min(found)[2] if found else None


def _preference(parameters: object) -> int:
    value = parameters.get("pref") if isinstance(parameters, dict) else None
    text = str(value[0] if isinstance(value, list) and value else value)
    return int(text) if re.fullmatch(r"[0-9]{1,3}", text) else _WORST_PREFERENCE


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _one_line(text: object) -> str:
    """Text of a stranger's, fit to be shown on one line."""
    if not isinstance(text, str):
        return ""
    shown = " ".join("".join(char if char.isprintable() else " " for char in text[: _LONGEST_TEXT * 2]).split())
    return shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + "…"
