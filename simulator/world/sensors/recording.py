"""A detector that plays a recording: the bytes of a real sensor come again, at their times.

The sensor's model answers the node's commands, as the real sensor did when it was set up.
"""

from __future__ import annotations

from bisect import bisect_right

from simulator.world.protocol import Input
from simulator.world.spec import Detector


class RecordedDetector:
    """inputs: (us since the start, port, bytes), oldest first. model: with an empty street."""

    def __init__(self, inputs: list[Input], model: Detector) -> None:
        self._inputs = inputs
        self._times = [one[0] for one in inputs]
        self._model = model
        self._on = True
        self.frames = len(inputs)

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        first, last = bisect_right(self._times, t0_us), bisect_right(self._times, t1_us)
        return self._inputs[first : min(last, first + limit)] if self._on else []

    def write(self, t_us: int, data: bytes) -> list[Input]:
        return self._model.write(t_us, data)

    def power(self, t_us: int, on: bool) -> None:
        self._on = on
        self._model.power(t_us, on)
