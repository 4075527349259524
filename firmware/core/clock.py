"""UTC: where it came from and how old it is. Everything else in the firmware counts ticks.

Over Wi-Fi from NTP, an hour apart; over LoRaWAN from the network, while NTP is away; after a reset
without power loss from the real-time clock. The clock may turn out to be wrong and be set
backwards: whoever keeps intervals is told.
"""

import asyncio
import time

from micropython import const

NONE, RTC, NTP = 0, 1, 2
_PLAUSIBLE = const(1_735_689_600)  # 2025-01-01; an earlier clock has never been set
_LAST = const(4_102_444_800)  # 2100-01-01
_NOT_KNOWN = const(2_085_978_496)  # an NTP time of 0 says "unknown" (RFC 5905, 6); ntptime: 2036
_SYNC_S = const(3600)
_PATIENCE_MS = const(900_000)
_STEP_S = const(2)
_EPOCH = 946_684_800 if time.gmtime(0)[0] == 2000 else 0
_AGE_MAX = const(65_534)


class Clock:
    """set_rtc(unix seconds) sets the board's real-time clock. backoff: mqtt.Backoff, for `run`."""

    def __init__(self, set_rtc, uptime_s, backoff, log):
        self._set_rtc = set_rtc
        self._uptime_s = uptime_s
        self.backoff = backoff
        self._log = log
        self._synced_s = -1
        self.source = RTC if time.time() + _EPOCH >= _PLAUSIBLE else NONE
        self.on_step = None  # function(old utc or 0): called after the clock was set
        self.failures = 0

    def utc(self):
        """UTC as unix seconds, 0 while it is not known."""
        return time.time() + _EPOCH if self.source else 0

    def age_s(self):
        """Seconds since the last synchronisation, 65535 = unknown."""
        if self._synced_s < 0:
            return 0xFFFF
        return min(self._uptime_s() - self._synced_s, _AGE_MAX)

    def sync(self, host):
        """Ask NTP once; blocks for at most a second if `host` is an address. Raises OSError."""
        import ntptime  # RAM: a node without Wi-Fi never asks

        ntptime.host = host
        ntptime.timeout = 1
        try:
            utc = ntptime.time() + _EPOCH
        except (ValueError, IndexError):
            raise OSError("ntp: answer cut short")
        except MemoryError:  # the time can wait, counting cannot
            raise OSError("ntp: no memory")
        if utc == _NOT_KNOWN:
            raise OSError("ntp: implausible time")
        self.set(utc, NTP)

    def set(self, utc, source):
        """Set the clock to unix seconds; whoever keeps intervals is told of a step.

        Raises OSError for a time that cannot be.
        """
        if not _PLAUSIBLE <= utc < _LAST:
            raise OSError("clock: implausible time")
        old = self.utc()
        if abs(utc - old) >= 1:
            self._set_rtc(utc)
        self.source = source
        self._synced_s = self._uptime_s()
        if abs(utc - old) >= _STEP_S and self.on_step:
            self.on_step(old)

    async def run(self, host, reach):
        """Keep the clock right for ever. reach(host): awaits the network, returns an address."""
        while True:
            try:
                self.sync(await reach(host))
            except OSError as error:
                self.failures += 1
                delay_ms = self.backoff.next_ms()
                if self._synced_s >= 0:  # every question may block everything for a second
                    delay_ms += _PATIENCE_MS
                self._log.warn("ntp: %r, next try in %d s", error, delay_ms // 1000)
                await asyncio.sleep_ms(delay_ms)
                continue
            self.backoff.reset()
            await asyncio.sleep(_SYNC_S)
