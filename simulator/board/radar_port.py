"""A TCP port at the radar's line: bytes of a client reach UART 1 of the node as they come.

So a recording can be fed to a virtual board as to an emulated one, whose emulator has such a port.
"""

from __future__ import annotations

import socket
import threading
from functools import partial

from simulator.world.kernel import Node
from simulator.world.spec import Console

HOST = "127.0.0.1"
_UART = 1
_PIECE_BYTES = 512
_BUFFER_BYTES_MAX = 1 << 16


class RadarPort:
    """number: the TCP port, 0 for any free one. Raises OSError if it is busy."""

    def __init__(self, number: int = 0) -> None:
        self._listener = socket.create_server((HOST, number))
        self.url = f"socket://{HOST}:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._waiting = b""
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def read(self) -> bytes:
        """The bytes that came since the last call."""
        with self._lock:
            data, self._waiting = self._waiting, b""
        return data

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:  # closed
                return
            with client:
                while data := client.recv(4096):
                    with self._lock:
                        self._waiting = (self._waiting + data)[-_BUFFER_BYTES_MAX:]


class FedConsole:
    """The console of a node whose radar is a port. It is the place where real time comes in."""

    def __init__(self, console: Console, port: RadarPort, node: Node) -> None:
        self._console = console
        self._port = port
        self._node = node
        self.name = console.name
        self.horizon_us = console.horizon_us
        self.write = console.write
        self.set_interrupt_char = console.set_interrupt_char
        self.interrupt_requested = console.interrupt_requested

    def wait(self, now_us: int, at_prompt: bool) -> bytes:
        data, node = self._port.read(), self._node
        for start in range(0, len(data), _PIECE_BYTES):
            piece = data[start : start + _PIECE_BYTES]
            node.call_at(now_us, partial(node.deliver, _UART, piece))
        return self._console.wait(now_us, at_prompt)
