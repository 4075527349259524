"""ESP32 DevKit (ESP32-WROOM-32, 4 MB): Wi-Fi, one radar on UART1 or two light barriers.

Wiring and its source are in board.toml.
"""

from esp32_board import Esp32Board

_LED = 2
_UART = (17, 16)
_BEAMS = (25, 26)


class Board(Esp32Board):
    NAME = "esp32_generic"

    def __init__(self):
        super().__init__(_LED, _UART, _BEAMS)
