"""Every kind of source, sound and hostile."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from abuse_pipeline.intake.archives import Found, SourceMessage, SourceProblem, read_sources
from abuse_pipeline.settings import ArchiveLimits

LIMITS = ArchiveLimits()
FROM = b"From reporter@example.com Fri Nov 20 14:03:12 2026\n"


def read(path: Path, limits: ArchiveLimits = LIMITS, **more: Any) -> list[Found]:
    return list(read_sources(path, limits, **more))


def raws(found: list[Found]) -> list[bytes]:
    return [one.raw for one in found if isinstance(one, SourceMessage)]


def sources(found: list[Found], below: Path) -> list[str]:
    return [os.path.relpath(one.source, below) for one in found]


def reasons(found: list[Found]) -> list[str]:
    return [one.reason for one in found if isinstance(one, SourceProblem)]


def zip_of(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["a.eml", "b.json", "c.msg", "no-suffix"])
def test_any_file_is_one_message_byte_for_byte(tmp_path: Path, name: str) -> None:
    content = b"Subject: x\n\nFrom me\n\nFrom you on Monday\n\r\x00\xff"
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) == [SourceMessage(str(tmp_path / name), content)]


def test_folders_are_walked_sorted_without_hidden_entries(tmp_path: Path) -> None:
    for name in ("b.eml", "a/z.eml", "a/b/c.eml", ".hidden", ".git/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert raws(read(tmp_path)) == [b"a/b/c.eml", b"a/z.eml", b"b.eml"]


def test_maildir_gives_new_and_cur_but_not_tmp(tmp_path: Path) -> None:
    for name in ("cur/1.host:2,S", "new/2.host", "tmp/3.host"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    assert raws(read(tmp_path)) == [b"cur/1.host:2,S", b"new/2.host"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_mbox_is_split_and_unquoted(tmp_path: Path, end: bytes) -> None:
    first = b"Subject: 1\n\n>From here\n>>From there\nFrom now on\n\nFrom nobody at no time\n" + b"pasted:\n" + FROM
    second = b"Subject: 2\n\nbody\n"
    box = tmp_path / "old.mbox"
    box.write_bytes((FROM + first + b"\n" + FROM + second + b"\n").replace(b"\n", end))
    found = read(box)
    unquoted = first.replace(b">From here", b"From here").replace(b">>From there", b">From there")
    assert raws(found) == [unquoted.replace(b"\n", end), second.replace(b"\n", end)]
    assert sources(found, tmp_path) == ["old.mbox#1", "old.mbox#2"]


def test_a_single_message_with_a_from_line_has_no_number(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(FROM + b"Subject: 1\n\nbody\n")
    assert read(tmp_path / "a.eml") == [SourceMessage(str(tmp_path / "a.eml"), b"Subject: 1\n\nbody\n")]


def test_mbox_larger_than_memory_is_streamed(tmp_path: Path) -> None:
    box = tmp_path / "huge.mbox"
    message = FROM + b"Subject: n\n\n" + (b"0123456789abcdef" * 16 + b"\n") * 400 + b"\n"
    with box.open("wb") as file:
        for _ in range(120):
            file.write(message)
    tracemalloc.start()
    count = sum(isinstance(found, SourceMessage) for found in read_sources(box, LIMITS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 120
    assert peak < 1_200_000 < box.stat().st_size / 10


def test_one_message_too_large_in_an_mbox_is_a_problem_in_its_place(tmp_path: Path) -> None:
    box = tmp_path / "old.mbox"
    box.write_bytes(FROM + b"a: 1\n\n" + FROM + b"b: " + b"x" * 300_000 + b"\n\n" + FROM + b"c: 3\n\n")
    found = read(box, max_message_bytes=1000)
    assert raws(found) == [b"a: 1\n", b"c: 3\n"]
    assert found[1] == SourceProblem(f"{box}#2", "is larger than 1000 bytes")


def test_zip_members_nested_once_in_order(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", {"x.eml": b"x: 1\n", "deeper.zip": b"PK\x03\x04..."}).read_bytes()
    members = {
        "b.eml": b"b: 1\n",
        "../../a.eml": b"a: 1\n",
        "__MACOSX/b.eml": b"junk",
        ".DS_Store": b"junk",
        "box": FROM + b"c: 1\n\n" + FROM + b"d: 1\n",
        "inner.zip": inner,
        "e.gz": gzip.compress(b"e: 1\n"),
    }
    path = zip_of(tmp_path / "reports.zip", members)
    found = read(path)
    assert raws(found) == [b"b: 1\n", b"a: 1\n", b"c: 1\n", b"d: 1\n", b"x: 1\n", b"e: 1\n"]
    assert sources(found, tmp_path) == [f"reports.zip#{number}" for number in range(1, 8)]
    assert reasons(found) == ["archives are nested too deeply"]


def test_gzip_of_a_message_and_of_an_mbox(tmp_path: Path) -> None:
    (tmp_path / "a.eml.gz").write_bytes(gzip.compress(b"a: 1\n"))
    (tmp_path / "b.mbox.gz").write_bytes(gzip.compress(FROM + b"b: 1\n\n" + FROM + b"c: 1\n"))
    found = read(tmp_path)
    assert raws(found) == [b"a: 1\n", b"b: 1\n", b"c: 1\n"]
    assert sources(found, tmp_path) == ["a.eml.gz", "b.mbox.gz#1", "b.mbox.gz#2"]


def test_encrypted_and_damaged_members_do_not_hide_the_others(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", {"1": b"one\n", "2": b"two\n", "3": b"three\n"}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes().replace(b"two\n", b"tvo\n"))
    first = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, first + 8, 0x1)
    path.write_bytes(content)
    found = read(path)
    assert raws(found) == [b"three\n"]
    assert reasons(found) == ["this member is encrypted", "this member is damaged (BadZipFile)"]


@pytest.mark.parametrize("cut", [0.5, 0.98])
def test_truncated_archives_are_problems(tmp_path: Path, cut: float) -> None:
    whole = zip_of(tmp_path / "a.zip", {"1": os.urandom(5000)}).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: int(len(whole) * cut)])
    packed = gzip.compress(os.urandom(5000))
    (tmp_path / "b.gz").write_bytes(packed[: int(len(packed) * cut)])
    found = read(tmp_path)
    assert raws(found) == []
    assert reasons(found) == ["is damaged (BadZipFile)", "is damaged (EOFError)"]


def test_bombs_stop_at_the_caps(tmp_path: Path) -> None:
    bomb = zip_of(tmp_path / "bomb.zip", {str(number): b"\0" * 5_000_000 for number in range(20)})
    assert reasons(read(bomb))[-1] == "unpacks to more than 200 times its size (archives.max_ratio)"
    gz = tmp_path / "bomb.gz"
    gz.write_bytes(gzip.compress(b"\0" * 20_000_000))
    assert reasons(read(gz)) == ["unpacks to more than 200 times its size (archives.max_ratio)"]
    small = ArchiveLimits(max_bytes=1_000_000, max_ratio=10_000)
    assert reasons(read(gz, small)) == ["unpacks to more than 1000000 bytes (archives.max_bytes)"]
    many = zip_of(tmp_path / "many.zip", {str(number): b"x" for number in range(5)})
    found = read(many, ArchiveLimits(max_entries=3))
    assert len(raws(found)) == 3
    assert reasons(found) == ["holds more than 3 entries (archives.max_entries)"]


def test_what_is_no_file_is_a_problem(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.fifo")
    (tmp_path / "b.eml").write_bytes(b"")
    (tmp_path / "c.eml").write_bytes(b"c: 1\n")
    (tmp_path / "d.eml").symlink_to(tmp_path / "c.eml")
    (tmp_path / "e").symlink_to(tmp_path)
    found = read(tmp_path)
    link = "is a link, which is not followed"
    assert reasons(found) == ["is not a regular file", "is empty", link, link]
    assert raws(found) == [b"c: 1\n"]
    assert "No such file" in reasons(read(tmp_path / "missing"))[0]
    assert raws(read(tmp_path / "d.eml")) == [b"c: 1\n"]


def test_a_name_that_is_not_utf8_can_be_shown(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + "/報告.eml".encode("cp932")
    with open(name, "wb") as file:  # noqa: PTH123  a name in bytes
        file.write(b"a: 1\n")
    (found,) = read(tmp_path)
    assert found.source.encode("utf-8")
    assert found.source.endswith(".eml")


class Trickle(io.RawIOBase):
    """A pipe that gives one byte at a time and cannot be sought in."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._content.read(1)
        buffer[: len(block)] = block
        return len(block)


@pytest.mark.parametrize("kind", ["message", "mbox", "zip", "gzip"])
def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mbox = FROM + b"a: 1\n\n" + FROM + b"b: 1\n"
    content = {
        "message": b"a: 1\n",
        "mbox": mbox,
        "zip": zip_of(tmp_path / "a.zip", {"1": b"a: 1\n", "2": b"b: 1\n"}).read_bytes(),
        "gzip": gzip.compress(mbox),
    }[kind]

    class Stdin:
        buffer = io.BufferedReader(Trickle(content), 1)

    monkeypatch.setattr("sys.stdin", Stdin)
    found = list(read_sources("-", LIMITS))
    alone = kind == "message"
    assert raws(found) == ([b"a: 1\n"] if alone else [b"a: 1\n", b"b: 1\n"])
    assert [one.source for one in found] == (["-"] if alone else ["-#1", "-#2"])
