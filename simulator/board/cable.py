"""Faults of a cable, and of the board on it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class CableFaults:
    """unplug_after: the cable is pulled after that many bytes, both directions together, once.

    noise: share of bytes with a flipped bit. read_only: the flash chip takes no writes. seed: of
    all random numbers.
    """

    unplug_after: int | None = None
    noise: float = 0.0
    read_only: bool = False
    seed: int = 1


class Cable:
    """Carries bytes in both directions, or not. pull: unplugs the board."""

    def __init__(self, faults: CableFaults, pull: Callable[[], None]) -> None:
        self.faults = faults
        self._pull = pull
        self._rng = random.Random(f"{faults.seed}/cable")

    def to_board(self, data: bytes) -> bytes:
        return self._carry(data)

    def to_host(self, data: bytes) -> bytes:
        return self._carry(data)

    def _carry(self, data: bytes) -> bytes:
        left = self.faults.unplug_after
        if left is not None:
            self.faults.unplug_after = left - len(data) if left > len(data) else None
            if left <= len(data):
                self._pull()
                return b""
        if not self.faults.noise:
            return data
        return bytes(byte ^ self._flip() for byte in data)

    def _flip(self) -> int:
        if self._rng.random() >= self.faults.noise:
            return 0
        return 1 << self._rng.randrange(8)
