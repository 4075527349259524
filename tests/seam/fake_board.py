"""A fake board: a TCP port that speaks the raw REPL and answers as a test lets it.

`answer(script)` gives the board's output, piece by piece. It raises `Hangs` or `Drops` for a
faulty line.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator

from tests.support.boards.tcp_port import TcpPort

ABOUT = (
    '@board {"version": [1, 26, 0], "machine": "made of paper", "counting": false,'
    ' "partitions": ["nvs", "vfs", "ring"]}\n'
)
_RAW = b"raw REPL; CTRL-B to exit\r\n>"
_RUN = re.compile(r"^run\('(\w+)', \((.*)\)\)$", re.MULTILINE)
_NAME = re.compile(r"\('(\w+)', \w+\)")
Answer = Callable[[str], Iterator[str]]


class Hangs(Exception):
    """From here on the board sends nothing, and the line stays."""


class Drops(Exception):
    """The line is gone."""


def area_of(script: str) -> tuple[str, list[str]]:
    """The area of a script's results, and its checks."""
    found = _RUN.search(script)
    return (found[1], _NAME.findall(found[2])) if found else ("", [])


def passing(script: str) -> Iterator[str]:
    """A board that passes every check."""
    area, names = area_of(script)
    if "@board" in script:
        yield ABOUT
    elif not area:
        yield "@cause 2\n" if "@cause" in script else "@left\n"
    else:
        for name in names:
            yield f"@begin {area}.{name}\n@pass {area}.{name}\n"
        yield f"@end {area}\n"


class FakeBoard:
    """A context manager. mpremote connects to `url`."""

    def __init__(self, answer: Answer = passing) -> None:
        self._answer = answer
        self._port = TcpPort(self._serve)
        self.url = self._port.url

    def __enter__(self) -> FakeBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self._port.close()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(Drops):
            try:
                self._talk(sock)
            except Hangs:
                while sock.recv(4096):
                    pass

    def _talk(self, sock: socket.socket) -> None:
        """The raw prompt, byte by byte. Raw-paste is refused, so the script comes unchanged."""
        source = bytearray()
        while byte := sock.recv(1):
            if byte == b"\x01" and source[-2:] == b"\x05A":
                sock.sendall(b"R\x00")
            elif byte == b"\x01":
                sock.sendall(_RAW)
            elif byte == b"\x04" and not source.strip():
                sock.sendall(b"OK\r\nMPY: soft reboot\r\n" + _RAW)
            elif byte == b"\x04":
                sock.sendall(b"OK")
                for piece in self._answer(source.decode()):
                    sock.sendall(piece.replace("\n", "\r\n").encode())
                sock.sendall(b"\x04\x04>")
            elif byte not in (b"\x02", b"\x03"):
                source += byte
                continue
            source.clear()
