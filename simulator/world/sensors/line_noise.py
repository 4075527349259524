"""A damaged line between a detector and its node.

Faults, as shares of the reports: `torn` (cut off), `glued` (a rest of rubbish in front), `flipped`
(one bit).

A noisy detector draws what happens to a report from the report's own moment: what the node asked
or was told before changes none of it, so that two lives of a node can be compared.
"""

from __future__ import annotations

import random


def reseed(rng: random.Random, seed: int, t_us: int, faults: dict[str, float]) -> None:
    """Make `rng` that of the report at `t_us`; without faults it goes on, which is faster."""
    if faults:
        rng.seed(seed + t_us)


def corrupt(report: bytes, rng: random.Random, faults: dict[str, float]) -> bytes:
    """What arrives of a report; without faults nothing is drawn."""
    if not faults:
        return report
    if rng.random() < faults.get("torn", 0):
        return report[: rng.randrange(1, len(report))]
    if rng.random() < faults.get("glued", 0):
        return rng.randbytes(rng.randrange(1, 12)) + report
    if rng.random() < faults.get("flipped", 0):
        hurt = bytearray(report)
        hurt[rng.randrange(len(hurt))] ^= 1 << rng.randrange(8)
        return bytes(hurt)
    return report
