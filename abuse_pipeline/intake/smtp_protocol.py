"""One SMTP connection on aiosmtpd (RFC 5321, 1870 SIZE, 2920 PIPELINING, 6152 8BITMIME, 6531 SMTPUTF8).

aiosmtpd gives the grammar and the order of HELO, MAIL, RCPT, RSET, NOOP and QUIT. What is ours, and why:

- DATA is read in blocks up to CRLF.CRLF instead of line by line: faster, lines of any length, and the one terminator
  of RFC 5321 section 4.1.1.4, so that a bare CR or LF never ends a message (SMTP smuggling);
- the command loop neither logs nor echoes what clients say (aiosmtpd logs every address at level INFO), still answers
  a client that has closed its sending side, and has a budget of commands;
- a connection that does not read our replies is cut, not waited for.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterable
from typing import Protocol

from aiosmtpd.smtp import SMTP, Envelope, Session

log = logging.getLogger("abuse.intake")

BLOCK_BYTES = 65_536
COMMAND_BYTES = 2_048
COMMAND_BUDGET = 250
COST_OF_NONSENSE = 50
FAREWELL_SECONDS = 2.0
NULL_SENDER = "<>"

_END_OF_DATA = b"\r\n.\r\n"
_ADDRESS = r"""(?P<address> (?: [^\s<>"@\x00-\x1f\x7f]+ | "(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*" )
                            (?: @ [^\s<>"@\x00-\x1f\x7f]+ )? )"""
# A source route is accepted and ignored, RFC 5321 appendix C. Some clients leave the brackets out.
_PATH = re.compile(rf"<(?:@[^\s<>:]+:)?{_ADDRESS}?>(?P<rest>(?:\ .*)?)", re.VERBOSE)
_BARE_PATH = re.compile(rf"{_ADDRESS}(?P<rest>(?:\ .*)?)", re.VERBOSE)


class Desk(Protocol):
    """What a connection asks of the receiver it belongs to."""

    hostname: str
    max_message_bytes: int
    idle_seconds: float
    stopping: bool

    def admit(self, connection: Connection) -> bool:
        """Whether there is room for one more client."""

    def left(self, connection: Connection) -> None:
        """The client is gone."""

    def hold(self, connection: Connection, size: int) -> None:
        """The connection now holds *size* bytes of a message. May ask connections to give theirs up."""

    async def take(self, session: Session, envelope: Envelope, raw: bytes) -> str:
        """Make the message durable; returns the reply to DATA, never raises."""


class Connection(SMTP):
    """One client. in_data: between DATA and its reply. committing: its message is on the way to the store."""

    line_length_limit = BLOCK_BYTES  # the reader's block; DATA below knows no limit of a line

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            desk,
            hostname=desk.hostname,
            data_size_limit=desk.max_message_bytes,
            enable_SMTPUTF8=True,
            timeout=desk.idle_seconds,
            loop=loop,
        )
        self.desk = desk
        self.in_data = False
        self.committing = False
        self.active_at = loop.time()
        self._admitted = False
        self._budget = COMMAND_BUDGET
        self._blocks: list[bytes] = []
        self._refusal: str | None = None

    def __dir__(self) -> Iterable[str]:
        """aiosmtpd finds commands by dir(), for every connection; these are all we have (no AUTH, no HELP)."""
        return _COMMANDS

    # The life of a connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._admitted = self.desk.admit(self)
        if self._admitted:
            super().connection_made(transport)
        elif isinstance(transport, asyncio.Transport):
            transport.write(b"421 4.3.2 Too many connections, try again later\r\n")
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self._admitted:
            super().connection_lost(error)
            self.desk.left(self)

    def eof_received(self) -> bool | None:
        """A client that has closed its sending side still gets its replies."""
        return asyncio.StreamReaderProtocol.eof_received(self)

    def dismiss(self, reply: str) -> None:
        """Say *reply* and hang up, whatever the client is doing."""
        if self.transport is not None and self._handler_coroutine is not None:
            self._writer.write(reply.encode() + b"\r\n")
            self._handler_coroutine.cancel()

    def cut(self) -> None:
        """End the connection now."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    def give_up_message(self, reply: str) -> None:
        """Forget what has come of the message; the rest of it is read over and *reply* is given at its end."""
        self._refusal = self._refusal or reply
        self._blocks.clear()
        self.desk.hold(self, 0)

    def _timeout_cb(self) -> None:
        self.dismiss("421 4.4.2 Idle for too long")

    def _touch(self) -> None:
        self.active_at = self.loop.time()
        self._reset_timeout()

    def _hang_up(self) -> None:
        """Close, but do not wait for a client that never reads what we wrote."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.close()
            self.loop.call_later(FAREWELL_SECONDS, self.transport.abort)

    # The dialogue

    async def push(self, status: str | bytes) -> None:
        self._writer.write((status.encode() if isinstance(status, str) else status) + b"\r\n")
        await self._writer.drain()

    async def _handle_client(self) -> None:
        try:
            await self.push(f"220 {self.hostname} ESMTP")
            while self.transport is not None and not self.transport.is_closing():
                if self.desk.stopping:
                    await self.push("421 4.3.2 Service is stopping")
                    break
                line = await self._reader.readuntil(b"\n")
                await self._obey(line.rstrip(b"\r\n"))
        except asyncio.LimitOverrunError:
            self._writer.write(b"500 5.5.6 Line too long\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone; what it had not finished is not accepted
        finally:
            self._hang_up()

    async def _obey(self, line: bytes) -> None:
        self._budget -= 1
        name, _, argument = line.partition(b" ")
        command = self._smtp_methods.get(name.upper().decode("ascii", "replace"))
        if command is None or len(line) > COMMAND_BYTES:
            self._budget -= COST_OF_NONSENSE
        if self._budget < 0:
            await self.push("421 4.7.0 Too many commands")
            self._hang_up()
        elif len(line) > COMMAND_BYTES:
            await self.push("500 5.5.6 Line too long")
        elif command is None:
            await self.push("500 5.5.1 Command not recognized")
        else:
            self._touch()
            await self._run(command, argument.strip().decode("utf-8", "surrogateescape") or None)

    async def _run(self, command: object, argument: str | None) -> None:
        assert callable(command)
        try:
            await command(argument)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001  isolation: no command may end the service or show a traceback
            log.error("an SMTP command failed with %s; the client was asked to try again", type(error).__name__)
            await self.push("451 4.3.0 Local error, try again later")

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """RFC 5321 section 4.1.2 path, and what follows it; (None, None) when it is malformed."""
        found = _PATH.fullmatch(arg) or _BARE_PATH.fullmatch(arg)
        if found is None:
            return None, None
        address = found["address"] or NULL_SENDER
        if any("\ud800" <= letter <= "\udfff" for letter in address):
            return None, None  # not UTF-8: no store and no reply could ever carry it
        return address, found["rest"]

    async def smtp_EHLO(self, hostname: str) -> None:
        if not hostname:
            await self.push("501 5.5.4 Syntax: EHLO hostname")
            return
        assert self.session is not None
        self._set_rset_state()  # type: ignore[no-untyped-call]
        self.session.extended_smtp = True
        self.session.host_name = hostname
        lines = (self.hostname, f"SIZE {self.data_size_limit}", "8BITMIME", "PIPELINING", "SMTPUTF8")
        await self.push("\r\n".join(f"250-{line}" for line in lines[:-1]) + f"\r\n250 {lines[-1]}")

    async def smtp_HELO(self, hostname: str) -> None:
        if not hostname:
            await self.push("501 5.5.4 Syntax: HELO hostname")
            return
        assert self.session is not None
        self._set_rset_state()  # type: ignore[no-untyped-call]
        self.session.extended_smtp = False
        self.session.host_name = hostname
        await self.push(f"250 {self.hostname}")

    async def smtp_VRFY(self, _arg: str) -> None:
        await self.push("502 5.5.1 Not offered")

    async def smtp_EXPN(self, _arg: str) -> None:
        await self.push("502 5.5.1 Not offered")

    async def smtp_DATA(self, arg: str) -> None:
        assert self.envelope is not None
        assert self.session is not None
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Need a valid RCPT command first")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        self.in_data, self._refusal = True, None
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._read_message()
            reply = self._refusal or await self._take(self.session, self.envelope)
        finally:
            self.in_data = False
            self._blocks = []
            self.desk.hold(self, 0)
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        self._touch()
        await self.push(reply)

    async def _read_message(self) -> None:
        """Gather the blocks of one message, terminator included, CRLF of the DATA command at their head.

        That CRLF is put back because it is the first half of the terminator of an empty message.
        """
        self._reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined]
        received = 0
        while True:
            try:
                block, complete = await self._reader.readuntil(_END_OF_DATA), True
            except asyncio.LimitOverrunError as error:
                block, complete = await self._reader.read(error.consumed), False
            received += len(block)
            if received > self.desk.max_message_bytes + len(_END_OF_DATA):
                self.give_up_message("552 5.3.4 Message is too large")
            if received > 3 * self.desk.max_message_bytes + BLOCK_BYTES:
                self._writer.write(b"552 5.3.4 Message is far too large\r\n")
                raise ConnectionAbortedError
            if self._refusal is None:
                self._blocks.append(block)
                self.desk.hold(self, received)
            if complete:
                return
            self._touch()  # a full block is progress; single bytes now and then are not

    async def _take(self, session: Session, envelope: Envelope) -> str:
        raw = b"".join(self._blocks)[:-3].replace(b"\r\n.", b"\r\n")[2:]
        self._blocks = []
        self.committing = True
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()  # now the client waits for us
        try:
            reply = await self.desk.take(session, envelope, raw)
        finally:
            self.committing = False
        self._budget = COMMAND_BUDGET
        return reply


_COMMANDS: tuple[str, ...] = (
    "smtp_EHLO",
    "smtp_HELO",
    "smtp_MAIL",
    "smtp_RCPT",
    "smtp_DATA",
    "smtp_RSET",
    "smtp_NOOP",
    "smtp_QUIT",
)
_COMMANDS += ("smtp_VRFY", "smtp_EXPN")  # they only say that they are not offered
