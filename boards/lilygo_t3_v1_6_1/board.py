"""LILYGO T3 V1.6.1 (ESP32-PICO-D4, SX1276): LoRaWAN, Wi-Fi, one radar or two light barriers.

Wiring and its source are in board.toml.
"""

import machine
from esp32 import NVS
from esp32_board import Esp32Board
from rtc import shared

_LED = 25
_UART = (4, 34)
_BEAMS = (13, 14)
_SCK, _MISO, _MOSI, _CS = 5, 19, 27, 18
_RESET, _DIO0, _DIO1 = 23, 26, 33
_SPI_HZ = 8_000_000


class Board(Esp32Board):
    NAME = "lilygo_t3_v1_6_1"

    def __init__(self):
        super().__init__(_LED, _UART, _BEAMS)
        self._memory, self._session = shared(machine.RTC())

    def rtc_memory(self):
        return self._memory

    def lorawan(self, nvs, log):
        """The station over the SX1276; raises ValueError, OSError."""
        from lora_station import bare  # RAM: only a node with LoRaWAN pays for it
        from radio.sx127x import SX127x

        pin = machine.Pin
        spi = machine.SPI(
            1, baudrate=_SPI_HZ, sck=pin(_SCK), mosi=pin(_MOSI), miso=pin(_MISO)
        )  # fmt: skip
        lines = pin(_CS, pin.OUT, value=1), pin(_RESET, pin.OUT, value=1), pin(_DIO0), pin(_DIO1)
        driver = SX127x(spi, lines, {"pa_boost": True})
        return bare(driver, nvs, NVS("lora"), rng=self.random, log=log, recent=self._session)
