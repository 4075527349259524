"""Keeps the node in its Wi-Fi network. It asks the driver and never waits for it."""

import asyncio

from core.modules import unload_modules
from names import lookup

_POLL_S = 1
_WATCH_S = 10
_JOIN_S = 30


class Wifi:
    """wlan: `network.WLAN` in station mode. backoff: mqtt.Backoff. rng(bits) -> random int."""

    def __init__(self, wlan, ssid, key, backoff, log, *, rng):
        self._wlan = wlan
        self._ssid = ssid
        self._key = key
        self._backoff = backoff
        self._log = log
        self.rng = rng
        self._up = asyncio.Event()
        self.joins = 0
        self.reason = 0  # why the last attempt failed, a code of the driver; 0 = it did not

    def is_up(self):
        return self._up.is_set()

    async def wait_up(self):
        await self._up.wait()

    async def resolve(self, host):
        """The address of a host. Raises OSError."""
        try:
            return await lookup(host, self._wlan.ifconfig()[3], self.rng)
        finally:
            unload_modules()

    async def run(self, progress):
        """Join, watch, join again, for ever."""
        self._wlan.active(True)
        while True:
            progress.made()
            try:
                self._wlan.connect(self._ssid, self._key)
            except OSError as error:
                self._log.warn("wifi: %r", error)
            if await self._joined(progress):
                self.joins += 1
                self.reason = 0
                self._backoff.reset()
                self._log.info("wifi: up")
                self._up.set()
                await self._lost(progress)
                self._up.clear()
                self._log.warn("wifi: lost")
            else:
                self._wlan.disconnect()
                self.reason = self._wlan.status()  # before that it only says "connecting"
                await asyncio.sleep_ms(self._backoff.next_ms())

    async def _joined(self, progress):
        for _ in range(_JOIN_S // _POLL_S):
            progress.made()
            if self._wlan.isconnected():
                return True
            await asyncio.sleep(_POLL_S)
        return False

    async def _lost(self, progress):
        while self._wlan.isconnected():
            progress.made()
            await asyncio.sleep(_WATCH_S)
