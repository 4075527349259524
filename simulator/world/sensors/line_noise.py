"""A damaged line between a detector and its node.

Faults, as shares of the reports: `torn` (cut off), `glued` (rubbish in front), `flipped` (one
bit).

A noisy detector draws the damage of a report from the report's own time. Earlier commands of the
node change none of it, so that two boots of a node can be compared.
"""

from __future__ import annotations

import random


def reseed(rng: random.Random, seed: int, t_us: int, faults: dict[str, float]) -> None:
    """Seed `rng` for the report at `t_us`. Without faults it just goes on, which is faster."""
    if faults:
        rng.seed(seed + t_us)


def corrupt(report: bytes, rng: random.Random, faults: dict[str, float]) -> bytes:
    """A report as it arrives. Without faults nothing is drawn."""
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
