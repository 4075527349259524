"""What the backend orders over LoRaWAN, and what it is still to be told about it.

Commands and configuration are answered under their id. What is wrong is refused and counted; it
never stops the node. How orders are carried out is in errands.py.
"""

from micropython import const

from core.health import let_go

_MOST_ANSWERS = const(4)
_ACK = const(10)  # the ports of wire/downlink.py, which is not in memory: acknowledgement, and
_LAST = const(12)  # behind it commands and configuration, which are answered


class Orders:
    """link: LoraLink. node: store_config(values), reset_soon(). Holds what is to be answered."""

    def __init__(self, link, node, ring):
        self.link = link
        self.node = node
        self.ring = ring
        self.answers = []  # (id, code, text)
        self.refused = 0
        self.reboots = False  # when everything is answered

    def take(self, port, payload):
        """Carry a downlink out."""
        if not _ACK <= port <= _LAST or (port > _ACK and len(self.answers) >= _MOST_ANSWERS):
            self.refused += 1  # nothing is carried out that could not be answered
            return
        from delivery.lorawan.downlink_handlers import carry_out  # RAM: orders are seldom

        try:
            answer, is_done = carry_out(self, port, payload)
        finally:
            let_go("delivery.lorawan.downlink_handlers", "wire.downlink")
        if not is_done:
            self.refused += 1
        if answer:
            self.answers.append(answer)

    def answered(self):
        """The first answer is on the air."""
        self.answers.pop(0)
        if self.reboots and not self.answers:
            self.node.reset_soon()
