"""Longest-prefix match over sorted integer ranges: build once, ask often.

Nested prefixes are flattened into ranges that do not overlap, each pointing at its most specific prefix, so that a
question is one binary search. IPv4 bounds fit an `array` of 32-bit numbers (16 bytes a prefix with its slots);
IPv6 bounds need Python integers.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, MutableSequence, Sequence

from abuse_pipeline.model import IPAddress, IPNetwork

_NONE = -1


class PrefixIndex:
    """Maps an address to the position of the most specific prefix that covers it, in the order they were given.

    A prefix that is given twice keeps its last position.
    """

    __slots__ = ("_slots", "_starts")

    def __init__(self, prefixes: Iterable[IPNetwork]) -> None:
        positions = {4: _Sweep(array("I"), 32), 6: _Sweep([], 128)}
        for position, prefix in sorted(enumerate(prefixes), key=_outermost_first):
            first = int(prefix.network_address)
            last = first | ((1 << (prefix.max_prefixlen - prefix.prefixlen)) - 1)
            positions[prefix.version].open(first, last, position)
        for sweep in positions.values():
            sweep.close_all()
        self._starts: dict[int, Sequence[int]] = {version: sweep.starts for version, sweep in positions.items()}
        self._slots: dict[int, Sequence[int]] = {version: sweep.slots for version, sweep in positions.items()}

    def find(self, ip: IPAddress) -> int | None:
        """Position of the longest prefix that covers *ip*, or None when no prefix does."""
        version = ip.version
        slot = self._slots[version][bisect_right(self._starts[version], int(ip)) - 1]
        return None if slot == _NONE else slot


def _outermost_first(entry: tuple[int, IPNetwork]) -> tuple[int, int, int, int]:
    position, prefix = entry
    return prefix.version, int(prefix.network_address), prefix.prefixlen, position


class _Sweep:
    """Walks prefixes from the lowest address up, keeping a stack of those that are open."""

    def __init__(self, starts: MutableSequence[int], bits: int) -> None:
        self.starts = starts
        self.slots = array("l")
        self._top = (1 << bits) - 1
        self._open: list[tuple[int, int]] = []
        self._mark(0, _NONE)

    def open(self, first: int, last: int, slot: int) -> None:
        while self._open and self._open[-1][0] < first:
            self._close()
        self._mark(first, slot)
        self._open.append((last, slot))

    def close_all(self) -> None:
        while self._open:
            self._close()

    def _close(self) -> None:
        last, _ = self._open.pop()
        if last < self._top:
            self._mark(last + 1, self._open[-1][1] if self._open else _NONE)

    def _mark(self, start: int, slot: int) -> None:
        """From *start* on, *slot* is the most specific; a later word on the same start replaces an earlier one."""
        if self.starts and self.starts[-1] == start:
            self.slots[-1] = slot
        else:
            self.starts.append(start)
            self.slots.append(slot)


class ContainerIndex:
    """Maps a prefix to the position of the longest given prefix that contains all of it (or is the same)."""

    def __init__(self, prefixes: Iterable[IPNetwork]) -> None:
        lengths: dict[int, dict[int, dict[int, int]]] = {4: {}, 6: {}}
        for position, prefix in enumerate(prefixes):
            shift = prefix.max_prefixlen - prefix.prefixlen
            lengths[prefix.version].setdefault(shift, {})[int(prefix.network_address) >> shift] = position
        self._longest_first = {version: sorted(by.items()) for version, by in lengths.items()}

    def find(self, prefix: IPNetwork) -> int | None:
        number = int(prefix.network_address)
        narrowest = prefix.max_prefixlen - prefix.prefixlen
        for shift, positions in self._longest_first[prefix.version]:
            if shift >= narrowest and (number >> shift) in positions:
                return positions[number >> shift]
        return None
