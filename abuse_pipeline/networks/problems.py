"""What is wrong with the operator's lists, gathered so that one run shows all of it."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_SHOWN = 200
_SUGGESTED = 20
_LONGEST_VALUE = 60


class Problems:
    """Collects sentences; beyond 200 it only counts, so that a list of the wrong kind stays readable."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, file: str, what: str, *, line: int | None = None, column: str = "", value: str | None = None) -> None:
        where = [f"line {line}"] if line is not None else []
        if column:
            where.append(f"column {column}")
        if len(self._lines) >= _SHOWN:
            self._more += 1
            return
        place = f"{file}: {', '.join(where)}" if where else file
        self._lines.append(f"{place}: {_shown(value)} {what}" if value is not None else f"{place}: {what}")

    def text(self) -> str:
        more = [f"… and {self._more} more problems"] if self._more else []
        return "\n".join([*self._lines, *more])


class Suggestions:
    """The nearest valid key for a wrong one. Comparing is slow on long lists: only the first few get a suggestion."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self._given: dict[str, str] = {}

    def nearest(self, wrong: str) -> str:
        """``; did you mean 'C-1042'?``, or nothing when there is no key at all."""
        if wrong not in self._given:
            if len(self._given) >= _SUGGESTED:
                return ""
            near = difflib.get_close_matches(wrong, self._known, n=1, cutoff=0.0)
            self._given[wrong] = f"; did you mean {near[0]!r}?" if near else ""
        return self._given[wrong]


def _shown(value: str) -> str:
    return repr(value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…")
