"""The watched folder: a file that stands still is taken in and moved to done/ or failed/ beside the folder.

The periodic rescan is the truth; file system events only make it come sooner (inotify drops events under load).
Nothing is lost by a crash between taking and moving: the file is taken again and the store recognises it.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from abuse_pipeline.clock import Clock
from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.intake.archives import (
    DEEPEST_FOLDER,
    MAX_MESSAGE_BYTES,
    Found,
    SourceMessage,
    printable_path,
    read_sources,
)
from abuse_pipeline.intake.spool import Spool
from abuse_pipeline.model import Channel, Envelope
from abuse_pipeline.settings import ArchiveLimits, FolderIntake
from abuse_pipeline.store.records import Arrival

log = logging.getLogger("abuse.intake")

UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", ".swx", "~", "#")
UNFINISHED_PREFIXES = (".", "~$", "#")
_FILES_AT_ONCE = 32
_MESSAGES_AT_ONCE = 50
_BYTES_AT_ONCE = 16 * 1024 * 1024
_PATIENCE_WITH_EMPTY = 10
_POLL_SECONDS = 0.05

Signature = tuple[tuple[str, int, int, int], ...]
"""(relative name, mode, size, mtime in ns) of the entry and of everything below it."""


@dataclass(slots=True)
class _Seen:
    signature: Signature
    since: float


class FolderWatcher:
    """Takes what is dropped into one folder. An entry is a file, or a folder that is taken as a whole.

    limits: caps on archives. max_message_bytes: a larger message goes to failed/.
    """

    def __init__(
        self,
        settings: FolderIntake,
        spool: Spool,
        clock: Clock,
        limits: ArchiveLimits | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self.path = settings.path
        self.done = settings.path.parent / "done"
        self.failed = settings.path.parent / "failed"
        self._rescan = settings.rescan.total_seconds()
        self._settle = settings.settle.total_seconds()
        self._spool = spool
        self._clock = clock
        self._limits = limits or ArchiveLimits()
        self._max_message_bytes = max_message_bytes
        self._seen: dict[str, _Seen] = {}
        self._stored: dict[str, tuple[Signature, tuple[str, ...]]] = {}
        self._moving = asyncio.Lock()  # one at a time finds a free name
        self._stirred = asyncio.Event()
        self._trouble = ""

    async def run(self, stop_event: asyncio.Event) -> None:
        """Watch until *stop_event* is set; what is being taken then is finished first.

        A folder that is missing is made; one that cannot be used costs one line in the log and is tried again.
        """
        events: asyncio.Task[None] | None = None
        while not stop_event.is_set():
            usable = await self._scan()
            if usable and (events is None or events.done()):
                events = asyncio.create_task(self._listen(stop_event), name="folder events")
            await self._sleep(stop_event)
        if events is not None:
            events.cancel()
            await asyncio.wait({events})

    async def _sleep(self, stop_event: asyncio.Event) -> None:
        """Until something stirs, the next entry may have settled, the rescan is due or the service stops."""
        wait = min(self._rescan, max(self._settle, _POLL_SECONDS)) if self._seen else self._rescan
        waits = [asyncio.create_task(event.wait()) for event in (self._stirred, stop_event)]
        await asyncio.wait(waits, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        if self._stirred.is_set():
            self._stirred.clear()
            await asyncio.sleep(_POLL_SECONDS)  # a burst of events is one scan

    async def _listen(self, stop_event: asyncio.Event) -> None:
        from watchfiles import awatch

        try:
            async for _changes in awatch(self.path, stop_event=stop_event, watch_filter=None):
                self._stirred.set()
        except (OSError, RuntimeError) as error:
            self._report(f"changes are not announced ({type(error).__name__}), looking every {self._rescan:g} s")

    async def _scan(self) -> bool:
        """Take all entries that stand still. False when the folder cannot be used now."""
        try:
            found = await asyncio.to_thread(self._look)
        except OSError as error:
            self._report(f"{error.strerror or type(error).__name__}; trying again every {self._rescan:g} s")
            return False
        if self._trouble:
            log.info("intake.folder.path: the folder is usable again")
            self._trouble = ""
        ready = list(self._settled(found))
        room = asyncio.Semaphore(_FILES_AT_ONCE)
        taken = await asyncio.gather(*(self._take(name, signature, room) for name, signature in ready))
        waiting = taken.count(False)
        if waiting:
            log.warning("%d entries stay in the folder: the store or the disk does not take them now", waiting)
        return True

    def _report(self, problem: str) -> None:
        if problem != self._trouble:
            log.error("intake.folder.path: %s", problem)
            self._trouble = problem

    # What is complete

    def _look(self) -> dict[str, Signature]:
        for folder in (self.path, self.done, self.failed):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, f"the folder {folder.name}/ is not writable")
        found = {}
        for entry in os.scandir(self.path):
            if not is_unfinished(entry.name):
                with suppress(FileNotFoundError):  # moved away or renamed since scandir: not ours any more
                    found[entry.name] = _signature(Path(entry.path))
        return found

    def _settled(self, found: dict[str, Signature]) -> Iterator[tuple[str, Signature]]:
        now, wall = asyncio.get_running_loop().time(), _wall()
        self._stored = {name: stored for name, stored in self._stored.items() if name in found}
        self._seen = {name: seen for name, seen in self._seen.items() if name in found}
        for name, signature in found.items():
            seen = self._seen.get(name)
            if seen is None or seen.signature != signature:
                seen = self._seen[name] = _Seen(signature, now)
            quiet = self._settle * (_PATIENCE_WITH_EMPTY if not any(size for _, _, size, _ in signature) else 1)
            newest = max(changed for _, _, _, changed in signature) / 1e9
            moved_in = 0 <= newest <= wall - quiet
            if moved_in or now - seen.since >= quiet:
                yield name, signature

    # Taking

    async def _take(self, name: str, signature: Signature, room: asyncio.Semaphore) -> bool:
        """Store one entry and move it away. False when it has to stay for now."""
        path = self.path / name
        async with room:
            try:
                stored = self._stored.get(name)
                problems = stored[1] if stored and stored[0] == signature else await self._store(path)
                if await asyncio.to_thread(_signature, path) != signature:
                    return True  # it has grown while we read: it is new again, and read again when it stands still
                self._stored[name] = signature, problems
                async with self._moving:
                    await asyncio.to_thread(self._put_away, path, problems)
            except FileNotFoundError:
                return True  # taken away under our hands: whoever did it has it
            except (StoreUnavailable, OSError):
                return False
        self._seen.pop(name, None)
        self._stored.pop(name, None)
        if problems:
            log.warning("an entry of the folder went to failed/: %s", "; ".join(problems[:3]))
        return True

    async def _store(self, path: Path) -> tuple[str, ...]:
        """Store every message in *path*; the reasons for what could not be. Raises StoreUnavailable."""
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return ("is not a regular file (links are not followed)",)
        problems: list[str] = []
        sources = read_sources(path, self._limits, self._max_message_bytes)
        empty = True
        while batch := await asyncio.to_thread(_next_batch, sources):
            empty = False
            answers = await asyncio.gather(*(self._store_one(found) for found in batch), return_exceptions=True)
            for answer in answers:
                if isinstance(answer, BaseException):
                    raise answer
                problems.extend(answer)
        return ("holds no message",) if empty else tuple(problems)

    async def _store_one(self, found: Found) -> tuple[str, ...]:
        number = found.source.rpartition("#")[2] if "#" in found.source else ""
        label = f"message {number} " if number.isdigit() else ""
        if not isinstance(found, SourceMessage):
            return (label + found.reason,)
        inside = os.path.relpath(found.source, printable_path(self.path))
        arrival = Arrival(Channel.FOLDER, Envelope(), found.raw, self._clock(), inside)
        try:
            await self._spool.accept(arrival)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  isolation: what the store chokes on goes to staff, bytes and all
            return (f"{label}was refused by the store ({type(error).__name__})",)
        return ()

    def _put_away(self, path: Path, problems: tuple[str, ...]) -> None:
        target = _free_name((self.failed if problems else self.done) / path.name)
        if problems:
            reason = target.with_name(f"{target.name}.reason.txt")
            reason.write_text("\n".join(problems) + "\n", encoding="utf-8")
        _move(path, target)


def is_unfinished(name: str) -> bool:
    """Whether a name says that its file is not meant to be taken: hidden, temporary, an editor's."""
    return name.startswith(UNFINISHED_PREFIXES) or name.lower().endswith(UNFINISHED_SUFFIXES)


def _wall() -> float:
    """The file system's idea of now: files are dated by it, whatever ABUSE_NOW says."""
    import time

    return time.time()


def _signature(path: Path) -> Signature:
    return tuple(sorted(_stats(path, "")))


def _stats(path: Path, name: str, depth: int = 0) -> Iterator[tuple[str, int, int, int]]:
    found = path.lstat()
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    yield name, found.st_mode, size, found.st_mtime_ns
    if stat.S_ISDIR(found.st_mode) and depth <= DEEPEST_FOLDER:
        for inner in os.scandir(path):
            yield from _stats(Path(inner.path), f"{name}/{inner.name}", depth + 1)


def _next_batch(sources: Iterator[Found]) -> list[Found]:
    batch: list[Found] = []
    size = 0
    for found in itertools.islice(sources, _MESSAGES_AT_ONCE):
        batch.append(found)
        size += len(found.raw) if isinstance(found, SourceMessage) else 0
        if size > _BYTES_AT_ONCE:
            break
    return batch


def _free_name(wanted: Path) -> Path:
    """*wanted*, or the same with a number before its suffix when something of that name was put away before."""
    numbered = (wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}") for number in itertools.count(1))
    return next(path for path in itertools.chain([wanted], numbered) if not os.path.lexists(path))


def _move(path: Path, target: Path) -> None:
    """Rename; over a file system boundary copy, make durable, rename, and only then remove."""
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy = target.with_name(f".{target.name}.tmp")
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, copy, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(path, copy, follow_symlinks=False)
        os.sync()
        copy.rename(target)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
