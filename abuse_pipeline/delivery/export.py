"""Write outgoing messages as files, one ``ID.eml`` each, for staff to send."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from abuse_pipeline.errors import AbuseError
from abuse_pipeline.store.records import OutgoingRecord


class Outbox(Protocol):
    """Where the finished bytes come from, and who is told that they left."""

    def outgoing_message(self, id: str) -> bytes: ...

    def mark_sent(self, id: str, message: bytes) -> bool: ...


def export_messages(outbox: Outbox, records: Iterable[OutgoingRecord], folder: Path, mark_sent: bool = False) -> int:
    """Write each of *records* to *folder*, durable and whole; gives how many.

    A reply names its reporter in To:, so the files are readable by their owner only. Exporting twice writes files of
    the same names; what is not due yet may say something else by then. mark_sent: record each as sent once its file is
    safe; one that took up a later report in between is written again first. Raises AbuseError when the folder cannot
    be written.
    """
    number = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, record in enumerate(records, 1):  # noqa: B007  the last number is the count
            message = _write_durably(outbox, record.id, folder)
            while mark_sent and not outbox.mark_sent(record.id, message):
                message = _write_durably(outbox, record.id, folder)
    except OSError as error:
        raise AbuseError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    return number


def _write_durably(outbox: Outbox, id: str, folder: Path) -> bytes:
    message = outbox.outgoing_message(id)
    _write(folder / f"{id}.eml", message)
    _sync_folder(folder)
    return message


def _write(file: Path, message: bytes) -> None:
    """Through a temporary name: a half-written notice must never be picked up and sent."""
    draft = file.with_name(f".{file.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(message)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
