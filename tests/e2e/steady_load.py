"""Clients that keep sending, whatever happens to the service."""

from __future__ import annotations

import itertools
import random
import smtplib
import threading
import time

from desk_service import Desk, Service, deliver
from reports_made import Made, made

SENDERS = 3
PAUSE_SECONDS = 0.15


class Load:
    """Clients that keep sending distinct reports, each until it has its 250, and one that drops files.

    sent: every report that the desk owes us. answers: what the 250 of a number said.
    """

    def __init__(self, desk: Desk) -> None:
        self.service: Service | None = None
        self.sent: list[Made] = []
        self.answers: dict[int, str] = {}
        self.files: list[str] = []
        self.reconnects = 0
        self._desk = desk
        self._numbers = itertools.count()
        self._stop = threading.Event()
        tasks = [self._drop, *[self._send] * SENDERS]
        self._threads = [threading.Thread(target=task) for task in tasks]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Every client finishes the report that it is on."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client never got its 250"

    def _next(self) -> Made:
        report = made(next(self._numbers), size=random.Random().choice([0, 0, 0, 200_000]))
        self.sent.append(report)
        return report

    def _send(self) -> None:
        client: smtplib.SMTP | None = None
        while not self._stop.wait(PAUSE_SECONDS):
            report = self._next()
            while report.number not in self.answers:
                try:
                    client = client or self._connect()
                    self.answers[report.number] = deliver(client, report.raw, report.sender)
                except (OSError, smtplib.SMTPException):
                    client = None
                    self.reconnects += 1
                    time.sleep(0.05)
        if client is not None:
            client.close()

    def _connect(self) -> smtplib.SMTP:
        port = self.service.port if self.service is not None else None
        if port is None:
            raise ConnectionRefusedError
        return smtplib.SMTP("127.0.0.1", port, timeout=30, local_hostname="client.example")

    def _drop(self) -> None:
        while not self._stop.wait(4 * PAUSE_SECONDS):
            report = self._next()
            self.files.append(f"report-{report.number}.eml")
            self._desk.drop(self.files[-1], report.raw)
