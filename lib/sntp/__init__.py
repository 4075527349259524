"""Asks an NTP server for the time (SNTP, RFC 4330) and awaits the answer. See README.md."""

import asyncio
import socket
import struct
from errno import EAGAIN

from micropython import const

_PORT = const(123)
_PACKET_BYTES = const(48)
_CLIENT = const(0x23)  # version 4, mode 3
_SERVER_MODE = const(4)
_UNSYNCHRONISED = const(3)  # leap indicator
_STRATUM_MAX = const(15)
_ORIGIN = const(24)  # the time stamp of the question
_TRANSMIT = const(40)
_UNIX_TO_NTP = const(2_208_988_800)
WAIT_S = 2


async def ask(address, rng):
    """Return UTC in unix seconds. Raises OSError. rng(bits) -> random int.

    The question carries 64 random bits as its time stamp. An answer without them is dropped.
    """
    question = bytearray(_PACKET_BYTES)
    question[0] = _CLIENT
    for i in range(_TRANSMIT, _PACKET_BYTES):
        question[i] = rng(8)
    server = socket.getaddrinfo(address, _PORT)[0][-1]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.sendto(question, server)
        answer = await asyncio.wait_for(_answered(sock, server, question[_TRANSMIT:]), WAIT_S)
    except asyncio.TimeoutError:
        raise OSError("ntp: no answer")
    except MemoryError:  # the time can wait, counting cannot
        raise OSError("ntp: no memory")
    finally:
        sock.close()
    return _seconds(answer)


def _answered(sock, server, stamp):
    """Await the answer to the question with this time stamp."""
    while True:
        yield asyncio.core._io_queue.queue_read(sock)
        try:
            data, sender = sock.recvfrom(_PACKET_BYTES)
        except OSError as error:
            if error.errno != EAGAIN:
                raise error
            continue
        is_whole = len(data) == _PACKET_BYTES and data[0] & 7 == _SERVER_MODE
        if sender == server and is_whole and data[_ORIGIN : _ORIGIN + 8] == stamp:
            return data


def _seconds(data):
    """UTC of an answer. Raises OSError if the server has no time, or asks for silence."""
    seconds = struct.unpack_from("!I", data, _TRANSMIT)[0]
    if not 1 <= data[1] <= _STRATUM_MAX:  # 0: kiss of death
        raise OSError("ntp: refused, %r" % bytes(data[12:16]))
    if data[0] >> 6 == _UNSYNCHRONISED or not seconds:
        raise OSError("ntp: the server has no time")
    if seconds < 1 << 31:  # the era that begins in 2036
        seconds += 1 << 32
    return seconds - _UNIX_TO_NTP
