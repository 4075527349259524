"""LILYGO T3 V1.6.1 (ESP32-PICO-D4, SX1276): LoRaWAN, Wi-Fi, one radar or two light barriers.

Wiring and its source are in board.toml.
"""

from esp32_board import Esp32Board

_LED = 25
_UART = (4, 34)
_BEAMS = (13, 14)
_BUS = (5, 19, 27)  # SCK, MISO, MOSI
_CS, _RESET, _DIO0, _DIO1 = 18, 23, 26, 33


class Board(Esp32Board):
    NAME = "lilygo_t3_v1_6_1"

    def __init__(self):
        super().__init__(_LED, _UART, _BEAMS, shares_rtc=True)

    def lorawan(self, keys, log, region):
        """The LoRaWAN device over the SX1276. Raises ValueError, OSError."""
        from bare_radio import end_device, wires  # RAM: only a node with LoRaWAN pays for it
        from radio.sx127x import SX127x

        spi, lines = wires(_BUS, (_CS, _RESET, _DIO0, _DIO1))
        driver = SX127x(spi, lines, {"pa_boost": True})
        return end_device(self, driver, keys, log, region)
