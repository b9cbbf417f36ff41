"""The `abuse` command in this process, or in a process of its own, with what it said and its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import contract_shapes
import pytest
from click.testing import CliRunner

from abuse_pipeline.cli import common
from abuse_pipeline.cli.main import main
from abuse_pipeline.demo import NOW

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "config" / "abuse.toml"
SAMPLES = ROOT / "samples"


@dataclass(frozen=True)
class Ran:
    """What a command did. out, err: its streams as text; what is not UTF-8 in them would raise."""

    code: int
    out: str
    err: str

    def document(self) -> object:
        """The one JSON document on stdout; the command must have succeeded."""
        assert self.code == 0, self.err
        return contract_shapes.only_document(self.out)

    def lines(self) -> list[str]:
        assert self.code == 0, self.err
        return self.out.splitlines()


def abuse(
    *arguments: object, stdin: bytes = b"", config: Path | None = CONFIG, now: str | None = NOW, **environment: str
) -> Ran:
    """Run `abuse` in this process, through the same `main` as the installed program.

    config: given in ABUSE_CONFIG. now: given in ABUSE_NOW. environment: more variables.
    """
    common._announce.cache_clear()
    argv = ["abuse", *map(str, arguments)]
    runner = CliRunner(env=_given(config, now, environment))
    with patch.object(sys, "argv", argv), runner.isolation(input=stdin) as (out, err, _):
        code = _exit_code()
        sys.stdout.flush()
        sys.stderr.flush()
        return Ran(code, out.getvalue().decode("utf-8"), err.getvalue().decode("utf-8"))


def _exit_code() -> int:
    with pytest.raises(SystemExit) as end:
        main()
    assert isinstance(end.value.code, int), f"exit({end.value.code!r})"
    return end.value.code


def abuse_process(
    *arguments: object,
    stdin: bytes = b"",
    config: Path | None = CONFIG,
    now: str | None = NOW,
    seconds: float = 60,
    cwd: Path | None = None,
    **environment: str,
) -> Ran:
    """Run `abuse` as a program. Raises subprocess.TimeoutExpired after *seconds*."""
    given = {**os.environ, **{k: v for k, v in _given(config, now, environment).items() if v is not None}}
    command = [sys.executable, "-m", "abuse_pipeline.cli.main", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, env=given, cwd=cwd, capture_output=True, timeout=seconds, check=False)
    return Ran(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


def _given(config: Path | None, now: str | None, more: Mapping[str, str]) -> dict[str, str | None]:
    return {"ABUSE_CONFIG": str(config) if config else None, "ABUSE_NOW": now, "NO_COLOR": "1", **more}
