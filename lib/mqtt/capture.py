"""Takes the CONNECT that umqtt.simple would send, without a connection.

umqtt.simple resolves, connects and waits for the CONNACK in blocking calls: on a street with two
passages a second that is a blind node for as long as a broker takes to answer. So it builds the
packet, for which it is the reference, and the sending and waiting are awaited elsewhere. That is
needed once: `let_go()` gives the memory back.
"""

import sys

from umqtt import simple


class Capture:
    """Stands for the module `socket` inside umqtt.simple, and for a socket: keeps what is sent."""

    def __init__(self):
        self.packet = bytearray()

    def socket(self, *_args):
        return self

    def getaddrinfo(self, *_args):
        return ((None,),)

    def connect(self, _address):
        """There is nobody to connect to."""

    settimeout = connect

    def write(self, data, size=-1):
        self.packet += data if size < 0 else data[:size]

    def read(self, _size):
        return b"\x20\x02\0\0"  # accepted, so that `connect` ends


def connect_packet(client):
    """The CONNECT of a `mqtt.client.Client`, for a session that is kept."""
    capture = simple.socket = Capture()
    made = simple.MQTTClient(
        client.client_id, client.server, client.port, client.user, client.password,
        client.keepalive,
    )  # fmt: skip
    if client.will:
        made.set_last_will(*client.will)
    made.connect(clean_session=False)
    return capture.packet


def let_go():
    """Forget this module and the library."""
    for name in ("umqtt.simple", "umqtt"):
        sys.modules.pop(name, None)
    if sys.modules.pop("mqtt.capture", None):
        del sys.modules["mqtt"].capture
