"""`/healthz` and `/metrics` over HTTP, for a supervisor and for Prometheus.

/healthz   200 while the broker is connected and the listener works, else 503. The body is JSON
/metrics   metrics.py

There is no password and no TLS: the address is that of a network which only operators reach.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tallypost.backend.service.settings import BAD_CONFIG
from tallypost.backend.service.watch import Watch
from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _

SILENCE_MAX_S = 60.0  # of the listener: it looks twice a second
_TIMEOUT_S = 10.0  # of a client that sends nothing
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health(Watch):
    """Whether the service does its work."""

    def __init__(self) -> None:
        self._is_connected = False
        self._reason = "starting"
        self._turned = time.monotonic()

    def connected(self, is_connected: bool, reason: str = "") -> None:
        self._is_connected, self._reason = is_connected, reason

    def turn(self) -> None:
        self._turned = time.monotonic()

    def state(self) -> dict[str, object]:
        silent_s = time.monotonic() - self._turned
        is_working = silent_s < SILENCE_MAX_S
        broker = "connected" if self._is_connected else self._reason or "not connected"
        return {
            "ok": self._is_connected and is_working, "broker": broker,
            "listener": "working" if is_working else f"silent for {silent_s:.0f} s",
        }  # fmt: skip


class StatusPage:
    """Serves in a thread of its own. address: HOST:PORT. Raises ToolError."""

    def __init__(self, address: str, health: Health, metrics: Callable[[], bytes]) -> None:
        host, port = _split(address)
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(health, metrics))
        except OSError as error:
            raise ToolError(
                _("status = {address}: {reason}").format(address=address, reason=os_reason(error)),
                _("Choose another address with --status."),
                BAD_CONFIG,
            ) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _split(address: str) -> tuple[str, int]:
    host, _colon, port = address.rpartition(":")
    if not host or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise ToolError(
            _("status = {address}: no address").format(address=address),
            _("Write HOST:PORT, such as 127.0.0.1:9464."),
            BAD_CONFIG,
        )
    return host.strip("[]"), int(port)


def _handler(health: Health, metrics: Callable[[], bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S

        def do_GET(self) -> None:
            if self.path == "/healthz":
                state = health.state()
                text = json.dumps(state).encode() + b"\n"
                self._answer(200 if state["ok"] else 503, text, "application/json")
            elif self.path == "/metrics":
                self._answer(200, metrics(), _TYPE)
            else:
                self._answer(404, b"/healthz or /metrics\n", "text/plain")

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """The log is for what happens in the city."""

    return Handler
