"""A node at the end of a serial line, as a TCP port: `socket://127.0.0.1:PORT`.

It answers commands with the values of a test, and misbehaves as real lines do: log lines, noise
and half lines in between, another device instead of a node, a cable that is pulled.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tallypost.cli import main
from tests.support.boards.tcp_port import TcpPort

Body = dict[str, Any]
Answer = Callable[[Body], Any]
LOG = b"12 info wifi: up\r\n"
NOISE = b'\x00\xfe{\xff\r\n{"half": \r\n'
IDENTITY: Body = {
    "node": "gate-1", "board": "esp32_generic", "version": "0.1.0", "boot": 3,
    "mac": "24:6f:28:00:00:0a", "config": "c0ffee00", "log": "0badcafe",
}  # fmt: skip


class Refuse(Exception):
    """Raised by an answer: the node refuses the command."""


class FakeNode:
    """answers: by command, a value or a function of the command. A function may return a `Stream`.

    banner: sent after the first received bytes. deaf: it never answers. pulled_after: commands
    until the cable is pulled. around: bytes before every answer.
    """

    def __init__(
        self, answers: Body | None = None, *, banner: bytes = b"", deaf: bool = False,
        pulled_after: int = 1 << 30, around: bytes = LOG,
    ) -> None:  # fmt: skip
        self.answers: Body = {"ping": "pong", "identity": IDENTITY, **(answers or {})}
        self._banner, self._deaf, self._around = banner, deaf, around
        self._left = pulled_after
        self.commands: list[Body] = []
        self._at = TcpPort(self._talk)
        self.port = self._at.url

    def __enter__(self) -> FakeNode:
        return self

    def __exit__(self, *_: object) -> None:
        self._at.close()

    def names(self) -> list[str]:
        """Received commands, without the greeting."""
        return [body["cmd"] for body in self.commands if body["cmd"] != "ping"]

    def _talk(self, link: socket.socket) -> None:
        link.settimeout(60)
        rest, banner = b"", self._banner
        while data := link.recv(4096):
            link.sendall(banner)
            rest, banner = rest + data, b""
            *lines, rest = rest.split(b"\n")
            for line in lines:
                line = line.rsplit(b"\x15", 1)[-1]
                if line.startswith(b"{") and not self._deaf:
                    self._left -= 1
                    if self._left < 0:
                        return
                    link.sendall(self._around + self._reply(json.loads(line)))

    def _reply(self, body: Body) -> bytes:
        self.commands.append(body)
        reply: Body = {"v": 1, "id": body["id"]}
        found = self.answers.get(body["cmd"], Refuse("unknown command; known: ping"))
        try:
            if isinstance(found, Exception):
                raise found
            result = found(body) if callable(found) else found
        except Refuse as no:
            return _line({**reply, "ok": False, "error": str(no)})
        if isinstance(result, Stream):
            return _line({**reply, "ok": True, "result": result.result}) + result.lines(body["id"])
        return _line({**reply, "ok": True, "result": result})


class Stream:
    """A result and the lines that follow it. Bytes go unchanged, %s in them is the id."""

    def __init__(self, result: Any, *bodies: Body | bytes) -> None:
        self.result = result
        self._bodies = bodies

    def lines(self, name: str) -> bytes:
        return b"".join(
            body.replace(b"%s", name.encode()) if isinstance(body, bytes)
            else _line({"id": name, **body})
            for body in self._bodies
        )  # fmt: skip


def _line(body: Body) -> bytes:
    return json.dumps(body).encode() + b"\r\n"


def tidy(text: str) -> str:
    """Output without the parts that differ from run to run: port numbers, spaces at the ends of
    lines."""
    text = re.sub(r"socket://127\.0\.0\.1:\d+", "PORT", text)
    return "\n".join(line.rstrip() for line in text.splitlines())


def run(
    capsys: pytest.CaptureFixture[str], verb: str, node: FakeNode, *words: str
) -> tuple[int, str, str]:
    """Exit status, output and errors of a verb at a node."""
    status = main([verb, *words, "--port", node.port])
    out, err = capsys.readouterr()
    return status, tidy(out), tidy(err)
