"""Two infrared light barriers across a path, and how bodies, legs, wheels and spokes break them.

A pedestrian is a trunk and, at knee height, two legs with a gap. A bicycle is two wheels with
spokes, and between them the frame, pedals and legs. The sensors react after 2 ms (through-beam
class) and may bounce. Level 0 = the beam is broken.

Faults: `bounce` is the share of edges with contact bounce. `turn_back` adds, for that share of the
road users, another one that turns back in the gate and is not in the truth. `blocked_from`,
`blocked_to` (seconds): a vehicle parks in beam A. `drops`: rain breaks a beam that many times an
hour for 1 to 15 ms. `chatter_at`: at this second a loose contact breaks A 1,000 times within a
second.
"""

from __future__ import annotations

import random

from simulator.world.protocol import Input
from simulator.world.streets.street import RoadUser, Street

PORT = 0x40
GAP_M = 0.30
RESPONSE_US = 2_000
CHATTER_PULSES = 1000  # in a second
U_TURN_US = 1_500_000


class Beams:
    """The barriers at the line of a street, `GAP_M` apart. A is in front for `forward`.

    pins: GPIO of A and B.
    """

    def __init__(
        self,
        street: Street,
        rng: random.Random,
        faults: dict[str, float] | None = None,
        pins: tuple[int, int] = (25, 26),
    ) -> None:
        self._rng = rng
        self._faults = faults or {}
        self._pins = pins
        interruptions: dict[int, list[tuple[int, int]]] = {gpio: [] for gpio in pins}
        for user in street.users:
            self._interrupt(user, interruptions)
        self._turn_back(street.users, interruptions)
        self._rain(street.span_us, interruptions)
        self._edges = self._to_edges(interruptions)
        self._next = 0
        self._on = True

    def _interrupt(self, user: RoadUser, interruptions: dict[int, list[tuple[int, int]]]) -> None:
        speed = user.speed_kmh / 3.6
        pieces = self._silhouette(user)
        order = self._pins if user.direction == "forward" else self._pins[::-1]
        for i, gpio in enumerate(order):
            reached = user.t_us + int(i * GAP_M / speed * 1e6)
            for start, end in pieces:
                interruptions[gpio].append(
                    (reached + int(start / speed * 1e6), reached + int(end / speed * 1e6))
                )

    def _turn_back(
        self, users: list[RoadUser], interruptions: dict[int, list[tuple[int, int]]]
    ) -> None:
        """Between two road users another one enters the gate. It goes back before it has left the
        gate on the other side."""
        rng, share = self._rng, self._faults.get("turn_back", 0)
        if not share:
            return
        for before, after in zip(users, users[1:]):
            if after.t_us - before.t_us < 4 * U_TURN_US or rng.random() >= share:
                continue
            comes_us, speed = before.t_us + 2 * U_TURN_US, rng.uniform(0.8, 1.4)
            body, depth = rng.uniform(0.25, 0.40), rng.uniform(0.05, GAP_M + 0.2)
            first, second = rng.sample(self._pins, 2)
            for gpio, at in ((first, 0.0), (second, GAP_M)):
                inside = min(depth - at, body)  # of the body, in the beam
                if inside <= 0:
                    continue
                back = 2 * depth - at
                for start, end in ((at, at + inside), (back - inside, back)):
                    span = int(start / speed * 1e6), int(end / speed * 1e6)
                    interruptions[gpio].append((comes_us + span[0], comes_us + span[1]))

    def _rain(self, span_us: int, interruptions: dict[int, list[tuple[int, int]]]) -> None:
        rng = self._rng
        for _ in range(int(self._faults.get("drops", 0) * span_us / 3.6e9)):
            at_us = rng.randrange(span_us)
            interruptions[rng.choice(self._pins)].append(
                (at_us, at_us + rng.randrange(1_000, 15_000))
            )

    def _silhouette(self, user: RoadUser) -> list[tuple[float, float]]:
        """Parts of a road user that break a beam: from, to in metres behind the front."""
        rng, length = self._rng, user.length_m
        if user.cls == "pedestrian":
            if rng.random() < 0.5:
                return [(0.0, length)]
            gap = rng.uniform(0.02, 0.10)
            first = rng.uniform(0.3, 0.6) * (length - gap)
            return [(0.0, first), (first + gap, length)]
        pieces = rng.randrange(3, 8)
        cuts = sorted(rng.uniform(0.1, 0.9) for _ in range(pieces - 1))
        edges = [0.0, *(cut * length for cut in cuts), length]
        out: list[tuple[float, float]] = []
        for start, end in zip(edges, edges[1:]):
            gap = min(rng.uniform(0.02, 0.12), (end - start) * 0.4)
            out.append((start, end if end == length else end - gap))
        return out

    def _to_edges(
        self, interruptions: dict[int, list[tuple[int, int]]]
    ) -> list[tuple[int, int, int]]:
        """Edges (t_us, gpio, level) of overlapping interruptions, with the sensors' response
        time."""
        blocked = self._faults.get("blocked_from")
        if blocked is not None:
            until = self._faults["blocked_to"]
            interruptions[self._pins[0]].append((int(blocked * 1e6), int(until * 1e6)))
        edges: list[tuple[int, int, int]] = []
        for gpio, spans in interruptions.items():
            for start, end in _merged(sorted(spans)):
                if end - start > RESPONSE_US:
                    edges += self._edge(start + RESPONSE_US, gpio, 0)
                    edges += self._edge(end + RESPONSE_US, gpio, 1)
        if chatter := self._faults.get("chatter_at"):
            start, gpio = int(chatter * 1e6), self._pins[0]
            edges += [(start + 500 * i, gpio, i % 2) for i in range(2 * CHATTER_PULSES)]
        return sorted(edges)

    def _edge(self, t_us: int, gpio: int, level: int) -> list[tuple[int, int, int]]:
        edges = [(t_us, gpio, level)]
        if self._faults and self._rng.random() < self._faults.get("bounce", 0):
            edges += [(t_us + 150, gpio, 1 - level), (t_us + 400, gpio, level)]
        return edges

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        """Edges with t0 < t <= t1, at most `limit`."""
        edges = self._edges
        i = self._next
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


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in spans:
        if out and start <= out[-1][1] + 2 * RESPONSE_US:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
