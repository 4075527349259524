"""Airtime of frames, and a budget of it: the fair use that a community network asks for.

Airtime comes in evenly over the day, and up to a quarter of a day's share is kept. So a burst (a
start, a backlog) cannot use up the airtime of a day, and the hours after it are never silent.
"""

from micropython import const

_AROUND = const(13)  # bytes of LoRaWAN around a payload
_DAY_S = const(86_400)
_LONG_US = const(16_000)  # symbols of this length and more are sent with one more check


def airtime_ms(modulation, size):
    """Of an uplink with `size` bytes of payload (SX126x data sheet, 6.1.4), rounded up.

    modulation: (spreading factor, bandwidth in Hz).
    """
    sf = modulation[0]
    symbol_us = _symbol_us(modulation)
    slow = 2 if symbol_us >= _LONG_US else 0
    bits = 8 * (size + _AROUND) + 44 - 4 * sf
    symbols = 8 + max(-(-bits // (4 * (sf - slow))), 0) * 5
    return ((4 * symbols + 49) * symbol_us // 4 + 999) // 1000


def period_s(modulation):
    """Seconds that one report covers: an hour in EU868 at DR0 and DR1, half of one at DR2."""
    symbol_us = _symbol_us(modulation)
    return 3600 if symbol_us >= _LONG_US else 1800 if symbol_us >= _LONG_US // 2 else 900


def _symbol_us(modulation):
    return (1 << modulation[0]) * 1_000_000 // modulation[1]


class Budget:
    """per_day_s: seconds on air in a day. uptime_s: function, seconds."""

    def __init__(self, per_day_s, uptime_s):
        self._per_day_s = per_day_s
        self._uptime_s = uptime_s
        self._kept_max_ms = per_day_s * 250
        self._kept_ms = self._kept_max_ms
        self._at_s = uptime_s()
        self._rest = 0  # of the division, so that nothing is lost

    def left_ms(self, spent_s=0):
        """Airtime that may be used now. spent_s: of the last 24 hours, as the radio counted it."""
        now_s = self._uptime_s()
        earned = (now_s - self._at_s) * self._per_day_s * 1000 + self._rest
        self._at_s = now_s
        gain_ms, self._rest = divmod(earned, _DAY_S)
        self._kept_ms = min(self._kept_ms + gain_ms, self._kept_max_ms)
        return min(self._kept_ms, int((self._per_day_s - spent_s) * 1000))

    def wait_s(self, missing_ms):
        """Seconds until so much more has come in."""
        return max(0, missing_ms) * _DAY_S // (self._per_day_s * 1000)

    def is_ample(self, left_ms, cost_ms):
        """After this cost half of the airtime that can be kept is left."""
        return left_ms - cost_ms >= self._kept_max_ms // 2

    def spend(self, cost_ms):
        self._kept_ms -= cost_ms
