"""Find parsers and enrichers, and check that each keeps its contract.

Built-ins come through the same entry-point groups as a third party's; a single file in the plugin folder works too. A
plugin that cannot be loaded is named and left out: one broken plugin never stops the desk.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from abuse_pipeline.api import Enricher, Parser
from abuse_pipeline.errors import PluginError

PARSERS = "abuse_pipeline.parsers"
ENRICHERS = "abuse_pipeline.enrichers"


@dataclass(frozen=True, slots=True)
class Plugins:
    """The usable plugins by name, sorted, and what was wrong with the others."""

    parsers: dict[str, Parser]
    enrichers: dict[str, Enricher]
    problems: tuple[PluginError, ...] = ()


def find_plugins(folder: Path | None = None) -> Plugins:
    """Load every plugin of both groups, then ``NAME.py`` with a ``parser`` or ``enricher`` in *folder*.

    A name that is taken already is a problem, not an override: which of two parsers runs must not depend on luck.
    """
    parsers: dict[str, Parser] = {}
    enrichers: dict[str, Enricher] = {}
    problems: list[PluginError] = []
    for found in [*_installed(PARSERS), *_installed(ENRICHERS), *_in_folder(folder)]:
        if isinstance(found, PluginError):
            problems.append(found)
            continue
        name, group, plugin = found
        wanted: dict[str, Any] = parsers if group == PARSERS else enrichers
        trouble = _breach(plugin, group) or ("this name is taken by another plugin" if name in wanted else None)
        if trouble:
            problems.append(PluginError(trouble, where=f"plugin {name}"))
        else:
            wanted[name] = plugin
    return Plugins(dict(sorted(parsers.items())), dict(sorted(enrichers.items())), tuple(problems))


_Found = tuple[str, str, object] | PluginError


def _installed(group: str) -> Iterator[_Found]:
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        try:
            yield point.name, group, point.load()()
        except (Exception, SystemExit) as error:  # noqa: BLE001  a foreign module may raise anything; it must not stop us
            yield PluginError(f"cannot be loaded: {_summary(error)}", where=f"plugin {point.name} ({point.value})")


def _in_folder(folder: Path | None) -> Iterator[_Found]:
    if folder is None:
        return
    if not folder.is_dir():
        yield PluginError(
            "the plugin folder does not exist", where=str(folder), todo="make it or remove plugins.folder"
        )
        return
    for file in sorted(folder.glob("*.py")):
        try:
            module = _load_file(file)
        except (Exception, SystemExit) as error:  # noqa: BLE001  as above: whatever this file does, the desk goes on
            yield PluginError(f"cannot be loaded: {_summary(error)}", where=str(file))
            continue
        yield from _plugins_of(module, file)


def _load_file(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"abuse_plugin_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _plugins_of(module: ModuleType, file: Path) -> Iterable[_Found]:
    found: list[_Found] = []
    if hasattr(module, "parser"):
        found.append((file.stem, PARSERS, module.parser))
    if hasattr(module, "enricher"):
        found.append((file.stem, ENRICHERS, module.enricher))
    if not found:
        return [PluginError("has neither `parser` nor `enricher` at module level", where=str(file))]
    return found


def _breach(plugin: object, group: str) -> str | None:
    """What keeps *plugin* from being used, or None."""
    methods = {"recognise": 2, "parse": 2} if group == PARSERS else {"lookup": 2}
    for method, arguments in methods.items():
        function = getattr(plugin, method, None)
        if not callable(function):
            return f"has no method {method}()"
        try:
            inspect.signature(function).bind(*range(arguments))
        except (TypeError, ValueError):
            return f"its {method}() does not take {arguments} arguments"
    if group == ENRICHERS and not isinstance(getattr(plugin, "asks", None), str):
        return "has no text `asks` that says what it asks of whom"
    return None


def _summary(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
