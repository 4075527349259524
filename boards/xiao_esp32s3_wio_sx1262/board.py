"""XIAO ESP32S3 with the kit's Wio-SX1262: LoRaWAN, Wi-Fi, one radar or two light barriers.

Wiring and its source are in board.toml. DIO2 of the SX1262 switches the antenna to the transmitter
by itself; the receiver's side of that switch is ours.
"""

import machine
from esp32 import NVS
from esp32_board import Esp32Board
from rtc import shared

_LED = 48
_UART = (5, 6)
_BEAMS = (1, 2)
_SCK, _MISO, _MOSI, _CS = 7, 8, 9, 41
_RESET, _BUSY, _DIO1, _SWITCH = 42, 40, 39, 38
_SPI_HZ = 8_000_000


class Board(Esp32Board):
    NAME = "xiao_esp32s3_wio_sx1262"

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
        switch = pin(_SWITCH, pin.OUT, value=0)
        options = {
            "tcxo_mv": 1800, "dio2_switch": True,
            "switch": lambda way: switch.value(way == 1),  # 0 off, 1 receive, 2 transmit
        }  # fmt: skip
        driver = SX126x(spi, lines, options)
        return bare(driver, nvs, NVS("lora"), rng=self.random, log=log, recent=self._session)
