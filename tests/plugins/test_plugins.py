"""Plugins are found by entry point and by folder; a broken one is named and left out."""

from __future__ import annotations

from pathlib import Path

from abuse_pipeline.plugins import find_plugins

PARSER = """
from abuse_pipeline.api import Bid, Report

class Mine:
    def recognise(self, mail, context):
        return Bid(1, "always")
    def parse(self, mail, context):
        return Report("mine")

parser = Mine()
"""


def test_the_built_ins_come_through_their_entry_points() -> None:
    plugins = find_plugins()
    assert {"arf", "forwarded_attachment", "not_a_report", "prose"} <= set(plugins.parsers)
    assert {"rdap", "reverse_dns"} <= set(plugins.enrichers)
    assert plugins.problems == ()


def test_a_single_file_in_the_folder_is_a_plugin(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PARSER)
    plugins = find_plugins(tmp_path)
    assert "mine" in plugins.parsers
    assert plugins.problems == ()


def test_broken_files_are_named_and_the_others_work(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PARSER)
    (tmp_path / "raises.py").write_text("1 / 0")
    (tmp_path / "exits.py").write_text("raise ImportError('no such thing')")
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "half.py").write_text("class P:\n    def recognise(self, mail, context): ...\nparser = P()")
    (tmp_path / "arity.py").write_text(PARSER.replace("def parse(self, mail, context)", "def parse(self, mail)"))
    (tmp_path / "mute.py").write_text("class E:\n    async def lookup(self, ip, context): ...\nenricher = E()")
    plugins = find_plugins(tmp_path)
    assert "mine" in plugins.parsers
    told = "\n".join(str(problem) for problem in plugins.problems)
    for name in ("raises", "exits", "empty", "half", "arity", "mute"):
        assert name in told
        assert name not in plugins.parsers | plugins.enrichers
    assert "ZeroDivisionError" in told
    assert "has no method parse()" in told
    assert "`asks`" in told


def test_a_taken_name_is_a_problem_and_not_an_override(tmp_path: Path) -> None:
    (tmp_path / "arf.py").write_text(PARSER)
    plugins = find_plugins(tmp_path)
    assert type(plugins.parsers["arf"]).__name__ == "ArfParser"
    assert any("taken" in str(problem) for problem in plugins.problems)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    assert "does not exist" in str(find_plugins(tmp_path / "nowhere").problems[0])
