"""How a connection comes about without blocking, and what it may end with."""

import asyncio
from errno import EINPROGRESS


class LinkDown(Exception):
    """The connection is gone or never came up; the message says how it was noticed."""


class Refused(LinkDown):
    """The broker answered CONNECT with a refusal; `code` as in MQTT 3.1.1, table 3.1."""

    def __init__(self, code):
        super().__init__("refused by the broker, code %d" % code)
        self.code = code


def connected(sock, address):
    """Await the end of a non-blocking connect, as asyncio does in `open_connection`."""
    try:
        sock.connect(address)
    except OSError as error:
        if error.errno != EINPROGRESS:
            raise error
    yield asyncio.core._io_queue.queue_write(sock)


def session_kept(answer):
    """Whether the broker has kept the session, by its CONNACK of 4 bytes.

    Raises Refused with the broker's code, LinkDown for what is no CONNACK.
    """
    if answer[0] != 0x20 or answer[1] != 2:
        raise LinkDown("no MQTT broker answers there")
    if answer[3]:
        raise Refused(answer[3])
    return bool(answer[2])
