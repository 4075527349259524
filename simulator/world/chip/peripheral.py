"""Peripherals of a board besides its detector: a chip on pins and an SPI bus."""

from __future__ import annotations

from errno import ENODEV
from typing import Protocol

from simulator.world.protocol import Op, Request


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


def bus_answer(chip: Peripheral, detector: object, request: Request) -> tuple[int, bytes]:
    """(error, bytes that were read) of a transfer: SPI to the chip, I2C to the detector."""
    if request.op is Op.SPI:
        return 0, chip.spi(request.data)
    return _i2c_answer(detector, request)


def _i2c_answer(device: object, request: Request) -> tuple[int, bytes]:
    """(error, bytes that were read) of a transfer: a = 1 writes, b is address and register. One
    device is on the bus. Any other address has none."""
    address, register = request.b >> 16, request.b & 0xFFFF
    i2c = getattr(device, "i2c", None)
    if i2c is None or address != getattr(device, "ADDRESS", 0):
        return ENODEV, b""
    size = 0 if request.a else request.data[0]
    answer = i2c(request.now_us, register, request.data if request.a else None, size)
    return (answer, b"") if isinstance(answer, int) else (0, answer)
