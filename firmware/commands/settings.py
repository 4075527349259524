"""The commands that read and change the configuration. See registry.py.

A broker may change most settings. Those that can lose the node, hand it over or show a single
road user need a signature of the fleet's key on every way in: `signed_settings.py`. A node without
such a key takes them from its console alone.
"""

from config.settings import read_blob
from core.faults import CommandError
from micropython import const

FLEET_KEYS = ("fleet_key", "fleet_key2")  # in NVS: moduli, big-endian; two for a change of keys
MODULUS_BYTES_MAX = const(512)
_INTERVAL_MIN = const(5)  # minutes; a shorter one may hold a single road user


def config_get(app, _body):
    return app.config.shown()


def config_stored(app, _body):
    return app.schema().stored(app.nvs)


def config_set(app, body, out):
    """Store a change for the next start. out: None over MQTT."""
    change = changed(body)
    key = _needs_signature(change, app.schema().is_link)
    if key and not out and not _has_key(app.nvs):
        raise CommandError(
            "config_set: %s needs a signature, and this node has no fleet key: change it at its"
            " cable, or run `tallypost provision --out`" % key
        )
    if key and _has_key(app.nvs):
        raise CommandError("config_set: %s needs a signature of the fleet's key" % key)
    return store(app, change)


def changed(body):
    """The change that a command asks for. Raises CommandError."""
    change = body.get("config")
    if not isinstance(change, dict):
        raise CommandError("config_set needs an object config")
    return change


def store(app, change, serial=0):
    """Store a change, and the serial of its signature. Returns the result of the command."""
    values = app.schema().alter(app.nvs, app.config, change, serial)
    return {"stored": {key: values[key] for key in change}, "in_force": "after a reboot"}


def _needs_signature(change, is_link):
    """The first key of a change that needs a signature, None without one."""
    for key in sorted(change):
        if is_link(key):
            return key
    minutes = change.get("interval_min")
    if isinstance(minutes, int) and minutes < _INTERVAL_MIN:
        return "interval_min below %d" % _INTERVAL_MIN
    return None


def _has_key(nvs):
    return any(read_blob(nvs, key, MODULUS_BYTES_MAX) for key in FLEET_KEYS)
