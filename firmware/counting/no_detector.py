"""Takes the place of a detector that cannot be used. It counts nothing, and its state says so."""

import asyncio

from micropython import const

_MISCONFIGURED = const(6)  # as the drivers of lib/radar have it
_HOUR_S = const(3600)


class NoDetector:
    """The interface of a driver, see lib/radar/README."""

    state = _MISCONFIGURED

    async def start(self):
        pass

    async def wait(self):
        while True:
            await asyncio.sleep(_HOUR_S)

    def pop(self):
        return None

    def tick(self, _now_ms):
        return False

    def stats(self):
        return {}
