"""The templates: sandboxed, strict about undefined names, fed with plain strings only."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from abuse_pipeline.model import Language


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=PackageLoader("abuse_pipeline.notices"),
        undefined=StrictUndefined,
        autoescape=False,  # plain text; escaping is for HTML
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, language: Language, values: Mapping[str, object]) -> str:
    """The text of template ``NAME.LANGUAGE.txt.j2`` with *values*."""
    return _environment().get_template(f"{name}.{language}.txt.j2").render(values)


def constant_text() -> tuple[str, ...]:
    """The fixed text of all templates, one piece for each stretch between two expressions or line ends."""
    environment = _environment()
    pieces: list[str] = []
    for name in environment.list_templates():
        source, _, _ = environment.loader.get_source(environment, name) if environment.loader else ("", None, None)
        for _, kind, value in environment.lex(source):
            if kind in ("data", "string"):
                pieces.extend(value.split("\n"))
    return tuple(piece.strip() for piece in pieces if piece.strip())
