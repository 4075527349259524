"""The common part of boards with a chip of the ESP32 family.

Partitions, clock, watchdog, reset. Pins and buses are in the board's own board.py, a subclass.
"""

import random
import sys
import time

import machine
from esp32 import HEAP_DATA, NVS, Partition, idf_heap_info

_FILTER = 1023  # of 12.5 ns: the longest there is, for spikes of a long cable
_EPOCH_2000 = 946_684_800


class RtcMemory:
    """The whole RTC memory. It outlives every reset, but not the power.

    rtc: `machine.RTC()`. `write` replaces the content.
    """

    def __init__(self, rtc):
        self._rtc = rtc

    def read(self):
        return self._rtc.memory()

    def write(self, data):
        self._rtc.memory(data)


class Esp32Board:
    """led: GPIO. uart: TX, RX of the radar's line, None without one.

    beams: A, B, inputs with a pull-up. shares_rtc: a LoRaWAN session has a part of the RTC memory,
    `session`.
    """

    def __init__(self, led, uart, beams, shares_rtc=False):
        self._led = machine.Pin(led, machine.Pin.OUT, value=0)
        self._uart = uart
        self._beams = beams
        if shares_rtc:
            from core.rtc import shared  # 1,000 bytes, on boards with a bare radio alone

            self._memory, self.session = shared(machine.RTC())
        else:
            self._memory = RtcMemory(machine.RTC())

    def uart(self, baud):
        """The radar's line, or with baud 0 its two wires as an I2C bus: SCL on TX, SDA on RX.

        Raises OSError on a board without one.

        The buffer holds 16 s of three targets: the look-up of a `.local` name blocks for 5 s. It
        lies in the memory that Wi-Fi and TLS need.
        """
        if self._uart is None:
            raise OSError("this board has no line for a radar")
        tx, rx = self._uart
        if not baud:
            return machine.I2C(0, scl=machine.Pin(tx), sda=machine.Pin(rx), freq=400_000)
        return machine.UART(1, baud, tx=tx, rx=rx, rxbuf=4096, timeout=0, timeout_char=2)

    def beam_pins(self):
        return [machine.Pin(gpio, machine.Pin.IN, machine.Pin.PULL_UP) for gpio in self._beams]

    def beam_counters(self):
        """Hardware that counts every edge of the beams, or None without a pulse counter.

        MicroPython before 1.26 and some chips have none.
        """
        try:
            from esp32 import PCNT
        except ImportError:
            return None
        step, counters = PCNT.INCREMENT, []
        for unit, pin in enumerate(self.beam_pins()):
            counter = PCNT(unit, pin=pin, rising=step, falling=step, filter=_FILTER)
            counter.start()
            counters.append(counter)
        return counters

    def ring_partition(self):
        found = Partition.find(Partition.TYPE_DATA, label="ring")
        if not found:
            raise OSError("no partition named ring: flash this board's partition table")
        return found[0]

    def nvs(self, namespace):
        return NVS(namespace)

    def rtc_memory(self):
        return self._memory

    def watchdog(self, timeout_ms):
        return machine.WDT(timeout=timeout_ms)

    def wlan(self):
        import network  # only a node with Wi-Fi needs it

        return network.WLAN(network.STA_IF)

    def console(self):
        """The byte stream of the serial port with the log and the REPL.

        A read blocks until all its bytes are there. Ctrl-C never arrives: it ends the firmware.
        """
        return sys.stdin.buffer

    def mac(self):
        return machine.unique_id()

    def system_heap(self):
        """ESP-IDF's heap: (bytes free, bytes of the largest block, fewest bytes free so far)."""
        free = largest = free_min = 0
        for _total, now, block, least in idf_heap_info(HEAP_DATA):
            free += now
            largest = max(largest, block)
            free_min += least
        return free, largest, free_min

    def reset(self):
        machine.reset()

    def reset_cause(self):
        """1 power on, 2 hard, 3 watchdog, 4 deep sleep, 5 soft."""
        return machine.reset_cause()

    def led(self, on):
        self._led.value(1 if on else 0)

    def set_utc(self, unix):
        """Set the real-time clock to unix seconds."""
        parts = time.gmtime(unix - _EPOCH_2000)
        machine.RTC().datetime(parts[:3] + (0,) + parts[3:6] + (0,))

    def random(self, bits):
        """`bits` (at most 24) random bits. The port seeds the generator from the radio's noise."""
        return random.getrandbits(bits)

    def print_exception(self, error):
        sys.print_exception(error)
