"""The serial port as a TCP server: RFC 2217, telnet with the settings and lines of a UART.

One client at a time, as on a serial port. A second one is turned away. While there is no client
the board's output is lost, as on a UART. The baud rate is accepted and has no effect: bytes travel
at the network's speed.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
from typing import Protocol

from serial import rfc2217

HOST = "127.0.0.1"
BUFFER_MAX = 1 << 16  # bytes towards the client. Further bytes of a console are lost.
_CHUNK_BYTES = 1 << 14
_IAC = b"\xff"


class PortListener(Protocol):
    """The board behind the port. Called from the port's thread."""

    def receive(self, data: bytes) -> None: ...

    def set_lines(self, dtr: bool, rts: bool) -> None: ...


class UartSettings:
    """The UART's settings as `rfc2217.PortManager` sees them: of a pyserial port."""

    baudrate = 115200
    bytesize = 8
    parity = "N"
    stopbits = 1
    xonxoff = rtscts = break_condition = False
    cts = dsr = cd = True
    ri = False

    def __init__(self, board: PortListener) -> None:
        self._board = board
        self._dtr = self._rts = False

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, asserted: bool) -> None:
        self._dtr = asserted
        self._board.set_lines(self._dtr, self._rts)

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, asserted: bool) -> None:
        self._rts = asserted
        self._board.set_lines(self._dtr, self._rts)

    def reset_input_buffer(self) -> None:
        """This side has no buffer."""

    def reset_output_buffer(self) -> None:
        """This side has no buffer."""


class SerialServer:
    """Listens from `open()` to `close()`. number: the TCP port, 0 for any free one."""

    def __init__(self, board: PortListener, number: int = 0) -> None:
        self._board = board
        self.number = number
        self._client: socket.socket | None = None
        self._manager: rfc2217.PortManager | None = None
        self._out = bytearray()
        self._space = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wake: socket.socket | None = None
        self._closing = False

    @property
    def url(self) -> str:
        return f"rfc2217://{HOST}:{self.number}"

    def open(self) -> None:
        """Listen. Raises OSError when the port is not free."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self.number))
        except OSError:
            listener.close()
            raise
        listener.listen(1)
        self.number = listener.getsockname()[1]
        self._closing = False
        self._wake, woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, args=(listener, woken), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Pull the plug: the client's connection drops. May be called from any thread."""
        self._closing = True
        self._nudge()
        if self._thread and self._thread is not threading.current_thread():
            self._thread.join()

    def write(self, data: bytes) -> None:
        """Send bytes unchanged, telnet included. For `PortManager`."""
        with self._space:
            self._out += data
        self._nudge()

    def send(self, data: bytes, wait: bool = False) -> None:
        """Bytes of the board. Without `wait` they are lost when the client does not read."""
        with self._space:
            if wait:
                self._space.wait_for(lambda: len(self._out) < BUFFER_MAX or not self._client)
            if self._client and len(self._out) < BUFFER_MAX:
                self._out += data.replace(_IAC, _IAC + _IAC)
        self._nudge()

    def _nudge(self) -> None:
        """Wake the thread. It may be gone."""
        with contextlib.suppress(OSError):
            if self._wake:
                self._wake.send(b".", socket.MSG_DONTWAIT)

    def _serve(self, listener: socket.socket, woken: socket.socket) -> None:
        while not self._closing:
            reads = [listener, woken] + ([self._client] if self._client else [])
            writes = [self._client] if self._client and self._out else []
            readable, writable, _ = select.select(reads, writes, [])
            if woken in readable:
                woken.recv(4096)
            if listener in readable:
                self._accept(listener)
            if self._client in writable:
                self._flush()
            if self._client and self._client in readable:
                self._receive(self._client)
        for ours in (listener, woken, self._wake):
            if ours:
                ours.close()
        self._hang_up()

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        if self._client:  # the port is busy
            client.close()
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        with self._space:
            self._out.clear()
            self._client = client
        quiet = logging.getLogger("simulator.board")
        quiet.setLevel(logging.CRITICAL)
        self._manager = rfc2217.PortManager(UartSettings(self._board), self, quiet)

    def _flush(self) -> None:
        client = self._client
        assert client
        with self._space:
            try:
                del self._out[: client.send(self._out[:_CHUNK_BYTES])]
            except BlockingIOError:
                return
            except OSError:
                self._out.clear()
            self._space.notify_all()

    def _receive(self, client: socket.socket) -> None:
        try:
            data = client.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        assert self._manager
        if typed := b"".join(self._manager.filter(data)):
            self._board.receive(typed)

    def _hang_up(self) -> None:
        """The client has gone. The operating system releases both lines at once."""
        with self._space:
            if not self._client:
                return
            self._client.close()
            self._client = None
            self._out.clear()
            self._space.notify_all()
        self._board.set_lines(False, False)
