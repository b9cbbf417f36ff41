"""The two readers held against each other over our samples and the corpus; what differs is listed, with the reason.

A difference that is not in `known_differences.toml` fails, and so does a listed one that is gone.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from abuse_pipeline import mail as mail_module
from abuse_pipeline import second_reader
from abuse_pipeline.errors import LimitExceeded
from abuse_pipeline.mail import Mail, read_mail
from abuse_pipeline.places import Place
from abuse_pipeline.settings import MailLimits

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
CORPUS = Path(os.environ.get("ABUSE_CORPUS", ROOT.parent / "shared" / "corpus"))
KNOWN = tomllib.loads((Path(__file__).parent / "known_differences.toml").read_text(encoding="utf-8"))
LIMITS = MailLimits()


def by_the_second_reader(raw: bytes) -> Mail:
    """The message as mail-parser's tree alone gives it: header and bodies from there, not from the bytes."""
    message = second_reader.read(mail_module._repaired(raw)[0], LIMITS)
    root = mail_module._second_part(message, mail_module._Budget(LIMITS), 1, Place(None, 0))
    return Mail(raw, root, "mail-parser")


def types(mail: Mail) -> list[str]:
    """The content types of all parts, those of embedded messages included."""
    found: list[str] = []
    waiting = [mail]
    while waiting:
        for part in waiting.pop(0).walk():
            found.append(part.content_type)
            if part.message is not None:
                waiting.append(part.message)
    return found


def words(mail: Mail) -> list[list[str]]:
    return [part.text().split() for part in mail.walk() if part.content_type.startswith("text/")]


def squeezed(values: tuple[str, ...]) -> list[list[str]]:
    return [value.split() for value in values]


def difference(raw: bytes) -> str:
    """In what the readers differ about *raw*: a key of `known_differences.toml`, "" when they agree."""
    try:
        first = read_mail(raw, LIMITS)
    except LimitExceeded:
        with pytest.raises(LimitExceeded):
            by_the_second_reader(raw)
        return ""
    if first.reader != "fast-mail-parser":
        return "refused"
    second = by_the_second_reader(raw)
    if types(first) != types(second):
        return "parts"
    if squeezed(first.headers("subject")) != squeezed(second.headers("subject")):
        return "subject"
    if squeezed(first.raw_headers("received")) != squeezed(second.raw_headers("received")):
        return "received"
    return "text" if words(first) != words(second) else ""


def differences(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".expected.json"))
    found = ((path.relative_to(folder).as_posix(), difference(path.read_bytes())) for path in files)
    return {name: kind for name, kind in found if kind}


def listed(section: str) -> dict[str, str]:
    return {entry["file"]: entry["differs"] for entry in KNOWN.get(section, [])}


def test_readers_agree_on_our_samples() -> None:
    if not any(SAMPLES.rglob("*.eml")):
        pytest.skip("no samples in this checkout")
    assert differences(SAMPLES) == listed("samples")


def test_readers_agree_on_the_corpus() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus of real mail at {CORPUS} (set ABUSE_CORPUS)")
    assert differences(CORPUS) == listed("corpus")


def test_every_listed_difference_has_its_reason() -> None:
    assert all(entry["reason"].strip() for section in KNOWN.values() for entry in section)
