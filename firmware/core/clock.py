"""UTC, its source and its age. Everything else in the firmware counts ticks.

Sources: NTP over Wi-Fi once an hour, the LoRaWAN network while NTP is away, and the real-time
clock after a reset without power loss. The clock may turn out to be wrong and is then set back.
The counter learns of each step through `on_step`.
"""

import asyncio
import time

from micropython import const

from sntp import ask

NONE, RTC, NTP = 0, 1, 2
_UTC_MIN = const(1_735_689_600)  # 2025-01-01; an earlier clock has never been set
_UTC_MAX = const(4_102_444_800)  # 2100-01-01
_SYNC_S = const(3600)
_RETRY_MS = const(900_000)  # added to the back-off once the clock is set
_STEP_S = const(2)
_STEP_ALONE_S = const(60)  # a larger one needs a second source
_FRESH_S = const(64_800)  # 18 hours
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
        """Ask the servers one after the other, until one says what the clock says. Raises OSError.

        A step of more than a minute needs two servers that agree. One is enough for a clock that
        was not synchronised for 18 hours.
        """
        found, asked, why = [], "", None
        for host in hosts:
            try:
                address = await network.resolve(host)
                if address == asked:  # the same server is no second source
                    continue
                found.append(await ask(address, network.rng))
            except OSError as error:
                why = error
                continue
            asked = address
            if abs(found[-1] - self.utc()) <= _STEP_ALONE_S:
                break
        if not found:
            raise why
        self._check_step(found)
        self.set(found[-1], NTP)

    def _check_step(self, found):
        """Raises OSError for a step that the servers do not agree on. found: their times."""
        step = found[-1] - self.utc()
        if abs(step) <= _STEP_ALONE_S:
            return
        if len(found) > 1:
            if abs(found[1] - found[0]) > _STEP_ALONE_S:
                raise OSError("ntp: the servers differ by %d s" % (found[1] - found[0]))
        elif self._synced_s >= 0 and self.age_s() < _FRESH_S:
            raise OSError("ntp: a step of %d s, no second source" % step)

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
