"""The commands of the backend and of technicians. Each has an id, and each is answered.

A command is a function NAME(app, body) -> result. The commands that only the console has get the
console as well, and write more lines to it: NAME(app, body, out). The modules are loaded for one
command: `App.command` drops them after it. State that lasts longer is in the application.
"""

import json

from commands import basic
from core.faults import CommandError, ConfigError, refusal

_BYTES_MAX = 2048
_ID_CHARS_MAX = 100
_LOADED = {
    "config_get": basic.config_get, "config_set": basic.config_set,
    "config_stored": basic.config_stored, "log": basic.log, "ping": basic.ping,
    "reboot": basic.reboot, "resend": basic.resend, "status": basic.status,
}  # fmt: skip
_LATE = ("calibrate", "check", "identity")
_ON_CONSOLE = ("aim", "confirm", "records")
_ALWAYS = ("identity", "log", "ping")  # a board without an identity answers these


def handle(app, payload, out=None):
    """Carry out a command and return the reply as a dict.

    out: `console.session.Pieces`, which takes the lines of a stream. None over MQTT.
    """
    name = None
    try:
        body = _parse(payload)
        name = body["id"]
        return {"v": 1, "id": name, "ok": True, "result": _result(app, body, out)}
    except (CommandError, ConfigError, ValueError) as error:
        app.refused_commands += 1
        return refusal(name, error)


def _result(app, body, out):
    cmd, more = body.get("cmd"), ()
    names = list(_LATE) + list(_LOADED) + list(_ON_CONSOLE if out else ())
    if cmd not in names:
        raise CommandError("unknown command; known: %s" % ", ".join(sorted(names)))
    if not app.node and cmd not in _ALWAYS:
        raise CommandError("not provisioned: run `tallypost provision`")
    if cmd in _ON_CONSOLE:
        more = (out,)
    return (_LOADED.get(cmd) or _load(cmd))(app, body, *more)


def _load(cmd):
    """Load the module of a command, and return its function."""
    if cmd == "aim":
        from console.live_view import aim  # 6,800 bytes

        return aim
    if cmd in ("check", "identity"):
        from commands import diagnostics  # 1,200 bytes

        return diagnostics.check if cmd == "check" else diagnostics.identity
    from commands import calibration, log_export  # 5,000 bytes

    if cmd == "calibrate":
        return calibration.calibrate
    return log_export.confirm if cmd == "confirm" else log_export.records


def _parse(payload):
    if len(payload) > _BYTES_MAX:
        raise CommandError("command of %d bytes, at most %d" % (len(payload), _BYTES_MAX))
    try:
        body = json.loads(payload)
    except ValueError:
        raise CommandError("command is not JSON")
    if not isinstance(body, dict) or not isinstance(body.get("id"), (str, int)):
        raise CommandError("command needs an object with id and cmd")
    if len(str(body["id"])) > _ID_CHARS_MAX:  # it comes back in the reply, which has to fit
        raise CommandError("command id of more than %d characters" % _ID_CHARS_MAX)
    return body
