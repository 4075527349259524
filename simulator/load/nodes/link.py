"""One connection of a client under load, with or without TLS: packets in, packets out."""

from __future__ import annotations

import asyncio
import socket
import ssl
from asyncio import sslproto
from collections.abc import Callable
from dataclasses import dataclass

from simulator.load.nodes import packets

# asyncio keeps a buffer of 256 KB for each TLS connection, which 10,000 of them do not need.
sslproto.SSLProtocol.max_size = 16 * 1024
CONNECT_S = 5.0  # limit for connecting, and again for TLS and the CONNACK
_REFUSED = "refused by the broker, code {}"


class LinkDown(Exception):
    """The connection is lost, or never came up."""


@dataclass(frozen=True)
class Address:
    """A broker, or several of a cluster. Clients take them in turn.

    places: (IPv4 address, port). name: in the certificate. tls: None = plain text.
    """

    places: tuple[tuple[str, int], ...]
    name: str = "localhost"
    tls: ssl.SSLContext | None = None

    def place(self, turn: int) -> tuple[str, int]:
        return self.places[turn % len(self.places)]


class Link(asyncio.Protocol):
    """on_packet(first byte, body) is called for each packet after the CONNACK."""

    def __init__(self, on_packet: Callable[[int, bytes], None]) -> None:
        self._on_packet = on_packet
        self._splitter = packets.Splitter()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.accepted: asyncio.Future[None] = self._loop.create_future()
        self.accepted.add_done_callback(lambda done: done.cancelled() or done.exception())
        self.ended: asyncio.Future[str] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for first, body in self._splitter.feed(data):
                if self.accepted.done():
                    self._on_packet(first, body)
                else:
                    self._on_connack(first, body)
        except packets.Malformed as error:
            self.drop(f"malformed: {error}")

    def _on_connack(self, first: int, body: bytes) -> None:
        if first != packets.CONNACK or len(body) != 2:
            self.accepted.set_exception(LinkDown("no MQTT broker answers there"))
        elif body[1]:
            self.accepted.set_exception(LinkDown(_REFUSED.format(body[1])))
        else:
            self.accepted.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(type(error).__name__ if error else "closed by the broker")

    def _end(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)
        if not self.accepted.done():
            self.accepted.set_exception(LinkDown(reason))

    def send(self, data: bytes) -> None:
        """Raises LinkDown."""
        if self.ended.done() or not self._transport:
            raise LinkDown("not connected")
        self._transport.write(data)

    def waiting_bytes(self) -> int:
        """Bytes that the broker has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    def drop(self, reason: str) -> None:
        """Close without DISCONNECT, so that the broker publishes the last will."""
        self._end(reason)
        if self._transport:
            self._transport.abort()


async def open_link(link: Link, address: Address, turn: int, connect: bytes) -> None:
    """Connect as a node does: TCP in 5 s, then TLS and CONNACK in 5 s. Raises LinkDown."""
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    name = address.name if address.tls else None
    try:
        async with asyncio.timeout(CONNECT_S):
            await loop.sock_connect(sock, address.place(turn))
        async with asyncio.timeout(CONNECT_S):
            await loop.create_connection(
                lambda: link, sock=sock, ssl=address.tls, server_hostname=name
            )
            link.send(connect)
            await link.accepted
    except TimeoutError:
        sock.close()
        link.drop("no CONNACK in time")
        raise LinkDown("no CONNACK in time") from None
    except OSError as error:
        sock.close()
        link.drop(type(error).__name__)
        raise LinkDown(type(error).__name__) from error
