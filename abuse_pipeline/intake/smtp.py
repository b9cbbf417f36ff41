"""The SMTP receiver: who may speak, for whom mail is taken, and that 250 is said only after it is durable."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from aiosmtpd.smtp import SMTP, Envelope, Session

from abuse_pipeline import model
from abuse_pipeline.clock import Clock
from abuse_pipeline.errors import AbuseError, ConfigurationError
from abuse_pipeline.intake.smtp_protocol import NULL_SENDER, Connection
from abuse_pipeline.intake.spool import Spool
from abuse_pipeline.model import Channel
from abuse_pipeline.settings import SmtpIntake
from abuse_pipeline.store.records import Arrival

log = logging.getLogger("abuse.intake")


@dataclass(frozen=True, slots=True)
class ReceiverLimits:
    """bytes_in_flight: what unfinished and uncommitted messages may hold together. crowd_seconds: how long a client
    must have made no progress before it loses its place to a new one when all places are taken."""

    bytes_in_flight: int = 256 * 1024 * 1024
    crowd_seconds: float = 30.0


async def start_smtp(
    settings: SmtpIntake, spool: Spool, clock: Clock, limits: ReceiverLimits | None = None
) -> SmtpReceiver:
    """Listen as *settings* say and hand every message to *spool*.

    Raises ConfigurationError, naming ``intake.smtp.listen``, when the address cannot be listened on.
    """
    logging.getLogger("mail.log").disabled = True  # aiosmtpd's own: it writes addresses
    receiver = SmtpReceiver(settings, spool, clock, limits or ReceiverLimits())
    await receiver.listen(settings)
    return receiver


class SmtpReceiver:
    """All connections of one listening address. port: where it listens."""

    def __init__(self, settings: SmtpIntake, spool: Spool, clock: Clock, limits: ReceiverLimits) -> None:
        self.hostname = settings.recipients[0].rpartition("@")[2]
        self.max_message_bytes = settings.max_message_bytes
        self.idle_seconds = settings.idle_timeout.total_seconds()
        self.stopping = False
        self.port = 0
        self._max_connections = settings.max_connections
        self._recipients = frozenset(address.lower() for address in settings.recipients)
        self._domains = frozenset(address.rpartition("@")[2] for address in self._recipients)
        self._spool = spool
        self._clock = clock
        self._limits = limits
        self._held: dict[Connection, int] = {}
        self._everybody_left = asyncio.Event()
        self._server: asyncio.Server | None = None

    def __dir__(self) -> Iterable[str]:
        """aiosmtpd looks through its handler's dir() at every connection: this keeps that short."""
        return ("handle_MAIL", "handle_RCPT")

    async def listen(self, settings: SmtpIntake) -> None:
        host, port = settings.address
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: Connection(self, loop), host, port, backlog=1024)
        except OSError as error:
            reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
            raise ConfigurationError(
                f"cannot listen on {settings.listen}: {reason}",
                where="intake.smtp.listen",
                todo="choose another address or port, or stop what uses it",
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self, grace: float = 10.0) -> None:
        """Take no new client, let running DATA transactions end within *grace* seconds, send the others away."""
        self.stopping = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._held):
            if not connection.in_data:
                connection.dismiss("421 4.3.2 Service is stopping")
        if self._held:
            self._everybody_left.clear()
            try:
                await asyncio.wait_for(self._everybody_left.wait(), grace)
            except TimeoutError:
                for connection in list(self._held):
                    connection.cut()

    # What a connection asks

    def admit(self, connection: Connection) -> bool:
        if self.stopping or (len(self._held) >= self._max_connections and not self._evict_idlest()):
            return False
        self._held[connection] = 0
        return True

    def left(self, connection: Connection) -> None:
        self._held.pop(connection, None)
        if not self._held:
            self._everybody_left.set()

    def hold(self, connection: Connection, size: int) -> None:
        """Over the cap, the largest unfinished message is asked to come again later: whoever fills the memory with
        messages that never end loses them, not the others."""
        if connection in self._held:
            self._held[connection] = size
        while sum(self._held.values()) > self._limits.bytes_in_flight:
            unfinished = [other for other in self._held if not other.committing and self._held[other]]
            if not unfinished:
                return
            max(unfinished, key=self._held.__getitem__).give_up_message("452 4.3.1 Out of memory, try again later")

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if not address.isascii() and not envelope.smtp_utf8:
            return "553 5.6.7 Address needs SMTPUTF8"
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        wanted = address.lower()
        if wanted.rpartition("@")[2] not in self._domains:
            return "550 5.7.1 We do not relay"
        if wanted not in self._recipients:
            return "550 5.1.1 No such mailbox"
        if address not in envelope.rcpt_tos:
            envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def take(self, session: Session, envelope: Envelope, raw: bytes) -> str:
        arrival = Arrival(Channel.SMTP, _envelope(session, envelope), raw, self._clock())
        try:
            accepted = await self._spool.accept(arrival)
        except AbuseError as error:
            log.warning("a message was not taken, its sender was asked to try again: %s", error)
        except Exception as error:  # noqa: BLE001  isolation: whatever the store does, the sender keeps the message
            log.error("the store failed with %s; the sender was asked to try again", type(error).__name__)
        else:
            log.info("accepted %s, %d bytes, by SMTP", accepted.submission, len(raw))
            return f"250 2.0.0 OK {accepted.submission}"
        return "451 4.3.0 Cannot store it now, try again later"

    def _evict_idlest(self) -> bool:
        now = asyncio.get_running_loop().time()
        idle = [other for other in self._held if not other.committing]
        idlest = min(idle, key=lambda other: other.active_at, default=None)
        if idlest is None or now - idlest.active_at < self._limits.crowd_seconds:
            return False
        idlest.dismiss("421 4.3.2 Your place is needed, try again later")
        return True


def _envelope(session: Session, envelope: Envelope) -> model.Envelope:
    sender = envelope.mail_from or ""
    return model.Envelope(
        mail_from="" if sender == NULL_SENDER else sender,
        rcpt_to=tuple(envelope.rcpt_tos),
        peer=_peer(session.peer),
        helo=_printable(session.host_name or "")[:255] or None,
    )


def _peer(peername: object) -> str | None:
    """The client's address; one that came over a dual-stack socket as ``::ffff:192.0.2.1`` is IPv4 again."""
    if not isinstance(peername, tuple) or not peername:
        return None
    address = ip_address(str(peername[0]).partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _printable(text: str) -> str:
    """What a client says of itself may hold any byte; control characters and broken UTF-8 do not reach the store."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "?", text)
