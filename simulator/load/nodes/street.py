"""The records of a node under load: a made-up street, the same each day, of 24 kinds of interval.

A record is made when it is sent, and the same number always gives the same record: so a node with
a backlog of months takes no memory for it. Cumulative totals are right for every number.
"""

from __future__ import annotations

import random

from simulator.load.nodes import texts

LENGTH_S = 900
_KINDS = 24
_BUSIEST = 60  # passages of an interval in one direction, at most


class Street:
    """The intervals of all nodes. base: unix seconds of the start of interval 1.

    digest: of the configuration, 8 hexadecimal digits.
    """

    def __init__(self, seed: int, base: int, digest: str) -> None:
        rng = random.Random(seed)
        self._base = base
        self._digest = digest
        kinds = [_counts(rng, kind) for kind in range(_KINDS)]
        self._middle = [_middle(rng, counts) for counts in kinds]
        self._before = [[0] * 10]  # totals in front of each kind
        for counts in kinds:
            self._before.append([a + b for a, b in zip(self._before[-1], counts, strict=True)])

    def interval(self, seq: int) -> str:
        """The JSON of an interval record. seq: from 1 on."""
        days, kind = divmod(seq - 1, _KINDS)
        day, before = self._before[-1], self._before[kind + 1]
        totals = [days * a + b & 0x3FFFFFFF for a, b in zip(day, before, strict=True)]
        counts, speed = self._middle[kind]
        uptime = (seq - 1) * LENGTH_S
        return "".join(
            (
                texts.head(seq, self._base + uptime, LENGTH_S, LENGTH_S), counts,
                texts.tally("total", totals), speed,
                texts.tail(uptime, uptime % 3600, "ok", self._digest),
            )
        )  # fmt: skip


def _counts(rng: random.Random, kind: int) -> list[int]:
    """Ten numbers: an empty night, and days with more cars than others."""
    busy = 0 if kind < 5 else _BUSIEST
    share = (0.1, 0.2, 1.0, 0.15, 0.05)
    return [rng.randint(0, int(busy * part)) for _direction in range(2) for part in share]


def _middle(rng: random.Random, counts: list[int]) -> tuple[str, str]:
    """The two parts of a record that its number does not change."""
    speed, spacing = [], []
    for direction in range(2):
        n = sum(counts[5 * direction : 5 * direction + 5])
        hist: dict[int, int] = {}
        for _ in range(n):
            bin_ = max(0, min(31, round(rng.gauss(10, 3))))
            hist[bin_] = hist.get(bin_, 0) + 1
        mean = sum(4 * bin_ + 2 for bin_ in hist for _ in range(hist[bin_])) / n if n else None
        speed.append((mean, mean, n, sorted(hist.items())))
        spacing.append((LENGTH_S / n if n else None, None, None, max(n - 1, 0)))
    parts = texts.speeds(speed)
    if any(n for *_, n in spacing):
        parts += texts.spacing(spacing)
    return texts.tally("counts", counts), parts
