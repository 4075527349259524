"""A new configuration on trial: it is kept once a record was acknowledged under it.

NVS, key `config`, has the configuration of the next start, `config_ok` the last one under which a
backend acknowledged a record (without a confirming backend: the broker took one). While they
differ in settings that can lose the node, the trial ends after ten minutes with the Wi-Fi up,
after two days in all, or at the ninth start, whichever comes first. Then the node reports the
fault, stores `config_ok` as `config`, and restarts. A trial of other settings has no end.

Loaded for a start with a trial alone, and it leaves the heap with it.
"""

from config.settings import read_blob
from core.faults import TRIAL_FAILED
from micropython import const

_LINK_S = const(600)
_WHOLE_S = const(172_800)  # without Wi-Fi; over LoRaWAN a backend confirms twice a day
_STARTS_MAX = const(8)  # power cuts must not prolong it for ever


class Trial:
    """app: the application. is_bounded: the settings can lose the node, and there are older ones.

    Raises OSError when NVS takes no writes.
    """

    def __init__(self, app, is_bounded):
        self._app = app
        self._is_bounded = is_bounded
        self._link_s = 0
        self._done = None  # what the outboxes have delivered at the beginning
        self._starts = 0
        if is_bounded:
            self._starts = _number(app.nvs, "tries") + 1
            app.nvs.set_i32("tries", self._starts)
            app.nvs.commit()

    def tick(self, uptime):
        """Once a second. True when the trial is over. Raises RingError."""
        app = self._app
        done = [outbox.done() for outbox in (app.uplink, app.lora) if outbox]
        if self._done is None:
            self._done = done
        if done != self._done:
            app.log.info("config: acknowledged, kept")
            self._replace("config_ok", "config")
            return True
        if app.wifi and app.wifi.is_up():
            self._link_s += 1
        if not self._is_bounded or (
            self._link_s < _LINK_S and uptime < _WHOLE_S and self._starts <= _STARTS_MAX
        ):
            return False
        self._give_up()
        return True

    def _give_up(self):
        app = self._app
        reason = "config %08x: no acknowledgement, the last good one is back" % app.config.hash
        if app.link:
            reason += "; mqtt: " + app.link.error
        # The event first: after a power cut in between, the trial begins anew and reports again.
        app.uplink.event("fault", code=TRIAL_FAILED, reason=reason)
        app.log.error("fault %d: %s", TRIAL_FAILED, reason)
        if self._replace("config", "config_ok"):
            app.reset_soon()

    def _replace(self, key, source):
        """Copy a configuration in NVS. False if it takes no writes: the node goes on as it is."""
        try:
            _replace(self._app.nvs, key, source)
        except OSError as error:
            self._app.log.error("nvs: %r", error)
            return False
        return True


def differs_in_link(schema, nvs, config):
    """True if `config`, Settings, has another way to the backend than the last good one."""
    good = schema.stored(nvs, "config_ok")
    return bool(good) and any([good[key] != config[key] for key in good if schema.is_link(key)])


def go_back(nvs):
    """Let the next start use the last good configuration. Raises OSError."""
    _replace(nvs, "config", "config_ok")


def _replace(nvs, key, source):
    nvs.set_blob(key, read_blob(nvs, source))
    nvs.set_i32("tries", 0)
    nvs.commit()


def _number(nvs, key):
    try:
        return nvs.get_i32(key)
    except OSError:
        return 0
