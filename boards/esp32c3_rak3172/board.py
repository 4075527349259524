"""ESP32-C3 with a RAK3172 (RUI3) on UART1: LoRaWAN by AT commands, Wi-Fi, two light barriers.

Wiring and its source are in board.toml. There is no line for a radar: UART0 is the console.
"""

import time

import machine
from esp32_board import Esp32Board

_LED = 10
_BEAMS = (3, 7)
_TX, _RX, _RESET = 5, 4, 6
_MODEM_BAUD = 115_200
_RESET_MS = 10


class Board(Esp32Board):
    NAME = "esp32c3_rak3172"

    def __init__(self):
        super().__init__(_LED, None, _BEAMS)

    def lorawan(self, keys, log, region):
        """The LoRaWAN device on the modem. Raises ValueError."""
        from delivery.lorawan.modem_device import modem_device

        uart = machine.UART(
            1, _MODEM_BAUD, tx=_TX, rx=_RX, rxbuf=1024, timeout=0, timeout_char=2
        )  # fmt: skip
        line = machine.Pin(_RESET, machine.Pin.OPEN_DRAIN, value=1)

        def reset():
            line.value(0)
            time.sleep_ms(_RESET_MS)
            line.value(1)

        return modem_device(
            uart, "rui3", keys, rng=self.random, log=log, reset=reset, region=region
        )  # fmt: skip
