"""ESP32 DevKit with a WROVER module (PSRAM): Wi-Fi, one radar on UART1 or two light barriers.

Wiring and its source are in board.toml.
"""

from esp32_board import Esp32Board

_LED = 2
_UART = (32, 33)
_BEAMS = (25, 26)


class Board(Esp32Board):
    NAME = "esp32_wrover"

    def __init__(self):
        super().__init__(_LED, _UART, _BEAMS)
