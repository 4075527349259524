"""Captures the CONNECT packet that umqtt.simple would send, without a connection.

umqtt.simple resolves, connects and waits for the CONNACK in blocking calls. A node on a busy
street would miss passages until the broker answers. So umqtt.simple only builds the packet, and
`mqtt.client` sends it and awaits the answer. The packet is needed once. After that, `unload()`
gives the memory back.
"""

import sys

from umqtt import simple


class Capture:
    """Stands for the module `socket` inside umqtt.simple, and for a socket. Keeps sent bytes."""

    def __init__(self):
        self.packet = bytearray()

    def socket(self, *_args):
        return self

    def getaddrinfo(self, *_args):
        return ((None,),)

    def connect(self, _address):
        """There is no broker here."""

    settimeout = connect

    def write(self, data, size=-1):
        self.packet += data if size < 0 else data[:size]

    def read(self, _size):
        return b"\x20\x02\0\0"  # accepted, so that `connect` ends


def connect_packet(client):
    """The CONNECT packet of a `mqtt.client.Client`, for a session that is kept."""
    capture = simple.socket = Capture()
    made = simple.MQTTClient(
        client.client_id, client.server, client.port, client.user, client.password,
        client.keepalive,
    )  # fmt: skip
    if client.will:
        made.set_last_will(*client.will)
    made.connect(clean_session=False)
    return capture.packet


def unload():
    """Unload this module and the library."""
    for name in ("umqtt.simple", "umqtt"):
        sys.modules.pop(name, None)
    if sys.modules.pop("mqtt.capture", None):
        del sys.modules["mqtt"].capture
