"""Commands from the backend or a technician: every one has an id, every one is answered.

Imported for a command and let go, and so is the module in which the command's function is: a node
that is asked nothing has none of it in memory. What lasts is in the application.
"""

import json

from core.faults import CommandError, ConfigError, refusal
from core.health import let_go

_MAX_BYTES = 2048
_MAX_ID = 100
# Where a command's function is: NAME(app, body) -> result.
_PLACES = {
    "ping": "commands.basic", "status": "commands.basic", "resend": "commands.basic",
    "config_get": "commands.basic", "log": "commands.basic", "reboot": "commands.basic",
    "config_set": "config.schema", "config_stored": "config.schema",
    "calibrate": "commands.calibration", "check": "commands.diagnostics",
    "identity": "commands.diagnostics",
}  # fmt: skip
# For the console alone: NAME(app, body, out) -> result; `out` takes the lines that follow.
_ON_CONSOLE = {
    "aim": "console.live_view",
    "records": "console.log_export",
    "confirm": "console.log_export",
}
_ALWAYS = ("identity", "log", "ping")  # what a board without an identity answers


def handle(app, payload, out=None):
    """Carry a command out and return the reply as a dict.

    out: `serial_line.Pieces` of the console, None over MQTT.
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
    cmd = body.get("cmd")
    if not isinstance(cmd, str):
        cmd = ""
    place, after = _PLACES.get(cmd), ()
    if not place and out:
        place, after = _ON_CONSOLE.get(cmd), (out,)
    if not place:
        known = sorted(list(_PLACES) + list(_ON_CONSOLE if out else ()))
        raise CommandError("unknown command; known: %s" % ", ".join(known))
    if not app.node and cmd not in _ALWAYS:
        raise CommandError("not provisioned: run `tallypost provision`")
    try:
        return getattr(__import__(place, None, None, (cmd,)), cmd)(app, body, *after)
    finally:
        let_go(place, "console.streams")


def _parse(payload):
    if len(payload) > _MAX_BYTES:
        raise CommandError("command of %d bytes, at most %d" % (len(payload), _MAX_BYTES))
    try:
        body = json.loads(payload)
    except ValueError:
        raise CommandError("command is not JSON")
    if not isinstance(body, dict) or not isinstance(body.get("id"), (str, int)):
        raise CommandError("command needs an object with id and cmd")
    if len(str(body["id"])) > _MAX_ID:  # it comes back in the reply, which has to fit
        raise CommandError("command id of more than %d characters" % _MAX_ID)
    return body
