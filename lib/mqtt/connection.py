"""Connects a `Client` without blocking, and reads the answer to CONNECT. Needed for a moment."""

import asyncio
import socket
import time
from errno import EINPROGRESS

from micropython import const

from mqtt.reader import LinkDown

_CLEAN_SESSION = const(2)
_RESOLVE_MS = const(3_600_000)


class Refused(LinkDown):
    """The broker refused the CONNECT. `code` as in MQTT 3.1.1, table 3.1."""

    def __init__(self, code):
        super().__init__("refused by the broker, code %d" % code)
        self.code = code


async def open_stream(client):
    """Connect a socket to the broker, with TLS if the client has `wrap`. Raises LinkDown."""
    stream = sock = None
    try:
        await _look_up(client)
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.wait_for_ms(_connect(sock, client.address), client.connect_ms)
        stream = client.wrap(sock) if client.wrap else sock
        return stream
    except asyncio.TimeoutError:
        raise LinkDown("connect: no answer within %d ms" % client.connect_ms)
    except OSError as error:
        raise LinkDown("connect: %r" % error)
    finally:
        if sock and not stream:
            sock.close()


async def _look_up(client):
    """Look up the broker's address once an hour. If that fails, the old one stays in use."""
    now_ms = time.ticks_ms()
    if client.address and time.ticks_diff(now_ms, client.resolved_ms) < _RESOLVE_MS:
        return
    try:
        host = await client.resolve(client.server) if client.resolve else client.server
        client.address = socket.getaddrinfo(host, client.port)[0][-1]
    except OSError as error:
        if not client.address:
            raise error
    client.resolved_ms = now_ms


def _connect(sock, address):
    """Await a non-blocking connect, as asyncio does in `open_connection`."""
    try:
        sock.connect(address)
    except OSError as error:
        if error.errno != EINPROGRESS:
            raise error
    yield asyncio.core._io_queue.queue_write(sock)


def ask_for_session(packet, is_clean):
    """Ask in a CONNECT packet for a new session, or for the one that is kept."""
    at = 9 if packet[1] < 0x80 else 10  # the flags (MQTT 3.1.1, 3.1.2)
    packet[at] = packet[at] & ~_CLEAN_SESSION | (_CLEAN_SESSION if is_clean else 0)


def is_session_kept(connack):
    """True if the broker has kept the session, by its CONNACK of 4 bytes.

    Raises Refused with the broker's code, LinkDown if it is no CONNACK.
    """
    if connack[0] != 0x20 or connack[1] != 2:
        raise LinkDown("no MQTT broker answers there")
    if connack[3]:
        raise Refused(connack[3])
    return bool(connack[2])
