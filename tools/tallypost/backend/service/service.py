"""The service around `listen`: log, metrics, status page, waiting at the start, the end in order.

Exit status, for a supervisor: 0 it was told to end; 1 a failure, start it again; 75 broker or
database did not come in time, start it again; 78 the settings are wrong, do not start it again.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tallypost import console
from tallypost.backend.service.log import Log
from tallypost.backend.service.status_page import Health, StatusPage
from tallypost.backend.service.watch import Watch
from tallypost.faults import ToolError
from tallypost.i18n import _

NOT_YET = 75  # EX_TEMPFAIL of sysexits.h
_STEP_S = 0.5
_NOTIFY_S = 1.0
_WAIT_MIN_S, _WAIT_MAX_S = 1.0, 15.0
_PERMANENT = (2, 78)  # status of errors that no waiting heals
_T = TypeVar("_T")


class Service(Watch):
    """args: of `listen`, with file and environment. Raises ToolError for wrong settings."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.log = None if args.log == "lines" else Log(args.log, args.log_level)
        self.is_ending = False
        self._notified = 0.0
        self._wait_s = args.wait
        self._before = signal.signal(signal.SIGTERM, self._end)
        self._page: StatusPage | None = None
        health = Health()
        self._watches: list[Watch] = [health]
        if args.status:
            # Late import: prometheus_client is not needed on a terminal.
            from tallypost.backend.service.metrics import Metrics

            metrics = Metrics(args.node_metrics)
            self._watches.append(metrics)
            self._page = StatusPage(args.status, health, metrics.text)

    def _end(self, *_signal: object) -> None:
        """SIGTERM ends the loop after the present batch. A second one ends at once."""
        if self.is_ending:
            raise KeyboardInterrupt
        self.is_ending = True

    def close(self) -> None:
        signal.signal(signal.SIGTERM, self._before)
        if self._page:
            self._page.close()

    def note(self, text: str) -> None:
        if self.log:
            self.log.info(text)
        else:
            console.note(text)

    def warn(self, text: str) -> None:
        if self.log:
            self.log.warning(text)
        else:
            console.note(_("warning: {text}").format(text=text))

    def ready(self) -> None:
        """Tell systemd that the service listens (sd_notify of Type=notify)."""
        notify("READY=1")

    # --- the start

    def wait_for(self, step: Callable[[], _T]) -> _T:
        """Do a step of the start. If broker or database are not there, wait and try again.

        Raises ToolError when the time is over.
        """
        until = time.monotonic() + self._wait_s
        pause_s = _WAIT_MIN_S
        while True:
            try:
                return step()
            except (ToolError, sqlite3.OperationalError) as error:
                failure = error if isinstance(error, ToolError) else _database_error(error)
            if self.is_ending:
                raise SystemExit(0)
            left_s = until - time.monotonic()
            if self._wait_s and failure.status not in _PERMANENT and left_s <= 0:
                raise ToolError(failure.what, failure.advice, NOT_YET)
            if failure.status in _PERMANENT or left_s <= 0:
                raise failure
            self.warn(_("{reason}; trying again").format(reason=failure.what))
            self._sleep(min(pause_s, left_s))
            pause_s = min(2 * pause_s, _WAIT_MAX_S)

    def _sleep(self, seconds: float) -> None:
        """Sleep until the service is to end."""
        until = time.monotonic() + seconds
        while not self.is_ending and (left_s := until - time.monotonic()) > 0:
            time.sleep(min(left_s, _STEP_S))

    # --- what the listener tells

    def connected(self, is_connected: bool, reason: str = "") -> None:
        for watch in self._watches:
            watch.connected(is_connected, reason)

    def turn(self) -> None:
        for watch in self._watches:
            watch.turn()
        if time.monotonic() - self._notified > _NOTIFY_S:
            self._notified = time.monotonic()
            notify("WATCHDOG=1")

    def received(self, topic: str, size: int) -> None:
        for watch in self._watches:
            watch.received(topic, size)

    def handled(self, messages: int, seconds: float) -> None:
        for watch in self._watches:
            watch.handled(messages, seconds)

    def acknowledged(self, topic: str) -> None:
        for watch in self._watches:
            watch.acknowledged(topic)

    def news(self, kind: str, node: str, body: dict[str, Any]) -> None:
        for watch in self._watches:
            watch.news(kind, node, body)


def _database_error(error: sqlite3.OperationalError) -> ToolError:
    return ToolError(
        _("the database: {reason}").format(reason=error), _("Check --db and its folder.")
    )


def notify(state: str) -> None:
    """Send a state to the supervisor (sd_notify(3)). Without one it does nothing."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if not name or sys.platform == "win32":
        return
    address = "\0" + name[1:] if name.startswith("@") else name
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), address)
    except OSError:
        return
