"""Asks a name server for an address (RFC 1035) and awaits the answer. IPv4 only, no cache."""

import asyncio
import socket
import struct
from errno import EAGAIN, ETIMEDOUT

from micropython import const

_PORT = const(53)
_HEAD = "!HHHHHH"  # number, flags, questions, answers, authorities, additional (4.1.1)
_HEAD_BYTES = const(12)
_ASKED = const(0x0100)  # recursion desired
_ANSWERED = const(0x8000)  # response
_A_IN = b"\0\x01\0\x01"  # an IPv4 address, class Internet
_ANSWER_MAX = const(512)
WAITS_S = (1, 2, 3, 3)  # after each question
_NOT_FOUND = const(-202)  # the number that the port's getaddrinfo raises


async def query(host, server, rng):
    """Return the address of the name `host` as text. Raises OSError. rng(bits) -> random int."""
    if host.endswith(".local"):
        return socket.getaddrinfo(host, 0)[0][-1][0]
    question = _question(host, rng(16))
    address = socket.getaddrinfo(server, _PORT)[0][-1]  # digits: no look-up
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        for wait_s in WAITS_S:
            sock.sendto(question, address)
            try:
                return await asyncio.wait_for(_answered(sock, address, question), wait_s)
            except asyncio.TimeoutError:
                pass
    finally:
        sock.close()
    raise OSError(ETIMEDOUT)


def _question(host, number):
    labels = b""
    for label in host.encode().split(b"."):
        if not 0 < len(label) < 64:
            raise OSError(_NOT_FOUND)
        labels += bytes((len(label),)) + label
    return struct.pack(_HEAD, number, _ASKED, 1, 0, 0, 0) + labels + b"\0" + _A_IN


def _answered(sock, address, question):
    """Await the answer to the question. Other datagrams are dropped."""
    while True:
        yield asyncio.core._io_queue.queue_read(sock)
        try:
            data, sender = sock.recvfrom(_ANSWER_MAX)
        except OSError as error:
            if error.errno != EAGAIN:
                raise error
            continue
        if sender == address and _belongs(data, question):
            return _address(data, len(question))


def _belongs(data, question):
    """True if this is the answer to the question: same number, response bit, same name."""
    return (
        len(data) >= len(question)
        and data[:2] == question[:2]
        and data[2] & _ANSWERED >> 8
        and data[_HEAD_BYTES : len(question)].lower() == question[_HEAD_BYTES:].lower()
    )


def _address(data, pos):
    """The first IPv4 address among the answers. Raises OSError if there is none."""
    answers = struct.unpack_from(_HEAD, data, 0)[3]
    try:
        for _ in range(answers):
            pos = _skip_name(data, pos)
            size = struct.unpack_from("!H", data, pos + 8)[0]
            if data[pos : pos + 4] == _A_IN and size == 4:
                return "%d.%d.%d.%d" % struct.unpack_from("4B", data, pos + 10)
            pos += 10 + size
    except (IndexError, ValueError):  # cut short
        pass
    raise OSError(_NOT_FOUND)


def _skip_name(data, pos):
    """The position behind a name. A name may end in a pointer (4.1.4)."""
    while data[pos]:
        if data[pos] >= 0xC0:
            return pos + 2
        pos += 1 + data[pos]
    return pos + 1
