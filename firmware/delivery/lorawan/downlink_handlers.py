"""How the backend's orders over LoRaWAN are carried out: confirmations, commands, configuration.

Apart from orders.py, which keeps what is to be answered: orders are seldom, and the node has this
memory back in between.
"""

from core.faults import ConfigError
from wire import downlink


def carry_out(orders, port, payload):
    """Do what a downlink says: (answer that is due or None, whether it was done)."""
    try:
        return _HANDLERS[port](orders, payload), True
    except downlink.Refusal as error:
        refused = None if error.name is None else (error.name, error.code, str(error))
        return refused, False


def _ack(orders, payload):
    log, seq = downlink.parse_ack(payload)
    _check_log(orders, None, log)
    try:
        orders.link.confirm(seq)
    except ValueError as error:
        raise downlink.Refusal(None, downlink.BAD_VALUE, str(error))
    return None


def _check_log(orders, name, log):
    if log != orders.ring.log_id & 0xFFFF:
        raise downlink.Refusal(name, downlink.FOREIGN_LOG, "log %04x" % log)


def _command(orders, payload):
    name, command, wanted = downlink.parse_command(payload)
    text = ""
    if command == downlink.RESEND:
        text = _resend(orders, name, wanted)
    elif command == downlink.STATE:
        orders.link.tell_state()
    elif command == downlink.REBOOT:
        orders.reboots = True
    return name, downlink.OK, text


def _resend(orders, name, wanted):
    log, first, last = wanted
    _check_log(orders, name, log)
    try:
        return "%d..%d" % orders.link.resend(first, last)
    except ValueError as error:
        raise downlink.Refusal(name, downlink.BAD_VALUE, str(error))


def _config(orders, payload):
    name, values = downlink.parse_config(payload)
    try:
        orders.node.store_config(values)
    except (ConfigError, OSError) as error:
        raise downlink.Refusal(name, downlink.BAD_VALUE, str(error))
    return name, downlink.OK, "after a reboot"


_HANDLERS = {
    downlink.PORT_ACK: _ack,
    downlink.PORT_COMMAND: _command,
    downlink.PORT_CONFIG: _config,
}
