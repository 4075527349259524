"""A serial line to a node: commands and replies in JSON, among log lines and noise.

Nothing here resets the board. Its circuit (esptool documentation, "Boot Mode Selection",
automatic bootloader) lets the chip run while DTR and RTS are equal. The operating system asserts
both when it opens a port, and both stay so: to lower one after the other would be a reset.
"""

from __future__ import annotations

import errno
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import serial

from tallypost import console
from tallypost.connection import peer_detection
from tallypost.faults import ToolError
from tallypost.i18n import _

BAUD = 115_200
CONNECT_TIMEOUT_S = 12.0  # a node may be starting, or its network may block it
_START_TIMEOUT_S = 20.0  # from the line that reports a start: a node listens when it is finished
_PING_INTERVAL_S = 1.5
_REPLY_TIMEOUT_S = 10.0
_ATTEMPTS_MAX = 3
_NO_MEMORY = "no memory"
_NO_MEMORY_PAUSE_S = 1.0  # a node that connects has little: it has more in a moment
_READ_TIMEOUT_S = 0.1
_CHUNK_BYTES = 48  # the port of the chip holds 260 bytes, and the node reads about 2 a ms
_CHUNK_PAUSE_S = 0.05
_LINE_BYTES_MAX = 64 * 1024  # the lines of a node have 2 KB
_RECEIVED_BYTES_MAX = 4096  # kept to name a device that is no node

Body = dict[str, Any]


class Refused(ToolError):
    """The node has answered that it does not carry the command out."""


class Line:
    """port: of pyserial, open. name: the port as the user named it."""

    def __init__(self, port: Any, name: str) -> None:
        self._port = port
        self.name = name
        self._partial = b""
        self._received = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            self._port.close()
        except OSError:  # it is gone already
            return

    # --- lines

    def lines(self, seconds: float) -> Iterator[str]:
        """Whole lines as they come, for so long. Raises ToolError when the port is gone."""
        until = time.monotonic() + seconds
        while True:
            while b"\n" in self._partial:
                line, self._partial = self._partial.split(b"\n", 1)
                yield line.decode("utf-8", "replace").strip("\r\0 ")
            if time.monotonic() >= until:
                return
            self._partial = (self._partial + self._read())[-_LINE_BYTES_MAX:]

    def _read(self) -> bytes:
        try:
            data: bytes = self._port.read(1)
            if data:
                data += self._port.read(self._port.in_waiting)
        except (OSError, TypeError) as error:  # TypeError: pyserial's, of a port that was closed
            raise self._lost_error() from error
        self._received = (self._received + data)[-_RECEIVED_BYTES_MAX:]
        return data

    def _write(self, data: bytes) -> None:
        try:
            for at in range(0, len(data), _CHUNK_BYTES):
                if at:
                    time.sleep(_CHUNK_PAUSE_S)
                self._port.write(data[at : at + _CHUNK_BYTES])
        except (OSError, TypeError) as error:
            raise self._lost_error() from error

    def _lost_error(self) -> ToolError:
        return ToolError(
            _("{port}: the connection is lost").format(port=self.name),
            _("Plug the board in, then run the same command again."),
        )

    # --- commands

    def wait_for_node(self, timeout_s: float | None = None) -> None:
        """Wait until a node answers. Raises ToolError naming the device that is there instead."""
        timeout_s = CONNECT_TIMEOUT_S if timeout_s is None else timeout_s
        until = time.monotonic() + timeout_s
        request_ids: set[Any] = set()
        starting = False
        while time.monotonic() < until:
            request_ids.add(request_id := secrets.token_hex(4))
            # Ctrl-B ends a raw prompt that another program left behind. To a node it is noise.
            self._write(b"\x02" + _command(request_id, "ping", {}))
            for body in self._bodies(min(_PING_INTERVAL_S, timeout_s)):
                if body.get("id") in request_ids and "ok" in body:
                    return
            if peer_detection.is_identified(self._received):
                break
            if not starting and peer_detection.is_starting(self._received):
                starting = True
                until = max(until, time.monotonic() + _START_TIMEOUT_S)
                console.note(_("{port}: the node is starting, waiting").format(port=self.name))
        raise peer_detection.no_answer_error(self.name, self._received)

    def ask(self, cmd: str, /, **fields: Any) -> Any:
        """The result of a command. Raises Refused with the reason of the node, and ToolError."""
        return self._request(cmd, fields)[1]

    def stream(self, cmd: str, /, **fields: Any) -> tuple[Any, Iterator[tuple[Body, str]]]:
        """The result of a command, and the lines that follow it up to the one with `end`.

        Each line comes as an object and as text. An empty object stands for a second of silence.
        """
        request_id, result = self._request(cmd, fields)
        return result, self._stream_lines(request_id)

    def _request(self, cmd: str, fields: Body) -> tuple[str, Any]:
        """(id, result) of a command. It is sent again if it came damaged, or met a full heap."""
        request_id = secrets.token_hex(4)
        command = _command(request_id, cmd, fields)
        self._write(command)
        attempts = 1
        for body in self._bodies(_REPLY_TIMEOUT_S):
            is_reply = body.get("id") == request_id and "ok" in body
            if is_reply and body["ok"]:
                return request_id, body.get("result")
            is_full = body.get("error") == _NO_MEMORY
            if not is_reply and not _is_unread(body):
                continue
            if attempts == _ATTEMPTS_MAX or is_reply and not is_full:
                raise self._refusal(body)
            attempts += 1
            if is_full:
                time.sleep(_NO_MEMORY_PAUSE_S)
            self._write(command)
        raise peer_detection.no_answer_error(self.name, self._received)

    def _refusal(self, body: Body) -> Refused:
        return Refused(f"{self.name}: {body.get('error')}")

    def _stream_lines(self, request_id: str) -> Iterator[tuple[Body, str]]:
        while True:
            silent = True
            for line in self.lines(1.0):
                body = _json_object(line)
                if body.get("id") == request_id:
                    silent = False
                    yield body, line
                    if body.get("end"):
                        return
                elif _is_unread(body):
                    raise self._refusal(body)
                elif line.startswith("{"):
                    yield {"broken": True}, line
            if silent:
                yield {}, ""

    def _bodies(self, seconds: float) -> Iterator[Body]:
        return (body for line in self.lines(seconds) if (body := _json_object(line)))


def _command(request_id: str, cmd: str, fields: Body) -> bytes:
    """The bytes of a command. Ctrl-U at its beginning drops noise in the input of the node."""
    body = {"id": request_id, "cmd": cmd, **fields}
    return b"\x15" + json.dumps(body, separators=(",", ":")).encode() + b"\n"


def _is_unread(body: Body) -> bool:
    """A refusal without an id: the command arrived damaged, or the node has no memory for it."""
    return body.get("ok") is False and body.get("id") is None


def _json_object(line: str) -> Body:
    """The JSON object at the end of a line. It is empty for any other line."""
    at = line.find('{"')
    if at < 0:
        return {}
    try:
        body = json.loads(line[at:])
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def connect(name: str, baud: int = BAUD, timeout_s: float | None = None) -> Line:
    """Open a port and wait for the node. Raises ToolError naming the device that is there."""
    line = Line(open_port(name, baud), name)
    try:
        line.wait_for_node(timeout_s)
    except BaseException:
        line.close()
        raise
    return line


def open_port(name: str, baud: int = BAUD) -> Any:
    """A device, `rfc2217://host:port` or `socket://host:port`, open. Raises ToolError."""
    try:
        port = serial.serial_for_url(
            name, do_not_open=True, baudrate=baud, timeout=_READ_TIMEOUT_S
        )
        port.dtr = port.rts = True
        if "://" not in name:
            port.exclusive = True
        port.open()
    except (OSError, ValueError) as error:
        what, advice = _open_failure(error)
        raise ToolError(f"{name}: {what}", advice) from error
    return port


def _open_failure(error: OSError | ValueError) -> tuple[str, str]:
    """(why a port could not be opened, the next step)."""
    number = getattr(error, "errno", None)
    text = str(error)
    if number == errno.ENOENT or "No such file" in text:
        return _("there is no such port"), _("See the ports with: tallypost list")
    if number in (errno.EACCES, errno.EPERM) or "Permission denied" in text:
        return (
            _("permission denied"),
            _("Run: sudo usermod -aG dialout $USER, then log out and in again."),
        )
    if number == errno.EBUSY or "exclusively lock" in text or "busy" in text:
        return (
            _("another program has the port open"),
            _("Close that program. To find it, run: tallypost doctor"),
        )
    if "refused" in text or "timed out" in text or "Name or service" in text:
        return (
            _("no server answers at this address"),
            _("Start the server of the board, or correct host and port."),
        )
    return text, _("A port is a device, rfc2217://HOST:PORT or socket://HOST:PORT.")
