"""How `abuse` answers right and wrong use: exit codes, help, streams, the variables it listens to."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from abuse_command import CONFIG, SAMPLES, abuse, abuse_process
from conftest import Desk

from abuse_pipeline import __version__
from abuse_pipeline.cli.main import COMMANDS, cli

A_SAMPLE = SAMPLES / "forwarded_attachment" / "two-customers.eml"


def _commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        if isinstance(command, click.Group):
            found += [(name, inner) for inner in command.commands]
        else:
            found.append((name,))
    return found


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help_with_an_example(words: tuple[str, ...], option: str) -> None:
    ran = abuse(*words, option, now=None, config=None, COLUMNS="80")
    assert ran.code == 0
    assert "Example:" in ran.out
    assert f"abuse {' '.join(words)}" in ran.out.partition("Example:")[2]
    assert "--config" in ran.out
    assert "ABUSE_CONFIG" in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines() if not line.strip().startswith("abuse ")), ran.out


def test_abuse_help_names_every_command() -> None:
    said = abuse("-h").out
    assert all(name in said for name in COMMANDS)
    assert abuse("--version").out == f"abuse, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        "frobnicate", "explain", "explain no-such-file.eml", "trace", "lookup", "lookup 300.1.2.3", "lookup example.jp",
        "lookup 192.0.2.7 --at yesterday-ish", "lookup 192.0.2.7 --port 0", "lookup 192.0.2.7 --port 65536", "ingest",
        "triage --since nonsense", "triage --until 2026-13", "triage --since 2026-02-30", "triage --by reporter",
        "triage --by ,", "triage --format pdf", "cases", "cases close K-1", "cases list --state sold",
        "outbox list --kind letter", "outbox list --state lost", "outbox hold K-1", "outbox export",
        "outbox export out --state held --mark-sent", "config", "init", "explain --no-such-option x",
        "--no-such-option",
    ],
)  # fmt: skip
def test_wrong_use_is_2(arguments: str) -> None:
    ran = abuse(*arguments.split())
    assert ran.code == 2, (ran.out, ran.err)
    assert "Traceback" not in ran.err
    assert "Usage: abuse" in ran.err + ran.out


@pytest.mark.parametrize(
    "arguments",
    ["cases show NOPE", "cases note NOPE hello", "cases assign NOPE sato", "cases close NOPE --reason x",
     "cases reopen NOPE --reason x", "outbox show NOPE", "outbox approve NOPE", "outbox hold NOPE --reason x",
     "outbox retry NOPE", "ingest no-such-file.eml", "triage --output no/such/folder/x.csv --format csv"],
)  # fmt: skip
def test_a_failure_is_1_and_one_clear_line(arguments: str, filled: Desk) -> None:
    ran = filled.abuse(*arguments.split())
    assert ran.code == 1, (ran.out, ran.err)
    said = [line for line in ran.err.splitlines() if "ABUSE_NOW" not in line]
    assert len(said) == 1, ran.err
    assert said[0].startswith("abuse: ")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    ["explain FILE", "trace FILE", "lookup 192.0.2.7", "ingest FILE", "triage", "cases list", "cases show X", "run",
     "outbox list", "outbox export out", "config check"],
)  # fmt: skip
def test_without_a_configuration_nothing_works(arguments: str, tmp_path: Path) -> None:
    words = [str(A_SAMPLE) if word == "FILE" else word for word in arguments.split()]
    ran = abuse(*words, "--config", tmp_path / "none.toml")
    assert ran.code == 2
    assert f"{tmp_path / 'none.toml'}: there is no such file" in ran.err
    assert ran.out == ""
    assert list(tmp_path.iterdir()) == []


def test_the_configuration_comes_from_the_option_before_the_variable(empty: Desk, tmp_path: Path) -> None:
    assert abuse("config", "check", "--config", empty.config, config=tmp_path / "none.toml").code == 0
    assert abuse("config", "check", config=tmp_path / "none.toml").code == 2
    assert abuse("config", "check", config=empty.config).code == 0


def test_without_option_and_variable_it_is_config_abuse_toml(tmp_path: Path) -> None:
    ran = abuse_process("config", "check", config=None, cwd=tmp_path)
    assert ran.code == 2
    assert "config/abuse.toml" in ran.err
    assert abuse_process("config", "check", config=None, cwd=CONFIG.parents[1]).code == 0


def test_the_clock_is_announced_once_on_stderr(filled: Desk) -> None:
    ran = filled.abuse("triage", "--json", now="2026-11-20T14:03:12+09:00")
    ran.document()
    assert ran.err == "abuse: the clock stands at 2026-11-20T05:03:12+00:00 (ABUSE_NOW)\n"
    assert "ABUSE_NOW" not in filled.abuse("triage", now=None).err


@pytest.mark.parametrize("now", ["tomorrow", "2026-11-20", "2026-11-20T14:03:12", "1"])
def test_a_clock_that_cannot_be_read_is_2(now: str) -> None:
    ran = abuse("lookup", "192.0.2.7", now=now)
    assert ran.code == 2
    assert "ABUSE_NOW" in ran.err
    assert ran.out == ""


def test_a_traceback_comes_only_with_debug(empty: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_arguments: object, **_more: object) -> None:
        raise RuntimeError("taro@example.jp broke it")

    monkeypatch.setattr("abuse_pipeline.assess.assess", break_down)
    ran = empty.abuse("explain", A_SAMPLE)
    assert ran.code == 1
    assert "RuntimeError" in ran.err
    assert "Traceback" not in ran.err
    assert "taro@example.jp" not in ran.err, "the text of a foreign error may quote a message"
    assert "Traceback" in empty.abuse("explain", A_SAMPLE, "--debug").err


def test_debug_shows_where_an_error_of_ours_came_from(filled: Desk) -> None:
    assert "Traceback" in filled.abuse("cases", "show", "NOPE", "--debug").err


@pytest.mark.parametrize("arguments", ["triage", "cases list", "outbox list", "config check", "lookup 192.0.2.7"])
def test_a_real_process_says_the_same(arguments: str, filled: Desk) -> None:
    """The tests around this one run in the process of the test; the installed program is no other."""
    words = (*arguments.split(), "--json")
    inside, outside = filled.abuse(*words), abuse_process(*words, config=filled.config)
    assert (outside.code, outside.out, outside.err) == (inside.code, inside.out, inside.err)


def test_output_is_utf_8_whatever_the_locale(filled: Desk) -> None:
    ran = abuse_process("lookup", "192.0.2.7", config=filled.config, LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="")
    assert "株式会社あおぞら商店" in ran.out


@pytest.mark.parametrize(
    "arguments",
    ["triage", "cases list", "outbox list", f"trace {A_SAMPLE}", "triage --by day,customer,type", "config check"],
)
def test_it_fits_80_columns(arguments: str, filled: Desk) -> None:
    ran = abuse(*arguments.split(), config=filled.config, COLUMNS="80")
    assert ran.code == 0
    wide = [line for line in ran.out.splitlines() if len(line) > 80 and str(filled.folder) not in line]
    assert not wide
