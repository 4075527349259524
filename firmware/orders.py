"""What the backend orders over LoRaWAN: confirmations, commands, configuration.

Commands and configuration are answered under their id. What is wrong is refused and counted; it
never stops the node.
"""

from micropython import const

from faults import ConfigError
from wire import downlink, note

_MOST_ANSWERS = const(4)


class Orders:
    """link: LoraLink. node: store_config(values), reset_soon(). Holds what is to be answered."""

    def __init__(self, link, node, ring):
        self._link = link
        self._node = node
        self._ring = ring
        self.answers = []  # (id, code, text)
        self.refused = 0
        self._reboots = False
        self._handlers = {
            downlink.PORT_ACK: self._ack,
            downlink.PORT_COMMAND: self._command,
            downlink.PORT_CONFIG: self._config,
        }

    def take(self, port, payload):
        """Carry a downlink out."""
        handler = self._handlers.get(port)
        if handler is None or (handler != self._ack and len(self.answers) >= _MOST_ANSWERS):
            self.refused += 1  # nothing is carried out that could not be answered
            return
        try:
            handler(payload)
        except downlink.Refusal as error:
            self.refused += 1
            if error.name is not None:
                self.answers.append((error.name, error.code, str(error)))

    def answered(self):
        """The first answer is on the air."""
        self.answers.pop(0)
        if self._reboots and not self.answers:
            self._node.reset_soon()

    def _ack(self, payload):
        log, seq = downlink.parse_ack(payload)
        self._check_log(None, log)
        try:
            self._link.confirm(seq)
        except ValueError as error:
            raise downlink.Refusal(None, note.BAD_VALUE, str(error))

    def _check_log(self, name, log):
        if log != self._ring.log_id & 0xFFFF:
            raise downlink.Refusal(name, note.FOREIGN_LOG, "log %04x" % log)

    def _command(self, payload):
        name, command, wanted = downlink.parse_command(payload)
        text = ""
        if command == downlink.RESEND:
            text = self._resend(name, wanted)
        elif command == downlink.STATE:
            self._link.tell_state()
        elif command == downlink.REBOOT:
            self._reboots = True
        self.answers.append((name, note.OK, text))

    def _resend(self, name, wanted):
        log, first, last = wanted
        self._check_log(name, log)
        try:
            return "%d..%d" % self._link.resend(first, last)
        except ValueError as error:
            raise downlink.Refusal(name, note.BAD_VALUE, str(error))

    def _config(self, payload):
        name, values = downlink.parse_config(payload)
        try:
            self._node.store_config(values)
        except (ConfigError, OSError) as error:
            raise downlink.Refusal(name, note.BAD_VALUE, str(error))
        self.answers.append((name, note.OK, "after a reboot"))
