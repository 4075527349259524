"""A node with LoRaWAN: the board's radio or modem, the link over it, what that asks of the node.

In a module of its own, so that a node without it does not have it in memory.
"""

import time

from core.clock import NTP
from core.faults import RADIO
from core.health import let_go
from delivery.lorawan.scheduler import LoraLink
from micropython import const
from wire.record import TIME_LORAWAN

_NTP_HOLDS_S = const(7200)  # it is the better source; then two of its answers are missing


class LoraNode:
    """app: what the link stands on. The station is that of `board.lorawan(nvs, log, region)`."""

    def __init__(self, app):
        self._app = app
        self._station = None
        self.uptime_s = app.uptime_s
        self.boot = app.boot
        self.log = app.log
        self.reset_soon = app.reset_soon

    def open(self):
        """Take the board's station; False, and a fault, when there is none to be used."""
        make = getattr(self._app.board, "lorawan", None)
        reason = "this board has none"
        if make:
            try:
                self._station = make(self._app.nvs, self.log, self._app.config["lora_region"])
                let_go("delivery.lorawan.device", "bare_radio")  # what the board has made it with
                return True
            except (OSError, ValueError) as error:
                reason = error
        self._app.add_fault(RADIO, "lorawan: %s" % reason)
        return False

    def build(self):
        """Make the link, beside MQTT if there is that; return its tasks with their names."""
        app = self._app
        primary = (app.uplink, app.link) if app.link else None
        app.lora = LoraLink(
            app.ring, self._station, app.clock, app.config, self, primary=primary
        )  # fmt: skip
        self._station.on_reset = self._reset
        if app.config["lora_certification"]:
            self._certify()
        if not primary:
            app.uplink = app.lora
        return [(self._station.run(), "station"), (app.lora.run(), "lorawan")]

    def _certify(self):
        """Open port 224: the network may do anything with this device then."""
        from core.version import VERSION

        certify = getattr(self._station, "certify", None)
        if certify:
            certify(bytes([int(part) for part in VERSION.split(".")] + [0]))
            self.log.warn("lorawan: the certification package listens on port 224")
        else:
            self.log.warn("lorawan: the modem has its own certification package, if any")

    def _reset(self, shut):
        """The certification package wants a restart, and with `shut` to be off after it."""
        if shut:
            self.store_config({"lora_certification": 0})
        self.reset_soon()

    def take_time(self, utc_s, at_ms):
        """Take the network's time: it was `utc_s`, unix seconds, at `ticks_ms` `at_ms`."""
        clock = self._app.clock
        if clock.source == NTP and clock.age_s() < _NTP_HOLDS_S:
            return
        ago_ms = time.ticks_diff(time.ticks_ms(), at_ms)
        try:
            clock.set(int(utc_s) + (ago_ms + 500) // 1000, TIME_LORAWAN)
        except OSError as error:
            clock.failures += 1
            self.log.warn("lorawan: %s", error)

    def store_config(self, values):
        """Change the stored configuration, in force after a reboot; raises ConfigError."""
        from config.schema import alter  # large, and seldom needed

        try:
            alter(self._app.nvs, self._app.config, values)
        finally:
            let_go("config.schema")

    def state(self):
        """What a state frame says between the numbers of the log and the refusals."""
        app = self._app
        rec = app.counter.rec
        return (
            app.boot, app.board.reset_cause(), app.detector.state, app.clock.source,
            app.config.hash, rec.supply_mv, rec.temp_c, app.health.look() >> 10,
        )  # fmt: skip
