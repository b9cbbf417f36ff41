"""Messages out of files, folders, mbox, Maildir, zip, gzip and standard input, one in memory at a time.

Formats: RFC 4155 and the mboxo/mboxrd quoting of ``From `` lines; Maildir (new/ and cur/); PKZIP through `zipfile`;
RFC 1952. Members are never extracted under their names, so a name inside an archive cannot point anywhere.
What cannot be read is a `SourceProblem` in its place in the stream: never an exception, never silence.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import stat
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, cast

from abuse_pipeline.errors import LimitExceeded
from abuse_pipeline.settings import ArchiveLimits

MAX_MESSAGE_BYTES = 31_457_280
STDIN = "-"
DEEPEST_FOLDER = 100

_BLOCK = 65_536
_SPOOL_IN_MEMORY = 8 * 1024 * 1024
_RATIO_MATTERS_FROM = 1024 * 1024
_NESTING = 2
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP_MAGIC = b"\x1f\x8b"
# asctime or an RFC 5322 date; what stands before it is the envelope sender.
_FROM_LINE = re.compile(
    rb"From [^\n]{0,1000}?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:[A-Z][a-z]{2} +\d{1,2}|\d{1,2} +[A-Z][a-z]{2}) "
    rb"[^\n]{0,60}?\d\d:\d\d[^\n]{0,60}\n"
)
_QUOTED_FROM = re.compile(rb">+From ")


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """raw: the message as it stands in the source. source: the path as given, ``#n`` (from 1) inside an archive."""

    source: str
    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """What could not be taken in, and why, in one sentence. The reason holds no names and nothing of the content."""

    source: str
    reason: str


Found = SourceMessage | SourceProblem


def read_sources(
    path: Path | str, limits: ArchiveLimits, max_message_bytes: int = MAX_MESSAGE_BYTES
) -> Iterator[Found]:
    """Every message in *path*: a file, a folder (recursively, sorted, hidden entries passed over), or ``"-"``.

    A file is an mbox, zip or gzip by its first bytes; anything else is one message, whatever its name. The members of
    an archive are numbered in the order in which they stand there; archives may be nested once. The only message of an
    mbox has no number. limits: caps on the compressed archives. Never raises for what it reads.
    """
    if path == STDIN:
        yield from _isolated(STDIN, partial(_read_stdin, limits, max_message_bytes))
        return
    for file, problem in _files(Path(path)):
        shown = printable_path(file)
        if problem is not None:
            yield SourceProblem(shown, problem)
        else:
            yield from _isolated(shown, partial(_read_file, file, shown, limits, max_message_bytes))


def printable_path(path: Path) -> str:
    """The path as text that JSON and a database can hold: a name that is not UTF-8 is shown with escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _isolated(shown: str, read: Callable[[], Iterator[Found]]) -> Iterator[Found]:
    try:
        yield from read()
    except LimitExceeded as error:
        yield SourceProblem(shown, error.what)
    except OSError as error:
        yield SourceProblem(shown, f"cannot be read: {error.strerror or type(error).__name__}")
    except Exception as error:  # noqa: BLE001  isolation: hostile archives break zipfile and zlib in many ways
        yield SourceProblem(shown, f"is damaged ({type(error).__name__})")


# Folders and files


def _files(path: Path, depth: int = 0) -> Iterator[tuple[Path, str | None]]:
    """(file, None), or (path, reason) for what is not a file; depth first, sorted. Only *path* itself may be a link."""
    if depth > DEEPEST_FOLDER:
        yield path, "folders are nested too deeply"
        return
    try:
        mode = path.stat().st_mode
        names = sorted(entry.name for entry in os.scandir(path)) if stat.S_ISDIR(mode) else []
    except OSError as error:
        yield path, f"cannot be read: {error.strerror or type(error).__name__}"
        return
    if stat.S_ISREG(mode):
        yield path, None
    elif not stat.S_ISDIR(mode):
        yield path, "is not a regular file"
    maildir = {"cur", "new"} <= set(names)
    for name in names:
        inner = path / name
        unfinished = maildir and name == "tmp"
        if inner.is_symlink():
            yield inner, "is a link, which is not followed"
        elif not (name.startswith(".") or unfinished):
            yield from _files(inner, depth + 1)


def _read_file(path: Path, shown: str, limits: ArchiveLimits, max_message_bytes: int) -> Iterator[Found]:
    with path.open("rb") as file:
        reading = _Reading(shown, limits, max_message_bytes, packed=os.fstat(file.fileno()).st_size)
        yield from _read_stream(file, reading)


def _read_stdin(limits: ArchiveLimits, max_message_bytes: int) -> Iterator[Found]:
    reading = _Reading(STDIN, limits, max_message_bytes, packed=0)
    yield from _read_stream(_buffered(sys.stdin.buffer), reading)


# Formats


@dataclass(slots=True)
class _Reading:
    """How far the reading of one file has come. packed: its size; unpacked: bytes that came out of compression."""

    shown: str
    limits: ArchiveLimits
    max_message_bytes: int
    packed: int
    unpacked: int = 0
    number: int = 0
    in_archive: bool = False

    def next_source(self) -> str:
        self.number += 1
        return f"{self.shown}#{self.number}"

    def meter(self, size: int) -> None:
        self.unpacked += size
        if self.unpacked > self.limits.max_bytes:
            raise LimitExceeded(f"unpacks to more than {self.limits.max_bytes} bytes (archives.max_bytes)")
        if self.unpacked > max(_RATIO_MATTERS_FROM, self.limits.max_ratio * self.packed):
            raise LimitExceeded(f"unpacks to more than {self.limits.max_ratio} times its size (archives.max_ratio)")


def _read_stream(stream: io.BufferedReader, reading: _Reading, depth: int = 0) -> Iterator[Found]:
    head = stream.peek(_BLOCK)
    packed = head[:4] in _ZIP_MAGIC or head[:2] == _GZIP_MAGIC
    if packed and depth == _NESTING:
        yield SourceProblem(reading.next_source(), "archives are nested too deeply")
    elif head[:2] == _GZIP_MAGIC:
        yield from _read_gzip(stream, reading, depth)
    elif packed and depth == 0 and stream.seekable():
        yield from _read_zip(stream, reading, depth)
    elif packed:
        yield from _read_spooled_zip(stream, reading, depth)
    elif _FROM_LINE.match(head):
        yield from _read_mbox(stream, reading)
    else:
        raw = stream.read(reading.max_message_bytes + 1)
        source = reading.next_source() if reading.in_archive else reading.shown
        yield _message(source, raw, reading.max_message_bytes)


def _message(source: str, raw: bytes, max_message_bytes: int) -> Found:
    if len(raw) > max_message_bytes:
        return SourceProblem(source, f"is larger than {max_message_bytes} bytes")
    return SourceMessage(source, raw) if raw else SourceProblem(source, "is empty")


def _read_gzip(stream: io.BufferedReader, reading: _Reading, depth: int) -> Iterator[Found]:
    with gzip.GzipFile(fileobj=_GrowingInput(stream, reading), mode="rb") as unpacked:
        yield from _read_stream(_buffered(cast(IO[bytes], unpacked), reading.meter), reading, depth + 1)


def _read_spooled_zip(stream: io.BufferedReader, reading: _Reading, depth: int) -> Iterator[Found]:
    """The directory of a zip stands at its end: one that cannot be sought in goes to a nameless file first."""
    with tempfile.SpooledTemporaryFile(_SPOOL_IN_MEMORY) as whole:
        size = 0
        while block := stream.read(_BLOCK):
            size += len(block)
            if size > reading.limits.max_bytes:
                raise LimitExceeded(f"is larger than {reading.limits.max_bytes} bytes (archives.max_bytes)")
            whole.write(block)
        reading.packed = reading.packed or size
        yield from _read_zip(cast(IO[bytes], whole), reading, depth)


def _read_zip(file: IO[bytes], reading: _Reading, depth: int) -> Iterator[Found]:
    reading.in_archive = True
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not _is_clutter(member)]
        for member in members[: reading.limits.max_entries]:
            try:
                yield from _read_member(archive, member, reading, depth)
            except LimitExceeded:
                raise  # what it says holds for the archive as a whole
            except Exception as error:  # noqa: BLE001  isolation: one damaged member must not hide the others
                yield SourceProblem(reading.next_source(), f"this member is damaged ({type(error).__name__})")
    if len(members) > reading.limits.max_entries:
        raise LimitExceeded(f"holds more than {reading.limits.max_entries} entries (archives.max_entries)")


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, reading: _Reading, depth: int) -> Iterator[Found]:
    if member.flag_bits & 0x1:
        yield SourceProblem(reading.next_source(), "this member is encrypted")
        return
    with archive.open(member) as unpacked:
        yield from _read_stream(_buffered(unpacked, reading.meter), reading, depth + 1)


def _is_clutter(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.split("/")
    return member.is_dir() or parts[0] == "__MACOSX" or any(part.startswith(".") and part != ".." for part in parts)


def _read_mbox(stream: io.BufferedReader, reading: _Reading) -> Iterator[Found]:
    for raw, last in _split_mbox(stream, reading.max_message_bytes):
        alone = last and reading.number == 0 and not reading.in_archive
        source = reading.shown if alone else reading.next_source()
        yield _message(source, raw, reading.max_message_bytes)


def _split_mbox(stream: io.BufferedReader, cap: int) -> Iterator[tuple[bytes, bool]]:
    """(message, whether it is the last). A message over *cap* is cut just above it, which tells.

    A separator is a ``From `` line with a date after an empty line. The empty line before it is not of the message.
    One ``>`` is taken from lines quoted as ``>From ``, ``>>From ``, ….
    """
    stream.readline()
    lines: list[bytes] = []
    size, line_start, after_empty = 0, True, False
    while line := stream.readline(_BLOCK):
        if line_start and after_empty and line.startswith(b"From ") and _FROM_LINE.fullmatch(line):
            yield _join(lines, cap), False
            lines, size, after_empty = [], 0, False
            continue
        after_empty = line_start and line in (b"\n", b"\r\n")
        if line_start and line.startswith(b">") and _QUOTED_FROM.match(line):
            line = line[1:]
        line_start = line.endswith(b"\n")
        if size <= cap + 2:
            lines.append(line)
            size += len(line)
    yield _join(lines, cap), True


def _join(lines: list[bytes], cap: int) -> bytes:
    if len(lines) > 1 and lines[-1] in (b"\n", b"\r\n"):
        lines.pop()
    return b"".join(lines)[: cap + 1]


# Streams


class _Metered(io.RawIOBase):
    """Fills its reader's buffer wholly, so that `peek` sees the head of a slow pipe too, and counts what passes."""

    def __init__(self, source: IO[bytes], meter: Callable[[int], object]) -> None:
        self._source = source
        self._meter = meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        filled = 0
        while filled < len(buffer):
            block = self._source.read(len(buffer) - filled)
            if not block:
                break
            buffer[filled : filled + len(block)] = block
            filled += len(block)
        self._meter(filled)
        return filled


def _buffered(source: IO[bytes], meter: Callable[[int], object] = int) -> io.BufferedReader:
    return io.BufferedReader(_Metered(source, meter), _BLOCK)


class _GrowingInput(io.RawIOBase):
    """What gzip reads from. On a pipe the packed size is only known as far as it was read."""

    def __init__(self, stream: io.BufferedReader, reading: _Reading) -> None:
        self._stream = stream
        self._reading = reading
        self._size_is_known = reading.packed > 0

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        if not self._size_is_known:
            self._reading.packed += len(block)
        return block
