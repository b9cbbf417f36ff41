"""No client can stop the service, smuggle a message, fill the memory or learn what stands behind."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress
from datetime import timedelta

import pytest
from intake_desk import Desk, OpenDesk

from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.intake.smtp import ReceiverLimits

SMUGGLED = b"MAIL FROM:<forged@example.net>\r\nRCPT TO:<abuse@hosting.example.jp>\r\nDATA\r\nforged\r\n.\r\n"


async def serves(desk: Desk) -> None:
    wire = await desk.connect()
    await wire.begin()
    assert (await wire.send(b"still there\r\n")).startswith("250")


@pytest.mark.parametrize(
    "terminator", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\n\x00.\r\n", b"\n..\r\n"]
)
async def test_only_crlf_dot_crlf_ends_a_message(open_desk: OpenDesk, terminator: bytes) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.begin()
        body = b"honest" + terminator + SMUGGLED.replace(b"\r\n.\r\n", b"\r\nx\r\n")
        assert (await wire.send(body)).startswith("250")
        assert (await wire.say("QUIT")).startswith("221")
        assert await wire.rest() == b""
    (arrival,) = desk.store.taken
    assert arrival.envelope.mail_from == "reporter@example.com"
    assert arrival.raw == body.replace(b"\r\n.", b"\r\n")


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n", b"..\r\n", b"..\r\n\r\n..\r\n", b"...x\r\n"])
async def test_messages_of_dots_and_empty_lines(open_desk: OpenDesk, body: bytes) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.begin()
        assert (await wire.send(body)).startswith("250")
        assert (await wire.say("NOOP")).startswith("250")
    assert [arrival.raw for arrival in desk.store.taken] == [(b"\r\n" + body).replace(b"\r\n.", b"\r\n")[2:]]


@pytest.mark.parametrize("cut", range(1, 9))
async def test_the_terminator_may_come_in_pieces(open_desk: OpenDesk, cut: int) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.begin()
        await wire.say("DATA")
        content = b"x" * 65_530 + b"ab\r\n.\r\nNOOP\r\n"
        wire.writer.write(content[: 65_530 + cut])
        await asyncio.sleep(0.03)
        wire.writer.write(content[65_530 + cut :])
        assert (await wire.reply()).startswith("250 2.0.0")
        assert (await wire.reply()).startswith("250")
    assert desk.store.taken[0].raw == b"x" * 65_530 + b"ab\r\n"


async def test_long_lines_are_taken(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.begin()
        line = b"Subject: " + b"x" * 3_000_000 + b"\r\n"
        assert (await wire.send(line)).startswith("250")
    assert desk.store.taken[0].raw == line


async def test_pipelined_commands_and_a_closed_sending_side(open_desk: OpenDesk) -> None:
    start = b"EHLO client.example\r\nMAIL FROM:<reporter@example.com>\r\nRCPT TO:<abuse@hosting.example.jp>\r\nDATA\r\n"
    async with open_desk() as desk:
        wire = await desk.connect()
        wire.writer.write(start + b"one\r\n.\r\n" + SMUGGLED + b"QUIT\r\n")
        wire.writer.write_eof()
        answers = (await wire.rest()).decode().splitlines()
    codes = [line[:3] for line in answers if line[3:4] == " "]
    assert codes == ["250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
    assert [arrival.raw for arrival in desk.store.taken] == [b"one\r\n", b"forged\r\n"]


async def test_250_is_said_after_the_commit_and_not_before(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        desk.store.gate.clear()
        wire = await desk.connect()
        await wire.begin()
        answer = asyncio.create_task(wire.send(b"hello\r\n"))
        await asyncio.sleep(0.3)
        assert (desk.store.calls, answer.done(), desk.store.commits) == (1, False, [])
        desk.store.gate.set()
        assert (await answer).startswith("250")
        assert len(desk.store.commits) == 1


async def test_200_clients_share_commits(open_desk: OpenDesk) -> None:
    async def client(desk: Desk, number: int) -> str:
        wire = await desk.connect()
        await wire.begin()
        return await wire.send(b"%d\r\n" % number)

    async with open_desk() as desk:
        answers = await asyncio.gather(*(client(desk, number) for number in range(200)))
    assert all(answer.startswith("250") for answer in answers)
    assert {arrival.raw for arrival in desk.store.taken} == {b"%d\r\n" % number for number in range(200)}
    assert len(desk.store.commits) < 150


async def test_one_client_too_many_is_asked_to_come_again(open_desk: OpenDesk) -> None:
    async with open_desk(max_connections=2) as desk:
        first = await desk.connect()
        await desk.connect()
        await desk.connect(greeting="421 4.3.2")
        await first.say("QUIT")
        await first.rest()
        await desk.connect()


async def test_who_does_nothing_loses_its_place_when_it_is_needed(open_desk: OpenDesk) -> None:
    async with open_desk(max_connections=1, limits=ReceiverLimits(crowd_seconds=0.1)) as desk:
        idle = await desk.connect()
        await asyncio.sleep(0.2)
        await (await desk.connect()).begin()
        assert (await idle.reply()).startswith("421")


async def test_slow_and_silent_clients_are_cut(open_desk: OpenDesk) -> None:
    async with open_desk(idle_timeout=timedelta(seconds=1)) as desk:
        silent = await desk.connect()
        slow = await desk.connect()
        await slow.begin()
        await slow.say("DATA")
        began = time.monotonic()
        for _ in range(8):
            slow.writer.write(b"x")
            await asyncio.sleep(0.1)
        assert (await silent.rest()).startswith(b"421")
        assert (await slow.rest()).startswith(b"421")
        assert time.monotonic() - began < 1.6, "single bytes must not extend the time"
        await serves(desk)
    assert [arrival.raw for arrival in desk.store.taken] == [b"still there\r\n"]


async def test_a_large_message_over_a_slow_line_is_not_cut_while_it_moves(open_desk: OpenDesk) -> None:
    async with open_desk(idle_timeout=timedelta(seconds=1)) as desk:
        wire = await desk.connect()
        await wire.begin()
        await wire.say("DATA")
        for _ in range(6):
            wire.writer.write(b"x" * 150_000)
            await asyncio.sleep(0.3)
        wire.writer.write(b"\r\n.\r\n")
        assert (await wire.reply()).startswith("250")


async def test_a_message_that_is_not_finished_is_not_taken(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.begin()
        await wire.say("DATA")
        wire.writer.write(b"half a message\r\n.\r")
        wire.writer.write_eof()
        assert await wire.rest() == b""
        await serves(desk)
    assert len(desk.store.taken) == 1


async def test_memory_is_bounded_and_the_largest_unfinished_message_gives_way(open_desk: OpenDesk) -> None:
    async with open_desk(limits=ReceiverLimits(bytes_in_flight=1_000_000)) as desk:
        greedy = await desk.connect()
        await greedy.begin()
        await greedy.say("DATA")
        greedy.writer.write(b"x" * 900_000)
        await greedy.writer.drain()
        await asyncio.sleep(0.2)
        modest = await desk.connect()
        await modest.begin()
        assert (await modest.send(b"y" * 400_000 + b"\r\n")).startswith("250")
        greedy.writer.write(b"\r\n.\r\n")
        assert (await greedy.reply()).startswith("452")
        await greedy.begin()
        assert (await greedy.send(b"later\r\n")).startswith("250")


async def test_an_endless_message_is_cut(open_desk: OpenDesk) -> None:
    async with open_desk(max_message_bytes=100_000) as desk:
        wire = await desk.connect()
        await wire.begin()
        await wire.say("DATA")
        sent = 0
        with suppress(ConnectionError):
            while sent < 200_000_000:
                wire.writer.write(b"x" * 100_000)
                await wire.writer.drain()
                sent += 100_000
        assert sent < 50_000_000
        await serves(desk)


async def test_random_bytes_do_no_harm(open_desk: OpenDesk, caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(7)
    async with open_desk() as desk:
        for _ in range(40):
            wire = await desk.connect()
            wire.writer.write(dice.randbytes(dice.randrange(1, 200_000)))
            wire.writer.write_eof()
            await wire.rest()
        await serves(desk)
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"MAIL FROM:<a@example.com>", "503"),
        (b"RCPT TO:<abuse@hosting.example.jp>", "503"),
        (b"DATA", "503"),
        (b"VRFY abuse", "502"),
        (b"EXPN abuse", "502"),
        (b"AUTH PLAIN AHgAeQ==", "500"),
        (b"HELP", "500"),
        (b"STARTTLS", "500"),
        (b"", "500"),
        (b"\xff\xfe\x00", "500"),
        (b"NOOP " + b"x" * 3000, "500"),
        (b"EHLO", "501"),
        (b"HELO", "501"),
        (b"QUIT now", "501"),
    ],
)
async def test_commands_out_of_place(open_desk: OpenDesk, line: bytes, code: str) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        answer = await wire.say(line)
        assert answer.startswith(code)
        assert "Error" not in answer or "(" not in answer
        assert (await wire.say("NOOP")).startswith("250")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (b"<> SIZE=\xc2\xb2", "451"),
        (b"<a@example.com> SIZE=x", "501"),
        (b"<a@example.com> BODY=8BITMIME SIZE=10", "250"),
        (b"<a@example.com> BODY=BINARYMIME", "501"),
        (b"<a@example.com> UNKNOWN=1", "555"),
        (b"<\xe5\xa0\xb1\xe5\x91\x8a@example.com> SMTPUTF8", "250"),
        (b"<\xe5\xa0\xb1\xe5\x91\x8a@example.com>", "553"),
        (b"<\xff\xfe@example.com> SMTPUTF8", "553"),
        (b"<a\x00b@example.com>", "553"),
        (b"<a@example.com", "553"),
        (b'<"a b\\"c"@example.com>', "250"),
        (b"a@example.com", "250"),
        (b"<" + b'"' + b"\\a" * 900, "553"),
    ],
)
async def test_senders(open_desk: OpenDesk, path: bytes, code: str) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.say("EHLO client.example")
        assert (await wire.say(b"MAIL FROM:" + path)).startswith(code)


async def test_utf8_addresses_and_strange_names_reach_the_store_clean(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.say(b"EHLO \x00\xff\x1bclient")
        await wire.say("MAIL FROM:<報告@example.com> SMTPUTF8")
        await wire.say("RCPT TO:<abuse@hosting.example.jp>")
        assert (await wire.send(b"x\r\n")).startswith("250")
    (arrival,) = desk.store.taken
    assert (arrival.envelope.mail_from, arrival.envelope.helo) == ("報告@example.com", "???client")


async def test_nonsense_and_endless_commands_end_the_connection(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        for command, most in (("NONSENSE", 6), ("NOOP", 260)):
            wire = await desk.connect()
            answers = [await wire.say(command) for _ in range(most)]
            assert any(answer.startswith("421") for answer in answers)
        wire = await desk.connect()
        wire.writer.write(b"x" * 200_000)
        await wire.rest()
        await serves(desk)


async def test_stopping_lets_data_end_and_sends_the_others_away(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        idle, busy, stuck = [await desk.connect() for _ in range(3)]
        await stuck.begin()
        await stuck.say("DATA")
        await busy.begin()
        await busy.say("DATA")
        stopping = asyncio.create_task(desk.receiver.stop(0.5))
        assert (await idle.reply()).startswith("421")
        busy.writer.write(b"last\r\n.\r\n")
        assert (await busy.reply()).startswith("250")
        assert (await busy.reply()).startswith("421")
        await asyncio.wait_for(stopping, 3)
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection("127.0.0.1", desk.receiver.port)
    assert [arrival.raw for arrival in desk.store.taken] == [b"last\r\n"]


async def test_logs_show_no_address(open_desk: OpenDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_desk() as desk:
        desk.store.failures = [StoreUnavailable("the disk is full")]
        wire = await desk.connect()
        for _ in range(2):
            await wire.begin("reporter@example.com")
            await wire.send(b"From: reporter@example.com\r\n")
    assert "the disk is full" in caplog.text
    assert "accepted" in caplog.text
    for secret in ("reporter", "127.0.0.1", "client.example"):
        assert secret not in caplog.text
