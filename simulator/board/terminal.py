"""The serial port as a pseudo-terminal, for programs that want a device path.

It has no DTR and no RTS, so it cannot reset the board. Instead a SYNC of esptool that reaches a
running image starts the loader. The end of the connection starts the image.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import threading
import time
import tty
from pathlib import Path
from typing import Protocol

_POLL_S = 0.02  # between two looks for a client
_SEND_TIMEOUT_S = 5.0  # for a client that does not read
_CHUNK_BYTES = 4096


class TerminalListener(Protocol):
    """The board behind the terminal. Called from its thread."""

    def receive_from_terminal(self, data: bytes) -> None: ...

    def on_hangup(self) -> None: ...


class Terminal:
    """link: a name for the device in the file system. It is made, and removed at the end."""

    def __init__(self, board: TerminalListener, link: Path | None = None) -> None:
        self._board = board
        self._link = link
        self._closing = False
        self._connected = False  # a client has it open

    def open(self) -> None:
        """Raises OSError when the link cannot be made."""
        self._master, slave = os.openpty()
        self._device = Path(os.ttyname(slave))
        tty.setraw(slave)
        os.close(slave)  # while this side holds it, the end of a client is not visible
        os.set_blocking(self._master, False)
        if self._link:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self._device)
        self._closing = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        return self._link or self._device

    def close(self) -> None:
        self._closing = True
        if self._thread is not threading.current_thread():
            self._thread.join()

    def send(self, data: bytes, wait: bool = False) -> None:
        """Bytes of the board. Without `wait` they are lost when the client does not read."""
        until = time.monotonic() + _SEND_TIMEOUT_S
        while data and self._connected and time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._master, data) :]
            if data:
                if not wait:
                    return
                select.select([], [self._master], [], _POLL_S)

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        while not self._closing:
            events = poll.poll(_POLL_S * 1000)
            hung_up = bool(events and events[0][1] & select.POLLHUP)
            if events and events[0][1] & select.POLLIN:
                self._connected = True
                self._read()
            elif hung_up:
                self._leave()
                time.sleep(_POLL_S)
            else:
                self._connected = True
        self._connected = False
        os.close(self._master)
        if self._link:
            self._link.unlink(missing_ok=True)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self._board.receive_from_terminal(os.read(self._master, _CHUNK_BYTES))

    def _leave(self) -> None:
        if self._connected:
            self._connected = False
            with contextlib.suppress(OSError, termios.error):
                termios.tcflush(self._master, termios.TCIOFLUSH)
            self._board.on_hangup()
