"""Key records from a real DNS server on loopback: what it says, what it should not say, and when it says nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from servers import DnsServer, dns_server
from signing import dkim_signed, key

from abuse_pipeline.signatures import KeyAnswer, answer_of, findings_of, look_up_keys, verified
from abuse_pipeline.store import codec

NOW = datetime(2026, 11, 20, 5, 3, 12, tzinfo=UTC)
NAME = "sel2026._domainkey.relay.example"
OTHER = "s2._domainkey.relay.example"
NONE = KeyAnswer()


@pytest_asyncio.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as running:
        yield running


async def ask(server: DnsServer, *names: str, seconds: float = 5) -> dict[str, KeyAnswer]:
    return dict(await look_up_keys(names, (server.address,), timedelta(seconds=seconds)))


def txt(text: str) -> str:
    """A TXT record in the strings of 255 bytes that DNS has."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


async def test_a_key_of_several_strings_verifies_a_message(server: DnsServer) -> None:
    strong = key(bits=2048)
    server.records[NAME, "TXT"] = [txt(strong.record)]
    answers = await ask(server, NAME)
    assert answers == {NAME: KeyAnswer(strong.record)}
    raw = dkim_signed(b"From: a@shop.example\r\n\r\nbody\r\n", strong)
    assert len(verified(raw, frozenset({"relay.example"}), lambda name: answers[name].key, NOW)) == 1


async def test_names_are_asked_once_each_and_exactly_as_given(server: DnsServer) -> None:
    server.records[NAME, "TXT"] = [txt(key().record)]
    answers = await ask(server, NAME, OTHER, NAME)
    assert answers == {NAME: KeyAnswer(key().record), OTHER: NONE}
    assert sorted(server.asked) == [(OTHER, "TXT"), (NAME, "TXT")]
    assert await ask(server) == {}


async def test_no_key(server: DnsServer) -> None:
    server.records[OTHER, "A"] = ["192.0.2.7"]
    server.records["x." + NAME, "TXT"] = ['"something else"']
    answers = await ask(server, NAME, OTHER, "x." + NAME)
    assert set(answers.values()) == {NONE}


async def test_an_alias_is_followed(server: DnsServer) -> None:
    server.records[NAME, "CNAME"] = [OTHER + "."]
    server.records[OTHER, "TXT"] = [txt(key().record)]
    assert (await ask(server, NAME))[NAME].key == key().record


async def test_an_answer_too_large_for_udp(server: DnsServer) -> None:
    server.records[NAME, "TXT"] = [txt(key().record)]
    server.truncated.add(NAME)
    assert (await ask(server, NAME))[NAME].key == key().record


async def test_other_texts_beside_the_key(server: DnsServer) -> None:
    server.records[NAME, "TXT"] = ['"note to self"', txt(key().record)]
    assert (await ask(server, NAME))[NAME].key == key().record
    server.records[NAME, "TXT"] = [txt(key(seed=8).record), txt(key().record)]
    assert (await ask(server, NAME))[NAME] == KeyAnswer(problem="several key records (RFC 6376 section 3.6.2.2)")


@pytest.mark.parametrize(
    "text", ['"p=' + "A" * 250 + '" ' + '"' + "A" * 255 + '"', '"p=\\000"', '"p=\\227\\129\\130"', '"p=\\010"']
)
async def test_what_is_no_key_record(server: DnsServer, text: str) -> None:
    if text.endswith('A"'):
        text = text + (' "' + "A" * 255 + '"') * 16
    server.records[NAME, "TXT"] = [text]
    answer = (await ask(server, NAME))[NAME]
    assert answer.key is None
    assert answer.problem == "no key record: too long, or not printable ASCII"


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED"])
async def test_a_server_that_fails(server: DnsServer, code: str) -> None:
    server.rcodes[NAME] = code
    server.records[OTHER, "TXT"] = [txt(key().record)]
    answers = await ask(server, NAME, OTHER)
    assert answers[NAME].key is None
    assert (answers[NAME].problem or "").startswith("failed: ")
    assert answers[OTHER].key == key().record


@pytest.mark.parametrize("kind", ["silent", "garbage"])
async def test_the_timeout_is_for_all_names_together(server: DnsServer, kind: str) -> None:
    dead = [f"s{number}._domainkey.relay.example" for number in range(40)]
    getattr(server, kind).update(dead)
    server.records[NAME, "TXT"] = [txt(key().record)]
    start = time.monotonic()
    answers = await ask(server, NAME, *dead, seconds=1.5)
    assert time.monotonic() - start < 6
    assert answers[NAME].key == key().record
    assert len(answers) == 41
    assert all(answers[name].key is None and answers[name].problem for name in dead)
    assert len(asyncio.all_tasks() - {asyncio.current_task()}) <= 42  # the server's own


async def test_at_most_eight_at_once(server: DnsServer) -> None:
    names = [f"s{number}._domainkey.relay.example" for number in range(20)]
    server.silent.update(names)
    waiting = asyncio.ensure_future(ask(server, *names, seconds=60))
    async with asyncio.timeout(30):
        while len(set(server.asked)) < 8:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert len(set(server.asked)) == 8
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_cancelled_look_up_leaves_nothing_behind(server: DnsServer) -> None:
    server.silent.add(NAME)
    before = asyncio.all_tasks()
    waiting = asyncio.ensure_future(look_up_keys([NAME], (server.address,), timedelta(seconds=30)))
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("nameserver", ["ns.example", "192.0.2.53:0", "", "[192.0.2.53"])
async def test_a_name_server_that_is_no_address(nameserver: str) -> None:
    answers = await look_up_keys([NAME], (nameserver,), timedelta(seconds=1))
    assert answers[NAME].key is None
    assert "set enrich.nameservers" in (answers[NAME].problem or "")


@pytest.mark.parametrize(
    "name", ["a..b", "x" * 64 + ".relay.example", "." * 300, "\u3042._domainkey.relay.example", ""]
)
async def test_a_name_that_is_none(server: DnsServer, name: str) -> None:
    assert (await ask(server, name))[name].key is None


@pytest.mark.parametrize("answer", [NONE, KeyAnswer("p=x"), KeyAnswer(problem="failed: NoNameservers")])
def test_answers_survive_the_cache(answer: KeyAnswer) -> None:
    findings = findings_of(NAME, answer, NOW)
    assert answer_of(codec.findings_from_json(codec.findings_to_json(findings))) == answer
    assert all((finding.source, finding.subject) == ("dkim_key", NAME) for finding in findings)
