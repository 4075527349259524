"""UTC, its source and its age. Everything else in the firmware counts ticks.

Sources: NTP over Wi-Fi once an hour, the LoRaWAN network while NTP is away, and the real-time
clock after a reset without power loss. The clock may turn out to be wrong and is then set back.
The counter learns of each step through `on_step`.
"""

import asyncio
import time

from core.modules import unload_modules
from micropython import const

NONE, RTC, NTP = 0, 1, 2
_UTC_MIN = const(1_735_689_600)  # 2025-01-01; an earlier clock has never been set
_UTC_MAX = const(4_102_444_800)  # 2100-01-01
_SYNC_S = const(3600)
_RETRY_MS = const(900_000)  # added to the back-off once the clock is set
_STEP_S = const(2)
_FRESH_S = const(64_800)  # after 18 hours one server may set the clock
_EPOCH = 946_684_800 if time.gmtime(0)[0] == 2000 else 0
_AGE_MAX_S = const(65_534)


class Clock:
    """set_rtc(unix seconds) sets the board's real-time clock. backoff: mqtt.Backoff, for `run`."""

    def __init__(self, set_rtc, uptime_s, backoff, log):
        self._set_rtc = set_rtc
        self._uptime_s = uptime_s
        self.backoff = backoff
        self._log = log
        self._synced_s = -1
        self.source = RTC if time.time() + _EPOCH >= _UTC_MIN else NONE
        self.on_step = None  # function(old utc or 0): called after the clock was set
        self.failures = 0

    def utc(self):
        """UTC in unix seconds, 0 while it is unknown."""
        return time.time() + _EPOCH if self.source else 0

    def age_s(self):
        """Seconds since the last synchronisation, 65535 = unknown."""
        if self._synced_s < 0:
            return 0xFFFF
        return min(self._uptime_s() - self._synced_s, _AGE_MAX_S)

    async def sync(self, hosts, network):
        """Ask the time servers, see `time_servers`. Raises OSError."""
        try:
            from core.time_servers import agreed  # 1,500 bytes

            is_fresh = self._synced_s >= 0 and self.age_s() < _FRESH_S
            utc = await agreed(hosts, network, self.utc(), is_fresh)
        except MemoryError:  # the time can wait, counting cannot
            raise OSError("ntp: no memory")
        finally:
            unload_modules()
        self.set(utc, NTP)

    def set(self, utc, source):
        """Set the clock to unix seconds and report a step to `on_step`.

        Raises OSError for an implausible time.
        """
        if not _UTC_MIN <= utc < _UTC_MAX:
            raise OSError("clock: implausible time")
        old = self.utc()
        if abs(utc - old) >= 1:
            self._set_rtc(utc)
        self.source = source
        self._synced_s = self._uptime_s()
        if abs(utc - old) >= _STEP_S and self.on_step:
            self.on_step(old)

    async def run(self, hosts, network, progress):
        """Synchronise for ever. network: wait_up(), resolve(host), rng(bits), as `Wifi`."""
        while True:
            progress.idle()  # there may be no network for days
            await network.wait_up()
            progress.made()
            try:
                await self.sync(hosts, network)
            except OSError as error:
                self.failures += 1
                delay_ms = self.backoff.next_ms()
                if self._synced_s >= 0:
                    delay_ms += _RETRY_MS
                self._log.warn("ntp: %r, next try in %d s", error, delay_ms // 1000)
            else:
                self.backoff.reset()
                delay_ms = _SYNC_S * 1000
            progress.made()
            await asyncio.sleep_ms(delay_ms)
