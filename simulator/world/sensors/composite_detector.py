"""A detector and a modem on one board: two that speak, each on a line of its own."""

from __future__ import annotations

from simulator.world.spec import Detector
from simulator.world.lorawan.modems.at_modem import Modem
from simulator.world.protocol import Input


class CompositeDetector:
    """What the node writes is for the modem: the detector has no line to be spoken to.

    Both are asked for what one window may hold. What does not fit is asked for again with the next
    window: both know their future, so that they say the same again.
    """

    def __init__(self, detector: Detector, modem: Modem) -> None:
        self._detector = detector
        self._modem = modem

    def generate(self, t0_us: int, t1_us: int, limit: int) -> list[Input]:
        inputs = self._detector.generate(t0_us, t1_us, limit)
        inputs += self._modem.generate(t0_us, t1_us, limit)
        return sorted(inputs, key=lambda one: one[0])[:limit]

    def write(self, t_us: int, data: bytes) -> list[Input]:
        return self._modem.write(t_us, data)

    def power(self, t_us: int, on: bool) -> None:
        self._detector.power(t_us, on)
        self._modem.power(t_us, on)
