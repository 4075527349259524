"""XIAO ESP32S3 with the kit's Wio-SX1262: LoRaWAN, Wi-Fi, one radar or two light barriers.

Wiring and its source are in board.toml. DIO2 of the SX1262 switches the antenna to the transmitter
by itself; the receiver's side of that switch is ours.
"""

import machine
from esp32_board import Esp32Board

_LED = 48
_UART = (5, 6)
_BEAMS = (1, 2)
_BUS = (7, 8, 9)  # SCK, MISO, MOSI
_CS, _RESET, _BUSY, _DIO1, _SWITCH = 41, 42, 40, 39, 38


class Board(Esp32Board):
    NAME = "xiao_esp32s3_wio_sx1262"

    def __init__(self):
        super().__init__(_LED, _UART, _BEAMS, shares_rtc=True)

    def lorawan(self, keys, log, region):
        """The LoRaWAN device over the SX1262. Raises ValueError, OSError."""
        from bare_radio import end_device, wires  # RAM: only a node with LoRaWAN pays for it
        from radio.sx126x import SX126x

        spi, lines = wires(_BUS, (_CS, _RESET, _BUSY, _DIO1))
        switch = machine.Pin(_SWITCH, machine.Pin.OUT, value=0)
        options = {
            "tcxo_mv": 1800, "dio2_switch": True,
            "switch": lambda mode: switch.value(mode == 1),  # 0 off, 1 receive, 2 transmit
        }  # fmt: skip
        driver = SX126x(spi, lines, options)
        return end_device(self, driver, keys, log, region)
