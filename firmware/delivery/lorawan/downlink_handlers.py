"""Handlers of downlinks: acknowledgement, command, configuration. Loaded for one downlink."""

from core.faults import ConfigError
from micropython import const

from wire import downlink

_INTERVAL_MIN = const(5)  # minutes; a shorter one needs a signature, which no downlink holds


def handle_downlink(queue, port, payload):
    """Carry out a downlink; return the answer that is due, or None, and whether it was done."""
    try:
        return _HANDLERS[port](queue, payload), True
    except downlink.Refusal as error:
        refused = None if error.name is None else (error.name, error.code, str(error))
        return refused, False


def _ack(queue, payload):
    log, seq = downlink.parse_ack(payload)
    _check_log(queue, None, log)
    try:
        queue.link.confirm(seq)
    except ValueError as error:
        raise downlink.Refusal(None, downlink.BAD_VALUE, str(error))
    return None


def _check_log(queue, name, log):
    if log != queue.ring.log_id & 0xFFFF:
        raise downlink.Refusal(name, downlink.FOREIGN_LOG, "log %04x" % log)


def _command(queue, payload):
    name, command, wanted = downlink.parse_command(payload)
    text = ""
    if command == downlink.RESEND:
        text = _resend(queue, name, wanted)
    elif command == downlink.STATE:
        queue.link.report_state()
    elif command == downlink.REBOOT:
        queue.reboots = True
    return name, downlink.OK, text


def _resend(queue, name, wanted):
    log, first, last = wanted
    _check_log(queue, name, log)
    try:
        return "%d..%d" % queue.link.resend(first, last)
    except ValueError as error:
        raise downlink.Refusal(name, downlink.BAD_VALUE, str(error))


def _config(queue, payload):
    name, values = downlink.parse_config(payload)
    if values.get("interval_min", _INTERVAL_MIN) < _INTERVAL_MIN:
        raise downlink.Refusal(name, downlink.BAD_VALUE, "interval_min needs a signature")
    try:
        queue.node.store_config(values)
    except (ConfigError, OSError) as error:
        raise downlink.Refusal(name, downlink.BAD_VALUE, str(error))
    return name, downlink.OK, "after a reboot"


_HANDLERS = {
    downlink.PORT_ACK: _ack,
    downlink.PORT_COMMAND: _command,
    downlink.PORT_CONFIG: _config,
}
