"""The commands of the backend and of technicians. Each has an id, and each is answered.

A command may name the number of the start that it is meant for (`boot`), and the last second in
which it may be carried out (`expires`, UTC in unix seconds). A command that changes the node is
carried out once for each id, and over MQTT not too often.

A command is a function NAME(app, body) -> result. The commands that only the console has get the
console as well, and write more lines to it: NAME(app, body, out). A module is loaded for one
command: `App.command` drops it after it. State that lasts longer is in the application.
Some commands need so much memory that this module leaves before, see `handle`.
"""

import json

from core.faults import CommandError, ConfigError, refusal

_BYTES_MAX = 2048
_NESTING_MAX = 8  # printing a value recurses on a C stack of 15 KB
_ID_CHARS_MAX = 100
_MODULES = {
    "aim": "console.live_view",
    "calibrate": "commands.calibration",
    "check": "commands.diagnostics",
    "config_get": "commands.settings",
    "config_set": "commands.settings",  # with a signature: commands.signed_settings
    "config_stored": "commands.settings",
    "confirm": "commands.log_export",
    "identity": "commands.diagnostics",
    "log": "commands.basic",
    "ping": "commands.basic",
    "reboot": "commands.basic",
    "records": "commands.log_export",
    "resend": "commands.basic",
    "status": "commands.basic",
}
_ON_CONSOLE = ("aim", "confirm", "records")
_LARGE = ("config_set", "config_stored")
_ONCE = ("calibrate", "config_set", "reboot")  # they change the node
_REBOOT_MIN_S = 300  # of uptime: a start costs records, and seconds without a count
_CONFIG_SET_MIN_S = 60  # between two: each wears the flash
_ALWAYS = ("identity", "log", "ping")  # a board without an identity answers these


def handle(app, payload, out=None):
    """Carry out a command and return the reply as a dict.

    For a command of `_LARGE` it returns the module that goes on, and the body of the command:
    `carry_out(app, body, out)` there returns the same as this function.
    out: `console.session.Pieces`, which takes the lines of a stream. None over MQTT.
    """
    name = None
    try:
        body = _parse(payload)
        name = body["id"]
        result = _result(app, body, out)
        if body["cmd"] in _LARGE:
            return result
        return {"v": 1, "id": name, "ok": True, "result": result}
    except (CommandError, ConfigError, ValueError) as error:
        app.refused_commands += 1
        return refusal(name, error)
    except MemoryError:
        app.refused_commands += 1
        return refusal(name, "no memory")
    except Exception as error:  # a command must not end the task that received it
        app.refused_commands += 1
        return refusal(name, repr(error))


def _result(app, body, out):
    cmd, more = body.get("cmd"), ()
    is_known = isinstance(cmd, str) and cmd in _MODULES  # a list has no hash
    if not is_known or (cmd in _ON_CONSOLE and not out):
        known = [name for name in sorted(_MODULES) if out or name not in _ON_CONSOLE]
        raise CommandError("unknown command; known: %s" % ", ".join(known))
    if not app.node and cmd not in _ALWAYS:
        raise CommandError("not provisioned: run `tallypost provision`")
    if cmd in _ON_CONSOLE:
        more = (out,)
    _check_fresh(app, body)
    mark = app.mark(body["id"])
    if cmd in _ONCE:
        _check_once(app, cmd, mark, out)
    if cmd in _LARGE:
        is_signed = cmd == "config_set" and "sig" in body
        return ("commands.signed_settings" if is_signed else _MODULES[cmd]), body
    module = __import__(_MODULES[cmd], None, None, (cmd,))  # up to 6,800 bytes
    result = getattr(module, cmd)(app, body, *more)
    if cmd in _ONCE:
        app.use_id(mark)
    return result


def _check_fresh(app, body):
    """Raises CommandError for a command that comes late, or is meant for another start."""
    if body.get("boot", app.boot) != app.boot:
        raise CommandError("command for boot %r, this is %d" % (body["boot"], app.boot))
    expires = body.get("expires")
    if expires is None:
        return
    if type(expires) is not int:
        raise CommandError("expires = %r, wanted UTC in unix seconds" % expires)
    utc = app.clock.utc() if app.clock else 0
    if not utc or utc > expires:
        raise CommandError("command expired: the clock shows %d" % utc)


def _check_once(app, cmd, mark, out):
    """Raises CommandError for an id that was used, and over MQTT for a command too soon."""
    if mark in app.used_ids:
        raise CommandError("%s: this id was used, it is not carried out twice" % cmd)
    now_s, least_s = app.uptime_s(), 0
    if not out:  # a person at the cable may hurry
        if cmd == "reboot":
            least_s = _REBOOT_MIN_S
        elif cmd == "config_set":
            least_s = app.config_set_s + _CONFIG_SET_MIN_S
    if now_s < least_s:
        raise CommandError("%s: too soon, again in %d s" % (cmd, least_s - now_s))


def _check_nesting(payload):
    """Raises ValueError for brackets that are too deep, or more open than closed.

    `json.loads` of some versions takes a text that was cut short as whole.
    """
    depth, is_text, is_escaped = 0, False, False
    for byte in payload:
        if is_text:
            is_text = is_escaped or byte != 0x22
            is_escaped = byte == 0x5C and not is_escaped
        elif byte == 0x22:
            is_text = True
        elif byte in b"[{":
            depth += 1
            if depth > _NESTING_MAX:
                raise ValueError("nested deeper than %d" % _NESTING_MAX)
        elif byte in b"]}":
            depth -= 1
    if depth:
        raise ValueError("cut short")


def _parse(payload):
    if len(payload) > _BYTES_MAX:
        raise CommandError("command of %d bytes, at most %d" % (len(payload), _BYTES_MAX))
    try:
        _check_nesting(payload)
        body = json.loads(payload)
    except ValueError as error:
        raise CommandError("command is not JSON: %s" % error)
    if not isinstance(body, dict) or not isinstance(body.get("id"), (str, int)):
        raise CommandError("command needs an object with id and cmd")
    if len(str(body["id"])) > _ID_CHARS_MAX:  # it comes back in the reply, which has to fit
        raise CommandError("command id of more than %d characters" % _ID_CHARS_MAX)
    return body
