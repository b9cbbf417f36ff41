"""Write outgoing messages as files, one ``ID.eml`` each, for staff to send."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from abuse_pipeline.errors import AbuseError
from abuse_pipeline.store.records import OutgoingRecord


class MessageSource(Protocol):
    """Where the finished bytes come from."""

    def outgoing_message(self, id: str) -> bytes: ...


def export_messages(source: MessageSource, records: Iterable[OutgoingRecord], folder: Path) -> list[Path]:
    """Write each of *records* to *folder*; returns the files, each durable and whole.

    A reply names its reporter in To:, so the files are readable by their owner only. Exporting twice writes the same
    files again. Raises AbuseError when the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = [_write(folder / f"{record.id}.eml", source.outgoing_message(record.id)) for record in records]
        _sync_folder(folder)
    except OSError as error:
        raise AbuseError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    return files


def _write(file: Path, message: bytes) -> Path:
    """Through a temporary name: a half-written notice must never be picked up and sent."""
    draft = file.with_name(f".{file.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(message)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
    return file


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
