"""LoRaWAN on the boards with a bare transceiver of Semtech's: its bus, our own station over it.

Imported only by `Board.lorawan()`, so that a node without LoRaWAN does not pay for it.
"""

import machine
from esp32 import NVS
from delivery.lorawan.device import bare
from micropython import const

_SPI_HZ = const(8_000_000)


def wires(bus, lines):
    """What a driver takes. bus: (SCK, MISO, MOSI). lines: (CS, RESET, BUSY or DIO0, DIO1); the
    radio speaks on the last two."""
    pin = machine.Pin
    sck, miso, mosi = bus
    cs, reset, first, second = lines
    spi = machine.SPI(1, baudrate=_SPI_HZ, sck=pin(sck), mosi=pin(mosi), miso=pin(miso))
    cs, reset = pin(cs, pin.OUT, value=1), pin(reset, pin.OUT, value=1)
    return spi, (cs, reset, pin(first), pin(second))


def station(board, driver, nvs, log, region):
    """The station over `driver`; raises ValueError, OSError."""
    return bare(
        driver, nvs, NVS("lora"), rng=board.random, log=log, recent=board.session, region=region
    )  # fmt: skip
