"""The small commands. See registry.py."""

from core.faults import CommandError
from core.health import report


def ping(_app, _body):
    return "pong"


def status(app, _body):
    body = app.hello()
    body.update(report(app))
    return body


def log(app, _body):
    """The last lines of the log, oldest first."""
    return app.log.tail()


def resend(app, body):
    first, last = body.get("from"), body.get("to")
    if not isinstance(first, int) or not isinstance(last, int):
        raise CommandError("resend needs numbers from, to")
    return app.uplink.resend(first, last)


def reboot(app, _body):
    app.reset_soon()
    return "rebooting"
