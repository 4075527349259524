"""The virtual board for the checks: wires on its pins, the host's own peer in its network.

No other file here knows the simulator. The same scripts run on any board.
"""

from __future__ import annotations

import contextlib
import errno
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from simulator.board.board import VirtualBoard
from simulator.board.life import NullObserver
from simulator.board.stock import flashed
from simulator.board.uart import Uart
from simulator.world.kernel import Node
from simulator.world.network.access_network import NetworkFaults, TcpConnection
from simulator.world.network.relay import RelayedConnection, RelayNetwork
from simulator.world.protocol import PORT_PIN, Input
from simulator.world.spec import NodeSpec
from tallypost.hardware import boards
from tests.seam.wiring import Network, Wiring

BOARD = "esp32_generic"
SCRATCH = "ring"
WIRING = Wiring((18, 19), (17, 16), 21, Network("bench", "of-the-bench", "127.0.0.1"))
_UART = 1
_BYTE_US = 87  # at 115200 baud
_PIECE = 20  # bytes
_BIT_US = 104  # at 9600 baud: so the input sees what it is shown of short writes
_SHORT = 64
_CONNECT_S = 5.0
_DATAGRAM_S = 0.5


class Loop:
    """TX is wired to RX, and to an input."""

    def generate(self, _t0_us: int, _t1_us: int, _limit: int) -> list[Input]:
        return []

    def write(self, t_us: int, data: bytes) -> list[Input]:
        back = []
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            back.append((t_us + (start + len(piece)) * _BYTE_US, _UART, piece))
        return back + (self._edges(t_us, data) if len(data) <= _SHORT else [])

    def _edges(self, t_us: int, data: bytes) -> list[Input]:
        """The levels of the line: start bit, eight bits from the lowest on, stop bit."""
        assert WIRING.uart_pin is not None
        levels = [bit for byte in data for bit in (0, *(byte >> i & 1 for i in range(8)), 1)]
        return [
            (t_us + i * _BIT_US, PORT_PIN, bytes([WIRING.uart_pin, level]))
            for i, level in enumerate(levels)
            if level != (levels[i - 1] if i else 1)
        ]

    def power(self, _t_us: int, _on: bool) -> None:
        return None


class Wires:
    """An output is wired to an input."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def on_start(self) -> None:
        return None

    def pin(self, gpio: int, level: int) -> None:
        assert WIRING.pins is not None
        out, into = WIRING.pins
        if gpio == out:
            self._node.edge(into, level)

    def spi(self, data: bytes) -> bytes:
        return bytes(len(data))

    def power(self, _on: bool) -> None:
        return None


class Lan(RelayNetwork):
    """Connections and datagrams lead to real ports of this machine."""

    def __init__(self, rng: random.Random, start_utc: int) -> None:
        assert WIRING.network
        super().__init__(
            (WIRING.network.host, 0),
            NetworkFaults(),
            rng,
            start_utc,
            _ignore_publish,
            waits_for_answers=False,
        )
        self._host = WIRING.network.host
        self._port = 0

    def open(self, node: str, host: str, port: int, t_us: int, *ends: object) -> TcpConnection:
        self._port = port
        return super().open(node, host, port, t_us, *ends)  # type: ignore[arg-type]

    def connect(self, _node: str, pipe: TcpConnection, _t_us: int) -> RelayedConnection:
        try:
            sock = socket.create_connection((self._host, self._port), _CONNECT_S)
        except OSError as error:
            raise OSError(errno.ECONNREFUSED, str(error)) from error
        return RelayedConnection(sock, pipe, _ignore_publish, False)

    def udp(
        self, _node: str, _host: str, port: int, data: bytes, t_us: int
    ) -> list[tuple[int, bytes]]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(_DATAGRAM_S)
            sock.sendto(data, (self._host, port))
            with contextlib.suppress(OSError):
                return [(t_us + self.latency_us(), sock.recv(2048))]
        return []


def _ignore_publish(_t_us: int, _topic: str, _payload: bytes) -> None:
    """No program here reads MQTT."""


class WiredBoard(VirtualBoard):
    def make_node(self, uart: Uart) -> Node:
        start_utc = int(time.time())
        network = Lan(random.Random(1), start_utc)
        spec = NodeSpec(self.board.name, self.flash, start_utc, 1)
        node = Node(spec, network, Loop(), NullObserver())
        node.peripheral = Wires(node)
        network.call_at = node.call_at
        network.begin()
        node.console = uart
        return node


@contextlib.contextmanager
def virtual_board(folder: Path) -> Iterator[VirtualBoard]:
    """A board as it leaves the bench: flashed, not provisioned. Its flash file is in `folder`."""
    flash = flashed(boards.load(BOARD), folder / "board.bin")
    with WiredBoard(BOARD, flash, terminal=True) as board:
        yield board
