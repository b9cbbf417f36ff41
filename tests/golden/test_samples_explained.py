"""Every sample through `explain --json`: the answer is what was worked out by hand beside it.

Only facts of the contract are compared; a key that an expectation leaves out is not fixed by the contract. Incidents
are in order, outgoing messages in any.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from abuse_pipeline.cli.main import cli
from abuse_pipeline.demo import NOW

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples").glob("*/*.eml"))


def explain(file: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict[str, Any]:
    monkeypatch.setenv("ABUSE_NOW", NOW)
    arguments = ["explain", str(file), "--json", "--config", str(ROOT / "config" / "abuse.toml"), *more]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{s.parent.name}/{s.stem}" for s in SAMPLES])
def test_a_sample_is_explained_as_expected(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = json.loads(sample.with_suffix(".expected.json").read_text(encoding="utf-8"))
    document = explain(sample, monkeypatch)
    differences = list(_differences(expected, document, ""))
    assert not differences, f"{expected['note']}\n" + "\n".join(differences) + f"\n{json.dumps(document, indent=1)}"
    assert document["reporter"] is None or re.fullmatch(r"R-[0-9A-Z]{6,}", document["reporter"])
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", document["digest"])


def _differences(expected: dict[str, Any], found: dict[str, Any], where: str) -> Any:
    for key, value in expected.items():
        if key in ("note", "ingest"):
            continue
        path = f"{where}{key}"
        if key == "outgoing":
            value, found = sorted(map(_word, value)), {**found, key: sorted(map(_word, found[key]))}
        if isinstance(value, dict):
            yield from _differences(value, found[key], f"{path}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            if len(value) != len(found[key]):
                yield f"{path}: expected {len(value)}, found {len(found[key])}"
            for number, (one, other) in enumerate(zip(value, found[key], strict=False)):
                yield from _differences(one, other, f"{path}[{number}].")
        elif value != found[key]:
            yield f"{path}: expected {value!r}, found {found[key]!r}"


def _word(outgoing: dict[str, Any]) -> str:
    return f"{outgoing['kind']} {outgoing['state']}"


def test_evidence_is_shown_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = ROOT / "samples" / "forwarded_attachment" / "two-customers.eml"
    assert "evidence" not in explain(sample, monkeypatch)["incidents"][0]
    shown = explain(sample, monkeypatch, "--evidence")["incidents"][0]["evidence"]
    assert set(shown) == {"from", "to", "subject", "date", "feedback_type"}
    assert shown["from"]
