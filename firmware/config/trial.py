"""A new configuration on trial: it is kept once a record was acknowledged under it.

NVS, key `config`, has the configuration of the next start, `config_ok` the last one under which a
backend acknowledged a record (without a confirming backend: the broker took one). While they
differ in settings that can lose the node, the trial ends after ten minutes with the Wi-Fi up,
after two days in all, or at the ninth start, whichever comes first. Then the node reports the
fault, stores `config_ok` as `config`, and restarts. A trial of other settings has no end.

Loaded once a minute while a trial lasts. Its state is a list in the application: the uptime at
which to look again, what the links have delivered, minutes with the Wi-Fi up, number of starts.
"""

from config.settings import read_blob, view_blob
from core.faults import TRIAL_FAILED
from micropython import const

_LINK_MIN = const(10)
_WHOLE_S = const(172_800)  # without Wi-Fi; over LoRaWAN a backend confirms twice a day
_STARTS_MAX = const(8)  # power cuts must not prolong it for ever
_LOOK_S = const(60)
_SELDOM_S = const(600)  # without a bound: there may be no backend for ever


def begin(nvs, is_bounded):
    """Begin a trial, and return its state. Raises OSError when NVS takes no writes.

    is_bounded: the settings can lose the node, and there are older ones.
    """
    starts = 0
    if is_bounded:
        starts = _number(nvs, "tries") + 1
        nvs.set_i32("tries", starts)
        nvs.commit()
    return [0, None, 0, starts]


def look(app, uptime):
    """Once a minute: keep the configuration, give it up, or go on. Raises RingError."""
    state = app.trial
    done = [outbox.done() for outbox in (app.uplink, app.lora) if outbox]
    if state[1] is None:
        state[1] = done
    if done != state[1]:
        app.log.info("config: acknowledged, kept")
        _replace_logged(app, "config_ok", "config")
        app.trial = None
        return
    starts = state[3]
    state[0] = uptime + (_LOOK_S if starts else _SELDOM_S)
    if app.wifi and app.wifi.is_up():
        state[2] += 1
    if starts and (state[2] > _LINK_MIN or uptime >= _WHOLE_S or starts > _STARTS_MAX):
        app.trial = None
        _give_up(app)


def _give_up(app):
    reason = "config %08x: no acknowledgement, the last good one is back" % app.config.hash
    if app.link:
        reason += "; mqtt: " + app.link.error
    # The event first: after a power cut in between, the trial begins anew and reports again.
    app.uplink.event("fault", code=TRIAL_FAILED, reason=reason)
    app.log.error("fault %d: %s", TRIAL_FAILED, reason)
    if _replace_logged(app, "config", "config_ok"):
        app.reset_soon()


def _replace_logged(app, key, source):
    """Copy a configuration in NVS. False if it takes no writes: the node goes on as it is."""
    try:
        _replace(app.nvs, key, source)
    except OSError as error:
        app.log.error("nvs: %r", error)
        return False
    return True


def differs_in_link(schema, nvs, config):
    """True if `config`, Settings, has another way to the backend than the last good one."""
    good = schema.stored(view_blob(nvs, "config_ok"))
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
