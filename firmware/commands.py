"""Commands from the backend or a technician: every one has an id, every one is answered.

Imported for a command and let go; what lasts from one to the next is in the application.
"""

import json

from faults import CommandError, ConfigError, refusal
from health import let_go

_MAX_BYTES = 2048
_MAX_ID = 100


class Commands:
    """app: what the commands work on (uplink, config, nvs, tally, status(), reset_soon())."""

    def __init__(self, app):
        self._app = app
        self.known = {  # function(body) -> result by name; a way in may have more
            "ping": self._ping,
            "status": self._status,
            "resend": self._resend,
            "config_get": self._config_get,
            "config_set": self._config_set,
            "log": self._log,
            "reboot": self._reboot,
            "calibrate": self._calibrate,
            "check": self._look,
            "identity": self._look,
            "config_stored": self._look,
        }

    def handle(self, payload):
        """Carry a command out and return the reply as a dict."""
        name = None
        try:
            body = self._parse(payload)
            name = body["id"]
            cmd = body.get("cmd")
            handler = self.known.get(cmd) if isinstance(cmd, str) else None
            if handler is None:
                raise CommandError("unknown command; known: %s" % ", ".join(sorted(self.known)))
            return {"v": 1, "id": name, "ok": True, "result": handler(body)}
        except (CommandError, ConfigError, ValueError) as error:
            self._app.refused_commands += 1
            return refusal(name, error)

    def _parse(self, payload):
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

    def _ping(self, _body):
        return "pong"

    def _status(self, _body):
        return self._app.status()

    def _log(self, _body):
        return self._app.log.tail()

    def _resend(self, body):
        first, last = body.get("from"), body.get("to")
        if not isinstance(first, int) or not isinstance(last, int):
            raise CommandError("resend needs numbers from, to")
        return self._app.uplink.resend(first, last)

    def _look(self, body):
        import checkup  # large, and seldom needed

        try:
            return getattr(checkup, body["cmd"])(self._app)
        finally:
            let_go("checkup")

    def _config_get(self, _body):
        return self._app.config.public()

    def _config_set(self, body):
        change = body.get("config")
        if not isinstance(change, dict):
            raise CommandError("config_set needs an object config")
        from config import alter  # large, and seldom needed

        try:
            values = alter(self._app.nvs, self._app.config, change)
        finally:
            let_go("config")
        return {"stored": {key: values[key] for key in change}, "in_force": "after a reboot"}

    def _calibrate(self, body):
        record = self._app.counter.rec
        if body.get("do") == "start":
            self._app.tally = tuple(record.totals)
            return "counting; now tally by hand, then stop"
        if body.get("do") != "stop":
            raise CommandError("calibrate needs do: start or stop")
        if self._app.tally is None:
            raise CommandError("calibrate: not started, or the node restarted; start it again")
        from calibration import finish  # large, and seldom needed

        try:
            result = finish(self._app.tally, record, body)
        finally:
            let_go("calibration")
        self._app.tally = None
        self._app.uplink.event(
            "calibration", error_pct=result["total_error_pct"], limit_pct=result["limit_pct"],
            ok=result["pass"],
        )  # fmt: skip
        return result

    def _reboot(self, _body):
        self._app.reset_soon()
        return "rebooting"
