"""Who is in a detector's sight at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter
from typing import Generic, Protocol, TypeVar


class Way(Protocol):
    """A road user's way through the sight; times in virtual us."""

    @property
    def start_us(self) -> int: ...

    @property
    def end_us(self) -> int: ...


W = TypeVar("W", bound=Way)


class Passing(Generic[W]):
    """All ways of a street, in order of their start; `starts` are their times."""

    def __init__(self, ways: Iterable[W]) -> None:
        self.ways = sorted(ways, key=attrgetter("start_us"))
        self.starts = [way.start_us for way in self.ways]
        self._longest_us = max((way.end_us - way.start_us for way in self.ways), default=0)

    def at(self, t_us: int) -> tuple[list[W], int]:
        """Who is there, and the place in `ways` of whoever comes next."""
        first = bisect_left(self.starts, t_us - self._longest_us)
        following = bisect_left(self.starts, t_us + 1)
        return [way for way in self.ways[first:following] if way.end_us > t_us], following
