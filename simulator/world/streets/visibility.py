"""Who is in a detector's sight at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter
from typing import Generic, Protocol, TypeVar


class Trajectory(Protocol):
    """A road user's way through the sight; times in virtual us."""

    @property
    def start_us(self) -> int: ...

    @property
    def end_us(self) -> int: ...


W = TypeVar("W", bound=Trajectory)


class Visibility(Generic[W]):
    """All ways of a street, in order of their start; `starts` are their times."""

    def __init__(self, trajectories: Iterable[W]) -> None:
        self.trajectories = sorted(trajectories, key=attrgetter("start_us"))
        self.starts_us = [trajectory.start_us for trajectory in self.trajectories]
        self._longest_us = max(
            (trajectory.end_us - trajectory.start_us for trajectory in self.trajectories),
            default=0,
        )

    def visible(self, t_us: int) -> tuple[list[W], int]:
        """Who is there, and the place in `ways` of whoever comes next."""
        first = bisect_left(self.starts_us, t_us - self._longest_us)
        following = bisect_left(self.starts_us, t_us + 1)
        return [
            trajectory
            for trajectory in self.trajectories[first:following]
            if trajectory.end_us > t_us
        ], following
