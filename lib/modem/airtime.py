"""EU868 for the host of a modem: payload per data rate, time on air, airtime of a day.

RP002-1.0.4, 2.4 (payload without options and repeater). SX1262 data sheet, 6.1.4 (time on air).
The modem keeps the duty cycle. The airtime of a day is an estimate for health reports, because it
does not include the modem's repetitions.
"""

import time

from micropython import const

_PAYLOAD_MAX = b"\x33\x33\x33\x73\xf2\xf2\xf2"  # 51, 51, 51, 115, 242, 242, 242
_OVERHEAD = const(13)
_HOUR_MS = const(3_600_000)


def max_payload(data_rate):
    """Bytes of payload in one frame."""
    return _PAYLOAD_MAX[data_rate]


def modulation(data_rate):
    """(spreading factor, bandwidth in Hz)."""
    return (7, 250_000) if data_rate > 5 else (12 - data_rate, 125_000)


def airtime_us(data_rate, size):
    """Time on air of a payload of `size` bytes in a frame without options."""
    sf, bw_hz = modulation(data_rate)
    symbol_us = (1 << sf) * 1_000_000 // bw_hz
    bits = 8 * (size + _OVERHEAD) + 16 - 4 * sf + 28
    per = 4 * (sf - (2 if sf > 10 else 0))
    return (49 + 4 * (8 + 5 * ((bits + per - 1) // per))) * symbol_us // 4


class DailyAirtime:
    """Airtime of the last 24 hours, in 24 parts."""

    def __init__(self):
        self._us = [0] * 24
        self._hour = 0
        self._since_ms = time.ticks_ms()

    def add(self, us):
        self.advance()
        self._us[self._hour] += us

    def advance(self):
        """Call more often than every six days, because ticks wrap."""
        while time.ticks_diff(time.ticks_ms(), self._since_ms) >= _HOUR_MS:
            self._since_ms = time.ticks_add(self._since_ms, _HOUR_MS)
            self._hour = (self._hour + 1) % 24
            self._us[self._hour] = 0

    def seconds(self):
        return sum(self._us) // 1_000_000
