"""A LoRa transceiver on a board: which pin is which line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol


class PinHost(Protocol):
    """The node, as `simulator.world.kernel.Node` is one."""

    now_us: int

    def call_at(self, t_us: int, function: Callable[[], None]) -> None: ...

    def edge(self, gpio: int, level: int) -> None: ...


class Chip(Protocol):
    def reset(self, level: int) -> None: ...

    def select(self, level: int) -> None: ...

    def transfer(self, data: bytes) -> bytes: ...

    def lines(self) -> dict[str, int]: ...


class Wiring:
    """pins: by the name of the line ("cs", "reset", and those that the chip drives).

    late_us: delay of the next edge of an interrupt line, by scheduler or garbage collection. The
    chip is given to `connect_chip()`, because it needs this object as its host.
    """

    def __init__(self, host: PinHost, pins: Mapping[str, int]) -> None:
        self._host = host
        self._pins = dict(pins)
        self._chip: Chip | None = None
        self.late_us: Callable[[], int] = lambda: 0

    def connect_chip(self, chip: Chip) -> None:
        self._chip = chip

    # --- to the chip

    def on_start(self) -> None:
        for name, level in self._lines().items():
            self.line(name, level)

    def _lines(self) -> dict[str, int]:
        return self._chip.lines() if self._chip else {}

    def power(self, on: bool) -> None:
        if self._chip:
            self._chip.reset(int(on))

    def pin(self, gpio: int, level: int) -> None:
        if self._chip is None:
            return
        if gpio == self._pins["cs"]:
            self._chip.select(level)
        elif gpio == self._pins["reset"]:
            self._chip.reset(level)

    def spi(self, data: bytes) -> bytes:
        return self._chip.transfer(data) if self._chip else bytes(len(data))

    # --- from the chip

    @property
    def now_us(self) -> int:
        return self._host.now_us

    def call_at(self, t_us: int, function: Callable[[], None]) -> None:
        self._host.call_at(t_us, function)

    def line(self, name: str, level: int) -> None:
        gpio = self._pins.get(name)
        if gpio is None:
            return
        late_us = self.late_us() if name.startswith("dio") and level else 0
        if late_us:
            self.call_at(self.now_us + late_us, partial(self._host.edge, gpio, level))
        else:
            self._host.edge(gpio, level)
