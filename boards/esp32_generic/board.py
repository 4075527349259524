"""ESP32 DevKit (ESP32-WROOM-32, 4 MB): Wi-Fi, one radar on UART1 or two light barriers.

The only module of this image that knows pins, buses and partitions. Wiring and its source are in
board.toml.
"""

import random
import sys
import time

import machine
import network
from esp32 import NVS, Partition, raw_temperature

_UART_TX, _UART_RX = 17, 16
_BEAM_A, _BEAM_B = 25, 26
_LED = 2
_EPOCH_2000 = 946_684_800


class RtcMemory:
    """2048 bytes that outlive every reset but not the power."""

    def __init__(self):
        self._rtc = machine.RTC()

    def read(self):
        return self._rtc.memory()

    def write(self, data):
        self._rtc.memory(data)


class Board:
    NAME = "esp32_generic"

    def __init__(self):
        self._led = machine.Pin(_LED, machine.Pin.OUT, value=0)

    def uart(self):
        """The radar's line; the buffer holds 30 s of three targets: name servers may take long."""
        return machine.UART(
            1, 115200, tx=_UART_TX, rx=_UART_RX, rxbuf=8192, timeout=0, timeout_char=2
        )

    def beam_pins(self):
        pull = machine.Pin.PULL_UP
        return (
            machine.Pin(_BEAM_A, machine.Pin.IN, pull),
            machine.Pin(_BEAM_B, machine.Pin.IN, pull),
        )

    def ring_partition(self):
        found = Partition.find(Partition.TYPE_DATA, label="ring")
        if not found:
            raise OSError("no partition named ring: flash this board's partition table")
        return found[0]

    def nvs(self, namespace):
        return NVS(namespace)

    def rtc_memory(self):
        return RtcMemory()

    def watchdog(self, timeout_ms):
        return machine.WDT(timeout=timeout_ms)

    def wlan(self):
        return network.WLAN(network.STA_IF)

    def reset(self):
        machine.reset()

    def reset_cause(self):
        """1 power on, 2 hard, 3 watchdog, 4 deep sleep, 5 soft."""
        return machine.reset_cause()

    def unique_id(self):
        return machine.unique_id()

    def led(self, on):
        self._led.value(1 if on else 0)

    def set_utc(self, unix):
        """Set the real-time clock to unix seconds."""
        parts = time.gmtime(unix - _EPOCH_2000)
        machine.RTC().datetime(parts[:3] + (0,) + parts[3:6] + (0,))

    def random(self, bits):
        """`bits` (at most 24) random bits; the port seeds the generator from the radio's noise."""
        return random.getrandbits(bits)

    def temperature_c(self):
        return (raw_temperature() - 32) * 5 // 9

    def print_exception(self, error):
        sys.print_exception(error)
