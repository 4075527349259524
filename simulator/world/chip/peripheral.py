"""Peripherals of a board besides its detector: a chip on pins and an SPI bus."""

from __future__ import annotations

from typing import Protocol


class Peripheral(Protocol):
    """A chip on the board's pins and its SPI bus.

    It answers at once. It moves its own lines with `Node.edge()`.
    """

    def on_start(self) -> None:
        """The board's processor has started and knows no line yet."""

    def pin(self, gpio: int, level: int) -> None: ...

    def spi(self, data: bytes) -> bytes: ...

    def power(self, on: bool) -> None: ...


class NoPeripheral:
    """A board without further chips."""

    def on_start(self) -> None:
        return None

    def pin(self, _gpio: int, _level: int) -> None:
        return None

    def spi(self, data: bytes) -> bytes:
        return bytes(len(data))

    def power(self, _on: bool) -> None:
        return None
