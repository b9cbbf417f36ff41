"""The wheel is whole: installed with no checkout around, `abuse demo` runs, and what people see of it is right."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ABUSE_", "PYTHON"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel; the libraries come from this one, the project does not."""
    place = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    python = place / "venv" / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
        cwd=place,
    )
    (packages,) = (place / "venv" / "lib").glob("python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return place


def test_samples_and_configuration_ship_in_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "abuse_pipeline/_data/config/abuse.toml" in names
    assert sum(name.endswith(".eml") for name in names) >= 25
    assert any(name.startswith("abuse_pipeline/store/migrations/") for name in names)
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


def test_the_demo_runs_with_no_checkout_around(installed: Path) -> None:
    abuse = installed / "venv" / "bin" / "abuse"
    where = run(
        installed / "venv" / "bin" / "python", "-c", "import abuse_pipeline as a; print(a.__file__)", cwd=installed
    )
    assert str(installed) in where
    shown = run(abuse, "demo", cwd=installed)
    assert "reports with" in shown
    assert "平素は格別のお引き立てを賜り" in shown
    assert "本メールは、いただいたご連絡に対して自動でお送りしております。" in shown
    assert "Where to look next" in shown
    assert {item.name for item in installed.iterdir()} == {"venv"}


def test_init_writes_a_configuration_that_checks(installed: Path, tmp_path: Path) -> None:
    abuse = installed / "venv" / "bin" / "abuse"
    run(abuse, "init", tmp_path / "desk", cwd=tmp_path)
    assert "no error found" in run(abuse, "config", "check", "--config", tmp_path / "desk" / "abuse.toml", cwd=tmp_path)
