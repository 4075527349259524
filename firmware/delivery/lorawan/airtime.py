"""How much may be on the air, and how often to report: what a community network calls fair use.

Airtime comes in evenly over the day and up to a quarter of a day's share is kept for later, so
that a burst (a start, a backlog) cannot use up a day's worth, and the next hours are never silent.
"""

from micropython import const

_AROUND = const(13)  # bytes of LoRaWAN around a payload
_DAY_S = const(86_400)
_LONG_US = const(16_000)  # symbols from this length on are sent with one more check


def airtime_ms(how, size):
    """Of an uplink with `size` bytes of payload (SX126x data sheet, 6.1.4), rounded up.

    how: (spreading factor, bandwidth in Hz).
    """
    sf = how[0]
    symbol_us = _symbol_us(how)
    slow = 2 if symbol_us >= _LONG_US else 0
    bits = 8 * (size + _AROUND) + 44 - 4 * sf
    symbols = 8 + max(-(-bits // (4 * (sf - slow))), 0) * 5
    return ((4 * symbols + 49) * symbol_us // 4 + 999) // 1000


def period_s(how):
    """Seconds that one report covers: an hour in EU868 at DR0 and DR1, half of one at DR2."""
    symbol_us = _symbol_us(how)
    return 3600 if symbol_us >= _LONG_US else 1800 if symbol_us >= _LONG_US // 2 else 900


def _symbol_us(how):
    return (1 << how[0]) * 1_000_000 // how[1]


class Budget:
    """per_day_s: seconds on air in a day. uptime_s: function, seconds."""

    def __init__(self, per_day_s, uptime_s):
        self._per_day_s = per_day_s
        self._uptime_s = uptime_s
        self._most_ms = per_day_s * 250
        self._ms = self._most_ms
        self._at_s = uptime_s()
        self._rest = 0  # of the division, so that nothing is lost

    def left_ms(self, spent_s=0):
        """What may be used now. spent_s: of the last 24 hours, as the radio itself counted it."""
        now_s = self._uptime_s()
        earned = (now_s - self._at_s) * self._per_day_s * 1000 + self._rest
        self._at_s = now_s
        gain_ms, self._rest = divmod(earned, _DAY_S)
        self._ms = min(self._ms + gain_ms, self._most_ms)
        return min(self._ms, int((self._per_day_s - spent_s) * 1000))

    def wait_s(self, missing_ms):
        """Seconds until so much more has come in."""
        return max(0, missing_ms) * _DAY_S // (self._per_day_s * 1000)

    def is_rich(self, left_ms, cost_ms):
        """There is more than enough: half of what can be kept is left afterwards."""
        return left_ms - cost_ms >= self._most_ms // 2

    def spend(self, cost_ms):
        self._ms -= cost_ms
