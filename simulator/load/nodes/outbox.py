"""Delivery state of a node under load: the same rules as `firmware/delivery/outbox.py`.

Two cursors, *sent* and *confirmed*. If a backend that has confirmed before stays silent for
120 s, the node sends again from the last confirmed record on, and doubles the time, up to 3,600 s.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any

from simulator.load.nodes.figures import Figures

_ACK_TIMEOUT_S = 120.0
_ACK_TIMEOUT_MAX_S = 3600.0
_RANGE_MAX = 20_000  # records of one resend request
_RANGES_MAX = 8


class Outbox:
    """log: id, 8 hexadecimal digits. closed: number of the newest record."""

    def __init__(self, log: str, closed: int, figures: Figures) -> None:
        self.log = log
        self.closed = closed
        self.sent = self.confirmed = 0
        self.ranges: list[tuple[int, int]] = []  # asked for with `resend`
        # A node in service: a backend has confirmed before, so a silent one makes it send again.
        self._confirms = True
        self._highest = 0  # record that was ever sent
        self._timeout_s = _ACK_TIMEOUT_S
        self._due = time.monotonic() + _ACK_TIMEOUT_S
        self._waiting: deque[tuple[int, float]] = deque()  # last number of a message, when
        self._figures = figures

    def next_range(self) -> tuple[int, int] | None:
        """(first, last) of what is to be sent now, None if there is nothing."""
        if self.ranges:
            return self.ranges[0]
        return (self.sent + 1, self.closed) if self.sent < self.closed else None

    def note_sending(self, first: int, last: int) -> None:
        """A message with these records goes out now."""
        new = max(0, last - max(first - 1, self._highest))
        self._figures.sent(new, last - first + 1 - new)
        if new:
            self._highest = last
            self._waiting.append((last, time.monotonic()))

    def note_taken(self, last: int) -> None:
        """The broker has the message that ends with this record."""
        if self.ranges:
            end = self.ranges[0][1]
            self.ranges[:1] = [(last + 1, end)] if last < end else []
        elif last > self.sent:
            if self.sent <= self.confirmed:
                self._expect_ack()
            self.sent = last

    def rest_s(self) -> float | None:
        """How long to wait for news. None: until some come."""
        if not self._confirms or self.confirmed >= self.sent:
            return None
        return max(0.0, self._due - time.monotonic())

    def send_again(self) -> None:
        """No acknowledgement came in time."""
        self.sent = self.confirmed
        self._timeout_s = min(2 * self._timeout_s, _ACK_TIMEOUT_MAX_S)

    def _expect_ack(self) -> None:
        self._due = time.monotonic() + self._timeout_s

    # --- messages of the backend

    def acknowledge(self, payload: bytes) -> None:
        """Raises ValueError for what a node would refuse."""
        body = json.loads(payload)
        seq = body["seq"]
        if body["log"] != self.log or not 0 <= seq <= self.closed:
            raise ValueError(f"ack: {payload!r:.80}")
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= seq:
            self._figures.acknowledged(now - self._waiting.popleft()[1])
        if seq > self.confirmed or not self._confirms:
            self._confirms = True
            self.confirmed = max(seq, self.confirmed)
            self.sent = max(self.sent, self.confirmed)
            self._timeout_s = _ACK_TIMEOUT_S
            self._expect_ack()

    def command(self, payload: bytes) -> dict[str, Any]:
        """Obey a command, of which there is one: resend. Returns the reply."""
        body = json.loads(payload)
        first, last = body.get("from", 0), body.get("to", 0)
        self._figures.resend_requests += 1
        if body.get("cmd") != "resend" or not 1 <= first <= last <= self.closed:
            return _refusal(body, "no such records")
        if last - first > _RANGE_MAX or len(self.ranges) == _RANGES_MAX:
            return _refusal(body, "too many records")
        self.ranges.append((first, last))
        return {"v": 1, "id": body["id"], "ok": True, "result": [first, last]}


def _refusal(body: dict[str, Any], why: str) -> dict[str, Any]:
    return {"v": 1, "id": body.get("id"), "ok": False, "error": f"resend: {why}"}
