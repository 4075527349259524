"""A TCP port with an answering function: for pyserial, a serial port with a device behind it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class TcpPort:
    """talk: called with each connection, in a thread of the port's own. OSError ends it.

    number: of the port. url: for pyserial, esptool and mpremote.
    """

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._talk = talk
        self._server = socket.create_server(("127.0.0.1", 0))
        self.number = int(self._server.getsockname()[1])
        self.url = f"socket://127.0.0.1:{self.number}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering. Waits for the connection that is open. Twice is once."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # closing alone does not wake accept()
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._server.accept()
                with link, contextlib.suppress(OSError):
                    self._talk(link)
