"""The other end of the board's sockets: TCP and UDP under one number, and a closed port.

The first byte of a connection is its order, see `checks/net.py`. Datagrams come back.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time

LATE_S = 1.0
BLOCK = b"B" * 1000
BLOCKS = 3
BREAK_S = 0.1
_LINGER_0 = struct.pack("ii", 1, 0)  # closing is then a reset
_TRIES = 20
_LISTEN_S = 300.0  # longer than any run: a connection that is left ends with the run


class Peer:
    """host: the address to listen at. A context manager. `port` answers, `closed` does not."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._tcp, self._udp = _pair(host)
        self.port = int(self._tcp.getsockname()[1])
        self._reserved = socket.socket()
        self._reserved.bind((host, 0))
        self.closed = int(self._reserved.getsockname()[1])

    def __enter__(self) -> Peer:
        for serve in (self._accept, self._echo):
            threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._tcp, self._udp, self._reserved):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed: the run is over
            while True:
                sock, _ = self._tcp.accept()
                threading.Thread(target=_serve, args=(sock,), daemon=True).start()

    def _echo(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, sender = self._udp.recvfrom(2048)
                if data:
                    self._udp.sendto(data, sender)


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """TCP and UDP at the same number."""
    for _ in range(_TRIES):
        tcp, udp = socket.socket(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp.bind((host, 0))
        try:
            udp.bind((host, tcp.getsockname()[1]))
        except OSError:
            tcp.close()
            udp.close()
            continue
        tcp.listen()
        return tcp, udp
    raise OSError(f"no port that is free for TCP and UDP at {host}")


def _serve(sock: socket.socket) -> None:
    with contextlib.suppress(OSError), sock:
        sock.settimeout(_LISTEN_S)
        order = sock.recv(1)
        if order == b"e":
            while data := sock.recv(4096):
                sock.sendall(data)
        elif order == b"l":
            time.sleep(LATE_S)
            sock.sendall(b"late")
            _until_closed(sock)
        elif order == b"s":
            _until_closed(sock)
        elif order == b"b":
            for _ in range(BLOCKS):
                sock.sendall(BLOCK)
                time.sleep(BREAK_S)
        elif order == b"r":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)


def _until_closed(sock: socket.socket) -> None:
    while sock.recv(4096):
        pass
