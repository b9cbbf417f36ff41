"""The watched folder with real files: taken whole, once, and put away."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from intake_desk import NOW, MemoryStore

from abuse_pipeline.errors import StoreUnavailable
from abuse_pipeline.intake import folder
from abuse_pipeline.intake.folder import FolderWatcher, is_unfinished
from abuse_pipeline.intake.spool import Spool
from abuse_pipeline.model import Channel, Envelope
from abuse_pipeline.settings import FolderIntake


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def watcher(inbox: Path, spool: Spool, settle: float = 0.2, rescan: float = 0.3, **more: int) -> FolderWatcher:
    settings = FolderIntake(path=inbox, rescan=timedelta(seconds=rescan), settle=timedelta(seconds=settle))
    return FolderWatcher(settings, spool, lambda: NOW, **more)


@asynccontextmanager
async def watching(inbox: Path, store: MemoryStore, **settings: float) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with Spool(store) as spool:
        task = asyncio.create_task(watcher(inbox, spool, **settings).run(stop))  # type: ignore[arg-type]
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(task, 10)


async def until(true: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


async def test_a_dropped_file_is_taken_and_moved_to_done(inbox: Path, store: MemoryStore) -> None:
    async with watching(inbox, store):
        (inbox / "a.eml").write_bytes(b"a: 1\n")
        await until((inbox.parent / "done" / "a.eml").exists)
    (arrival,) = store.taken
    assert (arrival.raw, arrival.channel, arrival.envelope) == (b"a: 1\n", Channel.FOLDER, Envelope())
    assert (arrival.received_at, arrival.source) == (NOW, "a.eml")
    assert list(inbox.iterdir()) == []


async def test_a_slowly_written_file_is_taken_once_and_whole(inbox: Path, store: MemoryStore) -> None:
    async with watching(inbox, store, settle=0.5, rescan=0.1):
        with (inbox / "slow.eml").open("wb") as file:
            for _ in range(10):
                file.write(b"part\n")
                file.flush()
                await asyncio.sleep(0.12)
        await until((inbox.parent / "done" / "slow.eml").exists)
    assert [arrival.raw for arrival in store.taken] == [b"part\n" * 10]


async def test_a_file_moved_in_is_taken_at_once(inbox: Path, store: MemoryStore) -> None:
    ready = inbox.parent / "ready.eml"
    ready.write_bytes(b"a: 1\n")
    os.utime(ready, (0, 0))
    async with watching(inbox, store, settle=3600, rescan=0.1):
        ready.rename(inbox / "ready.eml")
        await until((inbox.parent / "done" / "ready.eml").exists)


async def test_the_rescan_finds_what_no_event_announced(
    inbox: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def deaf(self: FolderWatcher, stop_event: asyncio.Event) -> None:
        await stop_event.wait()

    monkeypatch.setattr(FolderWatcher, "_listen", deaf)
    async with watching(inbox, store):
        await asyncio.sleep(0.1)
        (inbox / "a.eml").write_bytes(b"a: 1\n")
        await until((inbox.parent / "done" / "a.eml").exists)


async def test_events_come_before_the_rescan(inbox: Path, store: MemoryStore) -> None:
    async with watching(inbox, store, rescan=3600):
        await asyncio.sleep(0.5)
        (inbox / "a.eml").write_bytes(b"a: 1\n")
        await until((inbox.parent / "done" / "a.eml").exists)


async def test_unfinished_names_are_left_alone(inbox: Path, store: MemoryStore) -> None:
    names = [".hidden", "a.tmp", "a.PART", "a.eml~", ".a.eml.swp", "~$a.msg", "#a.eml#"]
    assert all(is_unfinished(name) for name in names)
    assert not is_unfinished("a.eml")
    for name in [*names, "a.eml"]:
        (inbox / name).write_bytes(name.encode())
    async with watching(inbox, store):
        await until((inbox.parent / "done" / "a.eml").exists)
        (inbox / "a.tmp").rename(inbox / "b.eml")
        await until((inbox.parent / "done" / "b.eml").exists)
    assert [arrival.raw for arrival in store.taken] == [b"a.eml", b"a.tmp"]
    assert len(list(inbox.iterdir())) == len(names) - 1


async def test_after_a_crash_between_taking_and_moving_nothing_is_doubled(inbox: Path, store: MemoryStore) -> None:
    (inbox / "a.eml").write_bytes(b"a: 1\n")
    async with Spool(store) as spool:
        assert await watcher(inbox, spool)._store(inbox / "a.eml") == ()  # and here the power goes
    assert (inbox / "a.eml").exists()
    async with watching(inbox, store):
        await until((inbox.parent / "done" / "a.eml").exists)
    first, second = store.taken
    assert (first.raw, first.envelope) == (second.raw, second.envelope)
    assert store.answers[1].duplicate_of == store.answers[0].submission


async def test_what_cannot_be_taken_goes_to_failed_with_its_reason(
    inbox: Path, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    (inbox / "link.eml").symlink_to("/etc/hostname")
    (inbox / "reporter@example.com.eml").write_bytes(b"x" * 2000)
    with zipfile.ZipFile(inbox / "half.zip", "w") as archive:
        archive.writestr("1", b"good\n")
        archive.writestr("2", b"y" * 2000)
    stop = asyncio.Event()
    failed = inbox.parent / "failed"
    async with Spool(store) as spool:
        task = asyncio.create_task(watcher(inbox, spool, max_message_bytes=1000).run(stop))
        await until(lambda: not list(inbox.iterdir()))
        stop.set()
        await task
    reasons = {path.name: path.read_text() for path in failed.glob("*.reason.txt")}
    assert reasons == {
        "link.eml.reason.txt": "is not a regular file (links are not followed)\n",
        "reporter@example.com.eml.reason.txt": "is larger than 1000 bytes\n",
        "half.zip.reason.txt": "message 2 is larger than 1000 bytes\n",
    }
    assert (failed / "link.eml").is_symlink()
    assert [arrival.raw for arrival in store.taken] == [b"good\n"]
    assert "failed/" in caplog.text
    assert "reporter" not in caplog.text


async def test_the_store_is_away_and_the_file_waits(inbox: Path, store: MemoryStore) -> None:
    store.failures = [StoreUnavailable("the disk is full")] * 2
    (inbox / "a.eml").write_bytes(b"a: 1\n")
    async with watching(inbox, store, rescan=0.1):
        await until((inbox.parent / "done" / "a.eml").exists)
    assert store.calls == 3
    assert len(store.taken) == 1


async def test_what_the_store_chokes_on_goes_to_staff(inbox: Path, store: MemoryStore) -> None:
    store.choke = lambda arrival: ValueError("reporter@example.com") if arrival.raw == b"bad" else None
    (inbox / "bad.eml").write_bytes(b"bad")
    (inbox / "good.eml").write_bytes(b"good")
    async with watching(inbox, store):
        await until(lambda: not list(inbox.iterdir()))
    reason = (inbox.parent / "failed" / "bad.eml.reason.txt").read_text()
    assert reason == "was refused by the store (ValueError)\n"
    assert [arrival.raw for arrival in store.taken] == [b"good"]


async def test_names_taken_before_get_a_number(inbox: Path, store: MemoryStore) -> None:
    done = inbox.parent / "done"
    async with watching(inbox, store):
        for number, expected in enumerate(("a.eml", "a-1.eml", "a-2.eml")):
            (inbox / "a.eml").write_bytes(b"%d" % number)
            await until((done / expected).exists)
    assert (done / "a.eml").read_bytes() == b"0"
    assert (done / "a-2.eml").read_bytes() == b"2"


@pytest.mark.parametrize(
    "name",
    ["L" * 245 + ".zip", "報" * 83 + ".eml", "報" * 85, "x." + "y" * 250],
    ids=["zip", "japanese", "no suffix", "long suffix"],
)
async def test_a_bad_file_with_a_long_name_is_put_away_with_its_reason(
    inbox: Path, store: MemoryStore, name: str
) -> None:
    failed = inbox.parent / "failed"
    async with watching(inbox, store):
        for _ in range(2):
            (inbox / name).write_bytes(b"PK\x03\x04broken")
            await until(lambda: not list(inbox.iterdir()))
    bad = sorted(path.name for path in failed.iterdir() if not path.name.endswith(".reason.txt"))
    assert len(bad) == 2
    assert all(len(os.fsencode(found)) <= 244 and found[:1] == name[:1] for found in bad)
    assert sorted(path.name for path in failed.glob("*.reason.txt")) == sorted(f"{found}.reason.txt" for found in bad)


async def test_a_good_file_keeps_a_long_name_apart_from_another(inbox: Path, store: MemoryStore) -> None:
    name = "報" * 80 + ".eml"
    async with watching(inbox, store):
        for raw in (b"a: 1\n", b"a: 2\n"):
            (inbox / name).write_bytes(raw)
            await until(lambda: not list(inbox.iterdir()))
    done = {path.name: path.read_bytes() for path in (inbox.parent / "done").iterdir()}
    assert done == {name: b"a: 1\n", "報" * 79 + "-1.eml": b"a: 2\n"}


async def test_what_cannot_be_moved_is_said_once_by_its_inode(
    inbox: Path, store: MemoryStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, _target: Path) -> Path:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    (inbox / "reporter@example.com.eml").write_bytes(b"a: 1\n")
    inode = (inbox / "reporter@example.com.eml").stat().st_ino
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        async with watching(inbox, store, rescan=0.1):
            await until(lambda: "stay in the folder" in caplog.text)
            await asyncio.sleep(0.5)
    why = "was read, but cannot be moved to done/: Permission denied"
    (said,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == f"1 entries stay in the folder for now (inode {inode}): {why}"
    assert len(store.taken) == 1, "what was stored is not read again"


async def test_a_folder_that_cannot_be_looked_into_keeps_nothing_else_waiting(
    inbox: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def locked(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    (inbox / "locked").mkdir()
    (inbox / "a.eml").write_bytes(b"a: 1\n")
    monkeypatch.setattr(os, "scandir", locked)
    async with watching(inbox, store, settle=0.05):
        await until(lambda: not list(inbox.iterdir()))
    assert (inbox.parent / "done" / "a.eml").exists()
    assert (inbox.parent / "failed" / "locked.reason.txt").read_text() == "cannot be read: Permission denied\n"


async def test_what_was_put_away_is_for_its_owner_only(inbox: Path, store: MemoryStore) -> None:
    async with watching(inbox, store):
        await until((inbox.parent / "failed").exists)
    assert {(inbox.parent / name).stat().st_mode & 0o777 for name in ("done", "failed")} == {0o700}


async def test_an_accepted_file_is_logged_without_its_name(
    inbox: Path, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "abuse.intake")
    (inbox / "reporter@example.com.eml").write_bytes(b"a: 1\n")
    async with watching(inbox, store):
        await until(lambda: not list(inbox.iterdir()))
    assert "accepted s0, 5 bytes, from the folder" in caplog.text
    assert "reporter" not in caplog.text


async def test_a_dropped_folder_is_taken_as_a_whole(inbox: Path, store: MemoryStore) -> None:
    outside = inbox.parent / "box"
    for name in ("cur/1", "new/2", "tmp/3"):
        (outside / name).parent.mkdir(parents=True, exist_ok=True)
        (outside / name).write_bytes(name.encode())
    async with watching(inbox, store):
        outside.rename(inbox / "box")
        await until((inbox.parent / "done" / "box").exists)
    assert [(arrival.raw, arrival.source) for arrival in store.taken] == [
        (b"cur/1", "box/cur/1"),
        (b"new/2", "box/new/2"),
    ]


async def test_a_missing_folder_is_made_and_an_unusable_one_costs_one_line(
    tmp_path: Path, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "abuse.intake")
    (tmp_path / "x").write_bytes(b"in the way")
    inbox = tmp_path / "x" / "inbox"
    async with watching(inbox, store, rescan=0.1):
        await asyncio.sleep(0.5)
        assert caplog.text.count("intake.folder.path") == 1
        assert f"intake.folder.path: {tmp_path / 'x'} is a file, not a folder; trying again every 0.1 s" in caplog.text
        (tmp_path / "x").unlink()
        await until(inbox.is_dir)
        (inbox / "a.eml").write_bytes(b"a: 1\n")
        await until((tmp_path / "x" / "done" / "a.eml").exists)


async def test_another_file_system_is_copied_to_and_then_cleared(
    inbox: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.parent != target.parent:
            raise OSError(folder.errno.EXDEV, "Invalid cross-device link")
        return real(self, target)

    (inbox / "a.eml").write_bytes(b"a: 1\n")
    (inbox / "box").mkdir()
    (inbox / "box" / "b.eml").write_bytes(b"b: 1\n")
    monkeypatch.setattr(Path, "rename", rename)
    async with watching(inbox, store):
        await until(lambda: not list(inbox.iterdir()))
    done = inbox.parent / "done"
    assert sorted(path.name for path in done.rglob("*")) == ["a.eml", "b.eml", "box"]


async def test_folders_nested_without_end_go_to_failed(inbox: Path, store: MemoryStore) -> None:
    outside = inbox.parent / "outside"
    (outside / Path(*["d"] * 600)).mkdir(parents=True)
    async with watching(inbox, store):
        outside.rename(inbox / "outside")
        await until((inbox.parent / "failed" / "outside").exists)
    assert "nested too deeply" in (inbox.parent / "failed" / "outside.reason.txt").read_text()
