"""The house stands as DESIGN.md draws it: each floor imports only what is below, plugins only `abuse_pipeline.api`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_import_contracts_are_kept() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_help_does_not_load_what_only_some_commands_need() -> None:
    """`abuse --help` must stay quick: polars alone costs more than half a second."""
    program = (
        "import sys\nfrom abuse_pipeline.cli.main import cli\n"
        "try:\n    cli.main(['--help'], standalone_mode=False)\nfinally:\n"
        "    heavy = {'polars', 'sqlalchemy', 'pydantic', 'mailparser', 'dns', 'ipwhois', 'aiosmtpd', 'rich'}\n"
        "    sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
