"""Desks to try commands on: one that every test may read, and one of its own for a test that changes something."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from abuse_command import SAMPLES, Ran, abuse

from abuse_pipeline.demo import NOW
from abuse_pipeline.shipped import write_configuration


@dataclass(frozen=True)
class Desk:
    """A configuration in a folder of its own, and `abuse` with it."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "abuse.toml"

    def abuse(self, *arguments: object, stdin: bytes = b"", now: str | None = NOW, **environment: str) -> Ran:
        return abuse(*arguments, stdin=stdin, config=self.config, now=now, **environment)

    def json(self, *arguments: object) -> Any:
        return self.abuse(*arguments, "--json").document()

    def settings(self, old: str, new: str) -> None:
        """Change the configuration."""
        text = self.config.read_text("utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), "utf-8")


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A desk that has taken in every sample."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    write_configuration(desk.folder)
    samples = desk.folder / "samples"
    for file in sorted(SAMPLES.glob("*/*.eml")):
        (samples / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, samples / file.parent.name)
    ran = desk.abuse("ingest", "--json", samples)
    assert ran.code == 0, ran.err
    (desk.folder / "ingested.jsonl").write_text(ran.out, "utf-8")
    return desk


@pytest.fixture
def filled(_filled: Desk) -> Desk:
    """A desk with every sample in it; only for reading."""
    return _filled


@pytest.fixture
def own(_filled: Desk, tmp_path: Path) -> Desk:
    """The same desk, copied: this test may do with it what it likes."""
    shutil.copytree(_filled.folder, tmp_path / "desk", ignore=shutil.ignore_patterns("samples"))
    return Desk(tmp_path / "desk")


@pytest.fixture
def empty(tmp_path: Path) -> Desk:
    """A desk that has seen nothing."""
    write_configuration(tmp_path / "desk")
    return Desk(tmp_path / "desk")
