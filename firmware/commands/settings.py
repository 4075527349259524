"""The commands that read and change the configuration. See registry.py.

A broker may change most settings. Those that can lose the node, hand it over, open or close its
console, or show a single road user need a signature of the fleet's key on every way in:
`signed_settings.py`. A node without such a key takes them from its console alone.
"""

from config.settings import read_blob, view_blob
from core.faults import CommandError, refusal
from micropython import const

FLEET_KEYS = ("fleet_key", "fleet_key2")  # in NVS: moduli, big-endian; two for a change of keys
MODULUS_BYTES_MAX = const(512)
_INTERVAL_MIN = const(5)  # minutes; a shorter one may hold a single road user
_PRIVACY_K = const(3)  # road users; fewer of a direction have no class, speed and spacing


def config_get(app, _body):
    return app.config.shown()


def carry_out(app, body, out):
    """Carry out `config_stored` or `config_set`, and return the reply.

    out: None over MQTT. `sig` of the body: True once the signature has been checked.
    """
    try:
        if body["cmd"] == "config_stored":
            blob = view_blob(app.nvs, "config")
            result = app.schema().stored(blob)
        else:
            result = _config_set(app, body, out)
            app.use_id(app.mark(body["id"]))
            app.config_set_s = app.uptime_s()
    except Exception as error:  # a command must not end the task that received it
        return refused(app, body, error)
    return {"v": 1, "id": body["id"], "ok": True, "result": result}


def refused(app, body, error):
    """The reply to a command that is refused."""
    app.refused_commands += 1
    why = "no memory" if isinstance(error, MemoryError) else str(error) or repr(error)
    return refusal(body["id"], why)


def _config_set(app, body, out):
    change = body.get("config")
    if not isinstance(change, dict):
        raise CommandError("config_set needs an object config")
    blob = view_blob(app.nvs, "config")
    schema, serial = app.schema(), 0
    if body.get("sig") is True:
        serial = body["serial"]
    else:
        key = _needs_signature(change, schema.is_link)
        if key:
            _check_keyless(app.nvs, key, out)
    values = schema.stored(blob) or app.config.public()
    values = schema.alter(app.nvs, values, change, serial)
    return {"stored": {key: values[key] for key in change}, "in_force": "after a reboot"}


def _needs_signature(change, is_link):
    """The first key of a change that needs a signature, None without one."""
    for key in sorted(change):
        if is_link(key) or key == "console":
            return key
    for key, least in (("interval_min", _INTERVAL_MIN), ("privacy_k", _PRIVACY_K)):
        value = change.get(key)
        if isinstance(value, int) and value < least:
            return "%s below %d" % (key, least)
    return None


def _check_keyless(nvs, key, out):
    """Raises CommandError, unless it is the console of a node without a fleet key."""
    if any([read_blob(nvs, name, MODULUS_BYTES_MAX) for name in FLEET_KEYS]):
        raise CommandError("config_set: %s needs a signature of the fleet's key" % key)
    if not out:
        raise CommandError(
            "config_set: %s needs a signature, and this node has no fleet key: change it at its"
            " cable, or run `tallypost provision --out`" % key
        )
