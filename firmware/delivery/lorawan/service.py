"""Serves the LoRaWAN link: the network's time, the node's state, changes of the configuration."""

import time

from config.settings import view_blob
from core.clock import NTP
from core.modules import unload_modules
from micropython import const
from wire.record import TIME_LORAWAN

_NTP_VALID_S = const(7200)  # NTP is the better source; after that two of its answers are missing


class LoraService:
    """app: the application. device: its LoRaWAN device."""

    def __init__(self, app, device):
        self._app = app
        self._device = device
        self.uptime_s = app.uptime_s
        self.boot = app.boot
        self.log = app.log
        self.reset_soon = app.reset_soon

    async def run_device(self, progress):
        """Run the device's task. It makes progress when the event loop comes back to it."""
        await Resumed(self._device.run(), progress)

    def restart(self, shut):
        """The certification package asks for a restart and, with `shut`, to be off after it."""
        if shut:
            self.store_config({"lora_certification": 0})
        self.reset_soon()

    def set_time(self, utc_s, at_ms):
        """The network's time was `utc_s`, in unix seconds, at `ticks_ms` `at_ms`."""
        clock = self._app.clock
        if clock.source == NTP and clock.age_s() < _NTP_VALID_S:
            return
        ago_ms = time.ticks_diff(time.ticks_ms(), at_ms)
        try:
            clock.set(int(utc_s) + (ago_ms + 500) // 1000, TIME_LORAWAN)
        except OSError as error:
            clock.failures += 1
            self.log.warn("lorawan: %s", error)

    def store_config(self, values):
        """Change the configuration from the next start on. Raises ConfigError."""
        app = self._app
        blob = view_blob(app.nvs, "config")
        try:
            schema = app.schema()
            schema.alter(app.nvs, schema.stored(blob) or app.config.public(), values)
        finally:
            unload_modules()

    def state(self):
        """The part of a state frame between the numbers of the log and the refusals."""
        app = self._app
        rec = app.counter.rec
        return (
            app.boot, app.board.reset_cause(), app.detector.state, app.clock.source,
            app.config.hash, rec.supply_mv, rec.temp_c, app.memory.look() >> 10,
        )  # fmt: skip


class Resumed:
    """An awaitable: runs a coroutine and reports progress each time it is resumed."""

    def __init__(self, coro, progress):
        self._coro = coro
        self._progress = progress

    def __iter__(self):
        return self

    def __next__(self):
        self._progress.made()
        return next(self._coro)

    def throw(self, *error):
        """An exception for the coroutine: it is cancelled, or its wait timed out."""
        self._progress.made()
        return self._coro.throw(*error)
