"""Make `.venv` and install into it what the given lock files name, by hash. Needs nothing but Python 3.11 or newer.

Usage: python3 bootstrap.py LOCK [LOCK ...]
"""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
VENV = HERE / ".venv"


def main(locks: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  this file runs under whatever `python3` is, to say that it is too old
        return fail(f"Python 3.11 or newer is needed; {sys.executable} is {sys.version.split()[0]}")
    if not (VENV / "bin" / "pip").exists():
        problem = make_environment()
        if problem:
            return fail(problem)
    for lock in locks:
        print(f"installing {lock} …", flush=True)
        status = pip("--require-hashes", "--requirement", str(HERE / lock))
        if status != 0:
            return fail(f"{lock} could not be installed; the lines above say why")
    return pip("--no-deps", "--no-build-isolation", "--editable", str(HERE))


def make_environment() -> str | None:
    """Create the environment; the reason when it cannot be."""
    if find_spec("ensurepip") is None and not install_debian_venv():
        return "this Python cannot make environments; on Debian, run: apt-get install python3-venv"
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False)
    return None if made.returncode == 0 else f"{sys.executable} could not make {VENV}; the lines above say why"


def install_debian_venv() -> bool:
    """Debian splits `ensurepip` off into a package of its own; as root we can fetch it, as anyone else we ask."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    print("this Debian has no python3-venv; installing it …", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "-qq", "update"], ["apt-get", "-qq", "install", "-y", "python3-venv"]):
        if subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, check=False).returncode != 0:
            return False
    return True


def pip(*arguments: str) -> int:
    command = [
        str(VENV / "bin" / "python"),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
        *arguments,
    ]
    return subprocess.run(command, check=False).returncode


def fail(message: str) -> int:
    print(f"bootstrap: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
