"""The receiver as a client sees it: codes, sizes, bytes."""

from __future__ import annotations

import pytest
from intake_desk import NOW, OpenDesk

from abuse_pipeline.errors import ConfigurationError, StoreUnavailable
from abuse_pipeline.intake.smtp import start_smtp
from abuse_pipeline.intake.spool import Spool
from abuse_pipeline.model import Channel
from abuse_pipeline.settings import SmtpIntake


async def test_a_message_is_taken_exactly_as_sent(open_desk: OpenDesk) -> None:
    body = b"Subject: \xe9\x9b\xbb\r\n\r\n.one\r\n..\r\nlone \n lf and \r cr\r\n" + bytes(range(256)).replace(
        b"\r\n", b""
    )
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.begin("reporter@example.com")
        stuffed = (b"\r\n" + body + b"\r\n").replace(b"\r\n.", b"\r\n..")[2:]
        assert (await wire.send(stuffed)).startswith("250")
    (arrival,) = desk.store.taken
    assert arrival.raw == body + b"\r\n"
    assert (arrival.channel, arrival.received_at, arrival.source) == (Channel.SMTP, NOW, None)
    assert arrival.envelope.mail_from == "reporter@example.com"
    assert arrival.envelope.rcpt_to == ("abuse@hosting.example.jp",)
    assert (arrival.envelope.peer, arrival.envelope.helo) == ("127.0.0.1", "client.example")


async def test_ehlo_offers_what_is_kept(open_desk: OpenDesk) -> None:
    async with open_desk(max_message_bytes=5000) as desk:
        wire = await desk.connect()
        answer = await wire.say("EHLO client.example")
    for word in ("SIZE 5000", "8BITMIME", "SMTPUTF8", "PIPELINING"):
        assert word in answer
    for word in ("AUTH", "HELP", "aiosmtpd", "Python"):
        assert word not in answer


@pytest.mark.parametrize(
    ("recipient", "code"),
    [
        ("abuse@hosting.example.jp", "250"),
        ("ABUSE@Hosting.Example.JP", "250"),
        ("someone@hosting.example.jp", "550 5.1.1"),
        ("abuse@example.com", "550 5.7.1"),
        ("abuse%example.com@hosting.example.jp", "550 5.1.1"),
        ("@hosting.example.jp:abuse@example.com", "550 5.7.1"),
        ("abuse", "550 5.7.1"),
        ("", "550 5.7.1"),
    ],
)
async def test_only_configured_recipients(open_desk: OpenDesk, recipient: str, code: str) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.say("EHLO client.example")
        await wire.say("MAIL FROM:<reporter@example.com>")
        assert (await wire.say(f"RCPT TO:<{recipient}>")).startswith(code)
        if code != "250":
            assert (await wire.say("DATA")).startswith("503")
    assert desk.store.taken == []


async def test_null_sender_is_taken(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        wire = await desk.connect()
        await wire.begin("")
        assert (await wire.send(b"bounce\r\n")).startswith("250")
    assert desk.store.taken[0].envelope.mail_from == ""


async def test_size_is_refused_before_and_during_data(open_desk: OpenDesk) -> None:
    async with open_desk(max_message_bytes=1000) as desk:
        wire = await desk.connect()
        await wire.say("EHLO client.example")
        assert (await wire.say("MAIL FROM:<reporter@example.com> SIZE=1001")).startswith("552")
        await wire.begin()
        assert (await wire.send(b"x" * 999 + b"\r\n")).startswith("552")
        await wire.begin()
        assert (await wire.send(b"x" * 998 + b"\r\n")).startswith("250")
    assert [len(arrival.raw) for arrival in desk.store.taken] == [1000]


async def test_451_then_the_same_message_is_taken(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        desk.store.failures = [StoreUnavailable("the disk is full"), RuntimeError("reporter@example.com")]
        wire = await desk.connect()
        for code in ("451 4.3.0", "451 4.3.0", "250"):
            await wire.begin()
            answer = await wire.send(b"hello\r\n")
            assert answer.startswith(code)
            assert "reporter" not in answer
    assert [arrival.raw for arrival in desk.store.taken] == [b"hello\r\n"]


async def test_a_taken_port_is_one_clear_line(open_desk: OpenDesk) -> None:
    async with open_desk() as desk:
        settings = SmtpIntake(listen=f"127.0.0.1:{desk.receiver.port}", recipients=("abuse@hosting.example.jp",))
        with pytest.raises(ConfigurationError) as caught:
            await start_smtp(settings, Spool(desk.store), lambda: NOW)
    assert "intake.smtp.listen" in str(caught.value)
    assert "in use" in str(caught.value)
    assert "\n" not in str(caught.value)
