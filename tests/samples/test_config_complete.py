"""`config/abuse.toml` names every key of the settings, with its meaning and its true default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from abuse_pipeline.settings import Settings, load_settings, parse_settings, section_of

FILE = Path(__file__).parents[2] / "config" / "abuse.toml"
TEXT = FILE.read_text(encoding="utf-8")
COMMENTED = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)
# Left out they mean "none", which TOML cannot say: the comment tells what that means.
UNSET = {"enrich.rdap_url", "plugins.folder"}


def item_model(annotation: object) -> type[BaseModel] | None:
    """The model of the items when a key is an array of tables."""
    items = [item for item in get_args(annotation) if isinstance(item, type) and issubclass(item, BaseModel)]
    return items[0] if items else None


def keys(section: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its field, as ``triage.max_age``; of an array of tables the keys of one table."""
    for name, field in section.model_fields.items():
        if section is Settings and name == "file":
            continue
        inner = section_of(section, name) or item_model(field.annotation)
        if inner is None:
            yield f"{path}{name}", field
        else:
            yield from keys(inner, f"{path}{name}.")


def value_at(document: Any, path: str) -> Any:
    for step in path.split("."):
        document = document[0] if isinstance(document, list) else document
        document = document[step]
    return document


KEYS = dict(keys(Settings))


def test_the_file_is_valid_as_it_stands_and_with_every_default_taken_in() -> None:
    assert load_settings(FILE).provider.name == "Example Hosting"
    assert parse_settings(COMMENTED.sub("", TEXT), FILE).provider.name == "Example Hosting"


@pytest.mark.parametrize("key", sorted(KEYS))
def test_a_key_is_there(key: str) -> None:
    value_at(tomllib.loads(COMMENTED.sub("", TEXT)), key)


@pytest.mark.parametrize("key", sorted(KEYS))
def test_a_commented_value_is_the_default(key: str) -> None:
    try:
        value_at(tomllib.loads(TEXT), key)
    except KeyError:
        default = KEYS[key].get_default(call_default_factory=True)
        assert (None if key in UNSET else as_setting(key)) == default


def as_setting(key: str) -> Any:
    settings: Any = parse_settings(COMMENTED.sub("", TEXT), FILE)
    for step in key.split("."):
        settings = settings[0] if isinstance(settings, tuple) else settings
        settings = getattr(settings, step)
    return settings


def test_every_line_with_a_key_says_what_it_means() -> None:
    silent = [line for line in TEXT.splitlines() if re.match(r"#?[a-z_]+ = ", line) and "  # " not in line]
    assert silent == []
