"""A serial line to a node: commands and answers in JSON, among log lines and noise.

Nothing here resets the board. Its circuit (esptool documentation, "Boot Mode Selection",
automatic bootloader) lets it run while DTR and RTS are equal, so both stay as the operating system
sets them when a port is opened, asserted: lowering one after the other would be a reset.
"""

from __future__ import annotations

import errno
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import serial

from tallypost.faults import ToolError
from tallypost.connection import peer_detection as hearing

BAUD = 115_200
PATIENCE_S = 8.0  # for a node that is just starting, or whose network blocks it
_TRY_S = 1.5
_ASK_S = 10.0
_TRIES = 3
_STEP_S = 0.1
_PIECE = 48  # the port of the chip holds 260 bytes, and the node reads about 2 a ms
_PAUSE_S = 0.05
_LONGEST = 64 * 1024  # of a line; the node's are 2 KB
_KEPT = 4096  # of what was heard before the first answer

Body = dict[str, Any]


class Refused(ToolError):
    """The node has answered, and says no."""


class Line:
    """port: of pyserial, open. name: what the user called it."""

    def __init__(self, port: Any, name: str) -> None:
        self._port = port
        self.name = name
        self._rest = b""
        self._heard = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            self._port.close()
        except OSError:  # it has gone already
            return

    # --- lines

    def lines(self, seconds: float) -> Iterator[str]:
        """Whole lines as they come, for so long; raises ToolError when the port has gone."""
        until = time.monotonic() + seconds
        while True:
            while b"\n" in self._rest:
                line, self._rest = self._rest.split(b"\n", 1)
                yield line.decode("utf-8", "replace").strip("\r\0 ")
            if time.monotonic() >= until:
                return
            self._rest = (self._rest + self._read())[-_LONGEST:]

    def _read(self) -> bytes:
        try:
            data: bytes = self._port.read(1)
            if data:
                data += self._port.read(self._port.in_waiting)
        except (OSError, TypeError) as error:  # TypeError: pyserial's, of a port that was closed
            raise self._gone() from error
        self._heard = (self._heard + data)[-_KEPT:]
        return data

    def _write(self, data: bytes) -> None:
        try:
            for at in range(0, len(data), _PIECE):
                if at:
                    time.sleep(_PAUSE_S)
                self._port.write(data[at : at + _PIECE])
        except (OSError, TypeError) as error:
            raise self._gone() from error

    def _gone(self) -> ToolError:
        return ToolError(
            f"{self.name}: unplugged, or its other end has gone", "plug it in, then the same again"
        )

    # --- commands

    def greet(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until a node answers; raises ToolError saying what does instead."""
        until = time.monotonic() + patience_s
        names: set[Any] = set()
        while time.monotonic() < until:
            names.add(name := secrets.token_hex(4))
            # Ctrl-B leaves a raw prompt that somebody left behind; to a node it is noise.
            self._write(b"\x02" + _command(name, "ping", {}))
            for body in self._bodies(min(_TRY_S, patience_s)):
                if body.get("id") in names and "ok" in body:
                    return
            if hearing.certain(self._heard):
                break
        raise hearing.explain(self.name, self._heard)

    def ask(self, cmd: str, /, **fields: Any) -> Any:
        """The result of a command; raises Refused with what the node says, and ToolError."""
        return self._begin(cmd, fields)[1]

    def stream(self, cmd: str, /, **fields: Any) -> tuple[Any, Iterator[tuple[Body, str]]]:
        """The result of a command, and the lines that follow it, as objects and as they came, up
        to the one with `end`; an empty object stands for a second in which nothing came.
        """
        name, result = self._begin(cmd, fields)
        return result, self._following(name)

    def _begin(self, cmd: str, fields: Body) -> tuple[str, Any]:
        name = secrets.token_hex(4)
        command = _command(name, cmd, fields)
        self._write(command)
        tries = 1
        for body in self._bodies(_ASK_S):
            if body.get("id") == name and "ok" in body:
                if not body["ok"]:
                    raise Refused(f"{self.name}: {body.get('error')}")
                return name, body.get("result")
            if _is_lost(body):  # it was not carried out
                if tries == _TRIES:
                    raise Refused(f"{self.name}: {body.get('error')}")
                tries += 1
                self._write(command)
        raise hearing.explain(self.name, self._heard)

    def _following(self, name: str) -> Iterator[tuple[Body, str]]:
        while True:
            silent = True
            for line in self.lines(1.0):
                body = _object(line)
                if body.get("id") == name:
                    silent = False
                    yield body, line
                    if body.get("end"):
                        return
                elif _is_lost(body):
                    raise Refused(f"{self.name}: {body.get('error')}")
                elif line.startswith("{"):
                    yield {"broken": True}, line
            if silent:
                yield {}, ""

    def _bodies(self, seconds: float) -> Iterator[Body]:
        return (body for line in self.lines(seconds) if (body := _object(line)))


def _command(name: str, cmd: str, fields: Body) -> bytes:
    """Ctrl-U first: it drops what noise has left in the node's line."""
    body = {"id": name, "cmd": cmd, **fields}
    return b"\x15" + json.dumps(body, separators=(",", ":")).encode() + b"\n"


def _is_lost(body: Body) -> bool:
    """A refusal of what had no id: garbled on its way, or the node has no memory for it."""
    return body.get("ok") is False and body.get("id") is None


def _object(line: str) -> Body:
    """The JSON object of a line, behind whatever stands before it; empty for any other line."""
    at = line.find('{"')
    if at < 0:
        return {}
    try:
        body = json.loads(line[at:])
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def connect(name: str, baud: int = BAUD, patience_s: float = PATIENCE_S) -> Line:
    """Open a port and wait for the node; raises ToolError with what is there instead."""
    line = Line(open_port(name, baud), name)
    try:
        line.greet(patience_s)
    except BaseException:
        line.close()
        raise
    return line


def open_port(name: str, baud: int = BAUD) -> Any:
    """A device, `rfc2217://host:port` or `socket://host:port`, open; raises ToolError."""
    try:
        port = serial.serial_for_url(name, do_not_open=True, baudrate=baud, timeout=_STEP_S)
        port.dtr = port.rts = True
        if "://" not in name:
            port.exclusive = True
        port.open()
    except (OSError, ValueError) as error:
        raise _refusal(name, error) from error
    return port


def _refusal(name: str, error: OSError | ValueError) -> ToolError:
    number = getattr(error, "errno", None)
    text = str(error)
    if number == errno.ENOENT or "No such file" in text:
        return ToolError(f"{name}: no such port", "tallypost list shows those there are")
    if number in (errno.EACCES, errno.EPERM) or "Permission denied" in text:
        return ToolError(
            f"{name}: no permission",
            "sudo usermod -aG dialout $USER, then log out and in again",
        )
    if number == errno.EBUSY or "exclusively lock" in text or "busy" in text:
        return ToolError(
            f"{name}: busy, another program has it open",
            "close it (a monitor? mpremote?); tallypost doctor finds it",
        )
    if "refused" in text or "timed out" in text or "Name or service" in text:
        return ToolError(f"{name}: nobody listens there", "is the board's server running?")
    return ToolError(
        f"{name}: {text}", "wanted: a device, rfc2217://HOST:PORT, socket://HOST:PORT"
    )
