"""LoRaWAN on boards with a bare transceiver of Semtech: its bus, and our own MAC over it.

Only `Board.lorawan()` imports it: a node without LoRaWAN does not need it in memory.
"""

import machine
from delivery.lorawan.radio_device import radio_device
from esp32 import NVS
from micropython import const

_SPI_HZ = const(8_000_000)


def wires(bus, lines):
    """Return the bus and the lines for a driver.

    bus: GPIO of SCK, MISO, MOSI. lines: GPIO of CS, RESET, BUSY or DIO0, DIO1. The radio drives
    the last two.
    """
    pin = machine.Pin
    sck, miso, mosi = bus
    cs, reset, first, second = lines
    spi = machine.SPI(1, baudrate=_SPI_HZ, sck=pin(sck), mosi=pin(mosi), miso=pin(miso))
    cs, reset = pin(cs, pin.OUT, value=1), pin(reset, pin.OUT, value=1)
    return spi, (cs, reset, pin(first), pin(second))


def end_device(board, driver, keys, log, region):
    """The LoRaWAN device over `driver`. Raises ValueError, OSError."""
    return radio_device(
        driver, keys, NVS("lora"), rng=board.random, log=log, recent=board.session, region=region
    )  # fmt: skip
