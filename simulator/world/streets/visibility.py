"""Road users that are within a detector's field of view at a given time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter
from typing import Generic, Protocol, TypeVar


class Trajectory(Protocol):
    """A road user's stay in the field of view. Times are in virtual microseconds."""

    @property
    def start_us(self) -> int: ...

    @property
    def end_us(self) -> int: ...


W = TypeVar("W", bound=Trajectory)


class Visibility(Generic[W]):
    """All trajectories of a street, in order of their start. `starts_us` are their start times."""

    def __init__(self, trajectories: Iterable[W]) -> None:
        self.trajectories = sorted(trajectories, key=attrgetter("start_us"))
        self.starts_us = [trajectory.start_us for trajectory in self.trajectories]
        self._longest_us = max(
            (trajectory.end_us - trajectory.start_us for trajectory in self.trajectories),
            default=0,
        )

    def visible(self, t_us: int) -> tuple[list[W], int]:
        """The trajectories at a time, and the index of the one that starts next."""
        first = bisect_left(self.starts_us, t_us - self._longest_us)
        following = bisect_left(self.starts_us, t_us + 1)
        return [
            trajectory
            for trajectory in self.trajectories[first:following]
            if trajectory.end_us > t_us
        ], following
