"""The hostile manner of the broker: messages that nobody who means well sends to a node.

In a span of `hostile_broker` the broker greets each subscription with retained messages, and sends
another message every minute. None of them is an order that an operator could have
given, so a node must obey none of them, and go on with its work.
"""

from __future__ import annotations

from simulator.world.network import mqtt

PERIOD_US = 60_000_000
RETAINED, LIVE = 0x31, 0x30
_HUGE_BYTES = 100_000_000
_SENT_BYTES = 64  # of a huge message: as if the window of TCP held back the rest
_DEEP = b"[" * 180 + b"]" * 180  # the C stack of the chip does not hold its printing
_SET = b'{"id":"%s","cmd":"config_set","config":{"%s":%s}}'

# What a broker keeps, by topic. A node that obeys the first one restarts for ever.
KEPT = (
    ("cmd", b'{"id":"again","cmd":"reboot"}'),
    ("cmd", _SET % (b"deep", b"site", _DEEP)),
    ("ack", b'{"v":1,"log":"00000000","seq":4294967295}'),
)
SENT = (
    ("cmd", _SET % (b"a", b"site", _DEEP)),
    ("cmd", b'{"id":1,"cmd":' + _DEEP + b"}"),
    ("cmd", b'{"id":2,"cmd":"reboot","boot":65535}'),
    ("cmd", b'{"id":3,"cmd":"reboot","expires":1}'),
    ("cmd", b'{"id":4,"cmd":"resend","from":1e99,"to":[]}'),
    ("cmd", b'{"id":5,"cmd":"reboot"'),
    ("cmd", b'{"id":{"cmd":"reboot"}}'),
    ("cmd", b"\xff" * 300),
    ("cmd", b"{" * 300),
    ("ack", b'{"v":1,"log":"%s","seq":1}' % (b"f" * 300)),
    ("ack", b'{"v":1,"seq":' + _DEEP + b"}"),
    ("ack", b""),
)


def huge(topic: str) -> bytes:
    """The beginning of a message of 100 MB."""
    name = topic.encode()
    head = mqtt.encode_length(_HUGE_BYTES) + len(name).to_bytes(2, "big") + name
    return bytes([RETAINED]) + head + b"x" * _SENT_BYTES
