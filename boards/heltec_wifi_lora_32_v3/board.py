"""Heltec WiFi LoRa 32 V3 (ESP32-S3, SX1262): LoRaWAN, Wi-Fi, one radar or two light barriers.

Wiring and its source are in board.toml.
"""

from esp32_board import Esp32Board

_LED = 35
_UART = (47, 48)
_BEAMS = (4, 5)
_BUS = (9, 11, 10)  # SCK, MISO, MOSI
_CS, _RESET, _BUSY, _DIO1 = 8, 12, 13, 14


class Board(Esp32Board):
    NAME = "heltec_wifi_lora_32_v3"

    def __init__(self):
        super().__init__(_LED, _UART, _BEAMS, shares_rtc=True)

    def lorawan(self, keys, log, region):
        """The LoRaWAN device over the SX1262. Raises ValueError, OSError."""
        from bare_radio import end_device, wires  # RAM: only a node with LoRaWAN pays for it
        from radio.sx126x import SX126x

        spi, lines = wires(_BUS, (_CS, _RESET, _BUSY, _DIO1))
        driver = SX126x(spi, lines, {"tcxo_mv": 1800, "dio2_switch": True})
        return end_device(self, driver, keys, log, region)
