"""The small commands; see commands.py."""

from core.faults import CommandError


def ping(_app, _body):
    return "pong"


def status(app, _body):
    return app.status()


def log(app, _body):
    """The last lines of the log, oldest first."""
    return app.log.tail()


def resend(app, body):
    first, last = body.get("from"), body.get("to")
    if not isinstance(first, int) or not isinstance(last, int):
        raise CommandError("resend needs numbers from, to")
    return app.uplink.resend(first, last)


def config_get(app, _body):
    return app.config.shown()


def reboot(app, _body):
    app.reset_soon()
    return "rebooting"
