"""Connects a socket without blocking, and reads the answer to CONNECT."""

import asyncio
from errno import EINPROGRESS


class LinkDown(Exception):
    """The connection is lost, or never came up. The message has the reason."""


class Refused(LinkDown):
    """The broker refused the CONNECT. `code` as in MQTT 3.1.1, table 3.1."""

    def __init__(self, code):
        super().__init__("refused by the broker, code %d" % code)
        self.code = code


def connect(sock, address):
    """Await a non-blocking connect, as asyncio does in `open_connection`."""
    try:
        sock.connect(address)
    except OSError as error:
        if error.errno != EINPROGRESS:
            raise error
    yield asyncio.core._io_queue.queue_write(sock)


def is_session_kept(connack):
    """True if the broker has kept the session, by its CONNACK of 4 bytes.

    Raises Refused with the broker's code, LinkDown if it is no CONNACK.
    """
    if connack[0] != 0x20 or connack[1] != 2:
        raise LinkDown("no MQTT broker answers there")
    if connack[3]:
        raise Refused(connack[3])
    return bool(connack[2])
