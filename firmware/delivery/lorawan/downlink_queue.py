"""Downlinks of the backend, and the answers that are still to be sent.

Commands and configuration are answered under their id. A wrong downlink is refused and counted. It
never stops the node.
"""

from core.modules import unload_modules
from micropython import const

_ANSWERS_MAX = const(4)
_PORT_ACK = const(10)  # as wire/downlink.py, which is not in memory: acknowledgement, and
_PORT_MAX = const(12)  # behind it commands and configuration, which are answered


class DownlinkQueue:
    """link: the scheduler. node: log, store_config(values), reset_soon()."""

    def __init__(self, link, node, ring):
        self.link = link
        self.node = node
        self.ring = ring
        self.answers = []  # (id, code, text)
        self.refused = 0
        self.reboots = False  # when everything is answered

    def receive(self, port, payload):
        """Carry out a downlink. Without memory, or room for its answer, it is refused."""
        is_command = _PORT_ACK < port <= _PORT_MAX
        if port != _PORT_ACK and not (is_command and len(self.answers) < _ANSWERS_MAX):
            self.refused += 1
            return
        answer, is_done = None, False
        try:
            from delivery.lorawan.downlink_handlers import handle_downlink  # 4,500 bytes

            answer, is_done = handle_downlink(self, port, payload)
        except MemoryError:
            self.node.log.warn("lorawan: no memory for a downlink")
        finally:
            unload_modules()
        if not is_done:
            self.refused += 1
        if answer:
            self.answers.append(answer)

    def answered(self):
        """The first answer is on the air."""
        self.answers.pop(0)
        if self.reboots and not self.answers:
            self.node.reset_soon()
