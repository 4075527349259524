"""The command `config_set` with a signature of the fleet's key. Loaded for a signed one alone.

`serial` is the second of the signature since 2025-01-01 UTC, or one more than the last. A node
takes only a serial above the last one that it took (NVS: `cfg_serial`, written together with the
settings), and none that its clock shows to be older than a week. INTEGRATE.md of the backend has
the form.
"""

from commands import settings
from config.settings import read_blob
from core.faults import CommandError
from micropython import const
from signature import canonical, verify

_EPOCH = const(1_735_689_600)  # 2025-01-01
_AGE_MAX_S = const(7 * 86_400)
_SERIAL_MAX = const(0x7FFF_FFFF)
_CHECK_BYTES = const(6000)  # of heap, for the whole numbers of `pow`


def carry_out(app, body, _out):
    """Check the signature. Returns a refusal, or the module that stores the change, and `body`."""
    try:
        _check(app, body)
    except Exception as error:  # a command must not end the task that received it
        return settings.refused(app, body, error)
    body["sig"] = True
    return "commands.settings", body


def _check(app, body):
    """Raises CommandError, ValueError for values that cannot be signed, MemoryError."""
    change = body.get("config")
    if not isinstance(change, dict):
        raise CommandError("config_set needs an object config")
    _check_serial(app, body.get("serial"))
    text = canonical(app.node, body["serial"], change)
    if app.memory:
        app.memory.need(_CHECK_BYTES)
    if not _is_signed(app.nvs, text, body["sig"]):
        raise CommandError("config_set: no fleet key of this node made the signature")


def _check_serial(app, serial):
    """Raises CommandError for a serial that was used, and for one that is too old."""
    if type(serial) is not int or not 1 <= serial <= _SERIAL_MAX:
        raise CommandError("config_set: serial = %r, wanted 1..%d" % (serial, _SERIAL_MAX))
    try:
        last = app.nvs.get_i32("cfg_serial")
    except OSError:
        last = 0
    if serial <= last:
        raise CommandError("config_set: serial %d, the last one was %d" % (serial, last))
    utc = app.clock.utc() if app.clock else 0
    if utc - _EPOCH - serial > _AGE_MAX_S:
        raise CommandError("config_set: signed more than 7 days ago, the clock shows %d" % utc)


def _is_signed(nvs, text, signature):
    for key in settings.FLEET_KEYS:
        modulus = read_blob(nvs, key, settings.MODULUS_BYTES_MAX)
        if modulus and verify(modulus, text, signature):
            return True
    return False
