"""The key ring of the vault: today one key, the secret behind the pseudonyms.

It is made once, with the store. A store without its key is an error, never a new key: every known reporter would turn
into a stranger, and nobody would notice.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from abuse_pipeline.errors import ConfigurationError

_NAME = "pseudonym.key"
_BYTES = 32


def read_key(folder: Path, fingerprint: str) -> bytes:
    """The pseudonym key of the store with *fingerprint*. Raises ConfigurationError when it is gone or another one."""
    key = _read(folder / _NAME)
    if key is None:
        raise ConfigurationError(
            "the key of this store is gone",
            where=str(folder / _NAME),
            todo="restore it from your backup; a store never gets a second key",
        )
    if not secrets.compare_digest(fingerprint_of(key), fingerprint):
        raise ConfigurationError(
            "this key belongs to another store",
            where=str(folder / _NAME),
            todo="restore the key that was made with this database",
        )
    return key


def make_key(folder: Path) -> bytes:
    """The key for a new store: written, with mode 0600 in a folder of mode 0700, and durable.

    A key that stands there already is taken: its database was never finished, or was made anew.
    """
    found = _read(folder / _NAME)
    if found is not None:
        return found
    key = secrets.token_bytes(_BYTES)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(folder / _NAME, key.hex() + "\n")
    except OSError as error:
        raise ConfigurationError(f"the key cannot be written: {error.strerror}", where=str(folder)) from None
    return key


def fingerprint_of(key: bytes) -> str:
    """What the database remembers of the key: enough to know it again, useless to compute with."""
    return hashlib.sha256(b"abuse-pipeline pseudonym key\0" + key).hexdigest()


def _read(file: Path) -> bytes | None:
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"the key cannot be read: {error.strerror}", where=str(file)) from None
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise ConfigurationError("is not a key (64 hexadecimal digits)", where=str(file), todo="restore your backup")
    return key


def _write(file: Path, text: str) -> None:
    """Whole or not at all: to a file beside it, synced, renamed, and the folder synced."""
    beside = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.rename(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
