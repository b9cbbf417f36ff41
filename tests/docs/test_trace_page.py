"""The worked examples of docs/trace.md are what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from abuse_command import abuse

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "trace.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```console\n\$ abuse (trace samples/\S+)\n(.*?)```", PAGE, re.DOTALL)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_an_example_shows_what_the_command_prints(command: str, shown: str) -> None:
    word, sample = command.split()
    ran = abuse(word, str(ROOT / sample), COLUMNS="120")
    assert ran.code == 0, ran.err
    assert ran.out.strip("\n").splitlines() == shown.strip("\n").splitlines()
