"""Heltec WiFi LoRa 32 V3 (ESP32-S3, SX1262): LoRaWAN, Wi-Fi, one radar or two light barriers.

Wiring and its source are in board.toml.
"""

import machine
from esp32 import NVS
from esp32_board import Esp32Board
from rtc import shared

_LED = 35
_UART = (47, 48)
_BEAMS = (4, 5)
_SCK, _MISO, _MOSI, _CS = 9, 11, 10, 8
_RESET, _BUSY, _DIO1 = 12, 13, 14
_SPI_HZ = 8_000_000


class Board(Esp32Board):
    NAME = "heltec_wifi_lora_32_v3"

    def __init__(self):
        super().__init__(_LED, _UART, _BEAMS)
        self._memory, self._session = shared(machine.RTC())

    def rtc_memory(self):
        return self._memory

    def lorawan(self, nvs, log):
        """The station over the SX1262; raises ValueError, OSError."""
        from lora_station import bare  # RAM: only a node with LoRaWAN pays for it
        from radio.sx126x import SX126x

        pin = machine.Pin
        spi = machine.SPI(
            1, baudrate=_SPI_HZ, sck=pin(_SCK), mosi=pin(_MOSI), miso=pin(_MISO)
        )  # fmt: skip
        lines = pin(_CS, pin.OUT, value=1), pin(_RESET, pin.OUT, value=1), pin(_BUSY), pin(_DIO1)
        driver = SX126x(spi, lines, {"tcxo_mv": 1800, "dio2_switch": True})
        return bare(driver, nvs, NVS("lora"), rng=self.random, log=log, recent=self._session)
