"""Relays a node to a real broker: its bytes over a real socket, the answers at virtual times.

A real broker answers in real time. A node waits in virtual time, which runs a thousand times as
fast. So the node's time stands still while an answer is on its way. MQTT 3.1.1 answers CONNECT,
PUBLISH at QoS 1, SUBSCRIBE and PINGREQ. The backend acknowledges `counts` and `event`. An answer
that misses the limits below comes later, and the node sees a slow broker.
"""

from __future__ import annotations

import errno
import random
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator

from simulator.world.network.access_network import AccessNetwork, NetworkFaults, TcpConnection

REPLY_S = 5.0
BACKEND_S = 3.0
POLL_US = 1_000_000  # how often the node's time stops for messages that are no answer
LIVE_POLL_US = 50_000  # the same for a node in real time
CONNECT_S = 5.0
PUBLISH = 0x30
ANSWERED_BY = {0x10: 0x20, 0x80: 0x90, 0xC0: 0xD0}
OnPublish = Callable[[int, str, bytes], None]


class PacketSplitter:
    """Cuts a stream of MQTT into packets: (first byte, body)."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        self._rest += data
        while len(self._rest) >= 2:
            size, at = 0, 1
            while at < len(self._rest):
                byte = self._rest[at]
                size |= (byte & 0x7F) << 7 * (at - 1)
                at += 1
                if byte < 0x80:
                    break
            else:
                return
            if len(self._rest) < at + size:
                return
            packet, self._rest = self._rest[: at + size], self._rest[at + size :]
            yield packet[0], packet[at:]


class RelayNetwork(AccessNetwork):
    """Like the embedded network, but connections lead to `address` (host, port).

    on_publish(t_us, topic, payload) is called with every message that the node publishes. A node
    in real time needs no `waits_for_answers`: answers come by themselves.
    """

    def __init__(
        self,
        address: tuple[str, int],
        faults: NetworkFaults,
        rng: random.Random,
        start_utc: int,
        on_publish: OnPublish,
        *,
        waits_for_answers: bool = True,
    ) -> None:
        super().__init__(faults, rng, start_utc)
        self.check_us = POLL_US if waits_for_answers else LIVE_POLL_US
        self._waits_for_answers = waits_for_answers
        self._address = address
        self._on_publish = on_publish
        self._connections: list[RelayedConnection] = []

    def stop_broker(self, t_us: int) -> None:
        for connection in self._connections:
            connection.cut(t_us)
        self._connections.clear()

    def connect(self, _node: str, pipe: TcpConnection, t_us: int) -> RelayedConnection:
        """Raises OSError when the real broker cannot be reached."""
        try:
            sock = socket.create_connection(self._address, CONNECT_S)
        except OSError as error:
            raise OSError(errno.ECONNREFUSED, str(error)) from error
        connection = RelayedConnection(sock, pipe, self._on_publish, self._waits_for_answers)
        self._connections.append(connection)
        return connection


class RelayedConnection:
    """One real connection, the far end of a `TcpConnection`."""

    def __init__(
        self,
        sock: socket.socket,
        pipe: TcpConnection,
        on_publish: OnPublish,
        waits_for_answers: bool,
    ) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(REPLY_S)
        self._sock = sock
        self._pipe = pipe
        self._on_publish = on_publish
        self._waits_for_answers = waits_for_answers
        self._from_node = PacketSplitter()
        self._from_broker = PacketSplitter()
        self._awaited: Counter[int] = Counter()
        self._open = True
        self.last_us = 0

    def feed(self, t_us: int, data: bytes) -> None:
        """Bytes of the node."""
        if not self._open:
            return
        try:
            self._sock.sendall(data)
        except OSError:
            self.cut(t_us)
            return
        for first, body in self._from_node.feed(data):
            self._expect_answer(t_us, first, body)
        self._forward_answers(t_us)

    def _expect_answer(self, t_us: int, first: int, body: bytes) -> None:
        """Note which answer this packet of the node will get."""
        kind = first & 0xF0
        if kind in ANSWERED_BY:
            self._awaited[ANSWERED_BY[kind]] += 1
        if kind != PUBLISH:
            return
        end = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:end].decode(errors="replace")
        if first & 0x06:
            self._awaited[0x40] += 1
            end += 2
        if topic.endswith(("/counts", "/event")):
            self._awaited[PUBLISH] = 1  # one answer covers all messages before it
        self._on_publish(t_us, topic, body[end:])

    def _forward_answers(self, t_us: int) -> None:
        """Hand over arriving bytes until every expected answer is there, or a limit is reached."""
        began = time.monotonic()
        if not self._waits_for_answers:
            self._awaited.clear()
        while self._open:
            limit_s = REPLY_S if any(n for k, n in self._awaited.items() if k != PUBLISH) else 0
            limit_s = limit_s or (BACKEND_S if self._awaited[PUBLISH] else 0)
            left_s = began + limit_s - time.monotonic()
            if not select.select([self._sock], [], [], max(left_s, 0))[0]:
                break
            self._receive(t_us)
        self._awaited.clear()

    def _receive(self, t_us: int) -> None:
        try:
            data = self._sock.recv(65536)
        except OSError:
            self.cut(t_us)
            return
        if not data:
            self.cut(t_us, 0)
            return
        for first, _ in self._from_broker.feed(data):
            kind = first & 0xF0
            self._awaited[kind] = max(0, self._awaited[kind] - 1)
        self._pipe.to_node(t_us, data)

    def expired(self, t_us: int) -> bool:
        """Called every virtual second to look for bytes that are not an answer. Never expires."""
        self._forward_answers(t_us)
        return False

    def cut(self, t_us: int, code: int = errno.ECONNRESET) -> None:
        """The far end is gone. Code 0: it has closed in order."""
        if self._open:
            self._open = False
            self._sock.close()
            self._pipe.end(t_us, code)

    def shut(self, _t_us: int, _code: int) -> None:
        """The node has closed, or its power is gone. The socket closes without DISCONNECT, so that
        the last will is sent."""
        if self._open:
            self._open = False
            self._sock.close()
