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
from dataclasses import dataclass, field
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
_REASON_SUFFIX = ".reason.txt"
_LONGEST_NAME_BYTES = 255 - len(_REASON_SUFFIX)
_LONGEST_SUFFIX_BYTES = 16
_SHOWN = 3

Signature = tuple[tuple[str, int, int, int], ...]
"""(relative name, mode, size, mtime in ns) of the entry and of everything below it."""


@dataclass(slots=True)
class _Seen:
    signature: Signature
    since: float


@dataclass(frozen=True, slots=True)
class _Stays:
    """Why an entry has to stay in the folder for now. It is told by its inode: a name can be a reporter's.

    ``find FOLDER -inum INODE`` finds it.
    """

    why: str
    inode: int = field(compare=False)


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
        self._staying: dict[str, _Stays] = {}

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
            self._report(f"{self._place_of(error)}; trying again every {self._rescan:g} s")
            return False
        if self._trouble:
            log.info("intake.folder.path: the folder is usable again")
            self._trouble = ""
        ready = list(self._settled(found))
        room = asyncio.Semaphore(_FILES_AT_ONCE)
        left = await asyncio.gather(*(self._take(name, signature, room) for name, signature in ready))
        self._tell({name: stays for (name, _), stays in zip(ready, left, strict=True) if stays is not None})
        return True

    def _tell(self, staying: dict[str, _Stays]) -> None:
        """One line for each reason, and once for each entry: they are tried again at every rescan."""
        new: dict[str, list[int]] = {}
        for name, stays in staying.items():
            if self._staying.get(name) != stays:
                new.setdefault(stays.why, []).append(stays.inode)
        self._staying = staying
        for why, inodes in new.items():
            shown = ", ".join(map(str, inodes[:_SHOWN])) + (", …" if len(inodes) > _SHOWN else "")
            log.error("%d entries stay in the folder for now (inode %s): %s", len(inodes), shown, why)

    def _report(self, problem: str) -> None:
        if problem != self._trouble:
            log.error("intake.folder.path: %s", problem)
            self._trouble = problem

    def _place_of(self, error: OSError) -> str:
        """Which of our own folders is at fault, and why; the name of anything else is not told."""
        at = Path(os.fsdecode(error.filename or self.path))
        folder = at if at in (self.path, self.done, self.failed) else self.path
        for place in (folder, *folder.parents):
            if place.is_file():
                return f"{place} is a file, not a folder"
        return f"{folder}: {_reason(error)}"

    # What is complete

    def _look(self) -> dict[str, Signature]:
        # Whoever may drop a file need not be able to read what others dropped.
        for folder, mode in ((self.path, 0o777), (self.done, 0o700), (self.failed, 0o700)):
            folder.mkdir(mode=mode, parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, "is not writable", str(folder))
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

    async def _take(self, name: str, signature: Signature, room: asyncio.Semaphore) -> _Stays | None:
        """Store one entry and move it away, or say why it has to stay for now."""
        path = self.path / name
        doing = "cannot be read"
        async with room:
            try:
                stored = self._stored.get(name)
                problems = stored[1] if stored and stored[0] == signature else await self._store(path)
                if await asyncio.to_thread(_signature, path) != signature:
                    return None  # it has grown while we read: it is new again, and read again when it stands still
                self._stored[name] = signature, problems
                doing = f"was read, but cannot be moved to {'failed' if problems else 'done'}/"
                async with self._moving:
                    await asyncio.to_thread(self._put_away, path, problems)
            except FileNotFoundError:
                return None  # taken away under our hands: whoever did it has it
            except StoreUnavailable as error:
                return _Stays(f"the store does not take it now: {error.what}", _inode(path))
            except OSError as error:
                return _Stays(f"{doing}: {_reason(error)}", _inode(path))
        self._seen.pop(name, None)
        self._stored.pop(name, None)
        if problems:
            log.warning("an entry of the folder went to failed/: %s", "; ".join(problems[:3]))
        return None

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
            accepted = await self._spool.accept(arrival)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  isolation: what the store chokes on goes to staff, bytes and all
            return (f"{label}was refused by the store ({type(error).__name__})",)
        log.info("accepted %s, %d bytes, from the folder", accepted.submission, len(found.raw))
        return ()

    def _put_away(self, path: Path, problems: tuple[str, ...]) -> None:
        target = _free_name((self.failed if problems else self.done) / path.name)
        if problems:
            reason = target.with_name(target.name + _REASON_SUFFIX)
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
        for inner in _entries(path):
            yield from _stats(Path(inner.path), f"{name}/{inner.name}", depth + 1)


def _entries(path: Path) -> list[os.DirEntry[str]]:
    """Nothing when it cannot be looked into: reading it will say so, and must not keep the other entries waiting."""
    try:
        return list(os.scandir(path))
    except FileNotFoundError:
        raise
    except OSError:
        return []


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
    """*wanted*, or the same with a number before its suffix when something of that name was put away before.

    A name that leaves no room for its ``.reason.txt`` is shortened.
    """
    endings = itertools.chain([""], (f"-{number}" for number in itertools.count(1)))
    names = (wanted.with_name(_fitting(wanted.name, ending)) for ending in endings)
    return next(path for path in names if not os.path.lexists(path))


def _fitting(name: str, ending: str) -> str:
    """*name* with *ending* before its suffix, the stem cut between characters so that the bytes suffice."""
    stem, suffix = Path(name).stem, Path(name).suffix
    if len(os.fsencode(suffix)) > _LONGEST_SUFFIX_BYTES:
        stem, suffix = name, ""
    while len(os.fsencode(stem + ending + suffix)) > _LONGEST_NAME_BYTES:
        stem = stem[:-1]
    return stem + ending + suffix


def _reason(error: OSError) -> str:
    """Without the file's name, which the error has too."""
    return error.strerror or type(error).__name__


def _inode(path: Path) -> int:
    """0 when even that cannot be told."""
    try:
        return path.lstat().st_ino
    except OSError:
        return 0


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
