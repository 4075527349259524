"""Two pyroelectric sensors across a path, edge by edge. Output high = active.

A sensor reacts 0.15 to 0.35 s after a warm body enters its field, and stays active for 0.4 to
0.7 s after the body has left (assumed: sensors with a digital output, without a timer). Bodies
that follow within this time are one. A body whose temperature is near that of the wall behind it
is not seen: 3 % in the mean (assumed; published sensitivities of passive counters are 73 to 97 %).

Faults: `warm` is the share of bodies not seen on a hot day, instead of 3 %. `sun`: reactions an
hour of each sensor to moving shade. `stuck_from`: from this second on sensor A stays active.
`dead_from`: from this second on sensor B never reacts.
"""

from __future__ import annotations

import random

from simulator.world.protocol import Input
from simulator.world.sensors.beams import PORT
from simulator.world.streets.street import RoadUser, Street

GAP_M = 0.4  # between the fields
FIELD_M = 0.25  # width of a field
LATENCY_S = (0.15, 0.35)
HOLD_S = (0.4, 0.7)
UNSEEN = 0.03
SHADE_S = (0.3, 1.5)
Spans = list[tuple[int, int]]


class PirSensors:
    """The pair at the line of a street. A is in front for `forward`. pins: GPIO of A and B."""

    def __init__(
        self,
        street: Street,
        rng: random.Random,
        faults: dict[str, float] | None = None,
        pins: tuple[int, int] = (25, 26),
    ) -> None:
        self._rng, self._faults = rng, faults or {}
        self._on = True
        self._next = 0
        spans: dict[int, Spans] = {gpio: [] for gpio in pins}
        for user in street.users:
            self._sense(user, [spans[gpio] for gpio in pins])
        for gpio in pins:
            for _ in range(int(self._faults.get("sun", 0) * street.span_us / 3.6e9)):
                at_us = rng.randrange(street.span_us)
                spans[gpio].append((at_us, at_us + int(rng.uniform(*SHADE_S) * 1e6)))
        self._fail(pins, spans, street.span_us)
        self._edges = sorted(
            edge
            for gpio in pins
            for start, end in _merged(sorted(spans[gpio]))
            for edge in ((start, gpio, 1), (end, gpio, 0))
        )
        # Until then a pull-up of the board keeps the inputs high.
        self._edges = [(1, gpio, 0) for gpio in pins] + self._edges

    def _sense(self, user: RoadUser, fields: list[Spans]) -> None:
        rng, speed = self._rng, user.speed_kmh / 3.6
        if rng.random() < self._faults.get("warm", UNSEEN):
            return
        order = fields if user.direction == "forward" else fields[::-1]
        for i, field in enumerate(order):
            enters_us = user.t_us + int(i * GAP_M / speed * 1e6)
            stays_us = int((FIELD_M + user.length_m) / speed * 1e6)
            reacts_us = enters_us + int(rng.uniform(*LATENCY_S) * 1e6)
            field.append((reacts_us, enters_us + stays_us + int(rng.uniform(*HOLD_S) * 1e6)))

    def _fail(self, pins: tuple[int, int], spans: dict[int, Spans], span_us: int) -> None:
        if "stuck_from" in self._faults:
            spans[pins[0]].append((int(self._faults["stuck_from"] * 1e6), span_us))
        if "dead_from" in self._faults:
            dead_us = int(self._faults["dead_from"] * 1e6)
            spans[pins[1]] = [span for span in spans[pins[1]] if span[1] < dead_us]

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        """Edges with t0 < t <= t1, at most `limit`."""
        edges, i = self._edges, self._next
        while i and edges[i - 1][0] > t0_us:
            i -= 1
        while i < len(edges) and edges[i][0] <= t0_us:
            i += 1
        out: list[Input] = []
        while i < len(edges) and edges[i][0] <= t1_us and len(out) < limit:
            t_us, gpio, level = edges[i]
            if self._on:
                out.append((t_us, PORT, bytes((gpio, level))))
            i += 1
        self._next = i
        return out

    def write(self, _t_us: int, _data: bytes) -> list[Input]:
        return []

    def power(self, _t_us: int, on: bool) -> None:
        self._on = on


def _merged(spans: Spans) -> Spans:
    out: Spans = []
    for start, end in spans:
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
