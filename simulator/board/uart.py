"""The console's line between a running node and the port, and the pace of the node's time.

The node's time follows real time, times `speed`. Without a speed it runs free. While a prompt
waits for a person it always follows real time. It is never more than `AHEAD_S` ahead, so that
typed bytes reach the node at once and a prompt costs no computing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

AHEAD_S = 0.05
FREE_US = 60_000_000  # a free-running node runs this far in one go
CHUNK_BYTES = 64  # for the node, between two looks at its console
_INPUT_MAX = 1 << 16  # bytes that wait for a node that does not read


class Uart:
    """name: the board's. send: to the port. speed: of the node's time, None for free."""

    def __init__(
        self, name: str, send: Callable[[bytes], None], speed: float | None = 1.0
    ) -> None:
        self.name = name
        self.write = send
        self._speed = speed
        self._at_prompt = False
        self._typed = bytearray()
        self._interrupt_char = b""  # the character that interrupts a program
        self._signalled = False
        self._changed = threading.Condition()
        self._ended = False
        self._zero = (time.monotonic(), 0)  # real time (s) and node time (us) of one moment

    def receive(self, data: bytes) -> None:
        """Bytes from the port."""
        with self._changed:
            self._typed += data[: _INPUT_MAX - len(self._typed)]
            self._changed.notify()

    def end(self) -> None:
        """Wake the waiting node. It will not wait here again."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def wait(self, now_us: int, at_prompt: bool) -> bytes:
        with self._changed:
            if at_prompt != self._at_prompt:
                self._zero = (time.monotonic(), now_us)
                self._at_prompt = at_prompt
            while not self._typed and not self._ended:
                left_s = self._left_s(now_us)
                if left_s <= 0:
                    break
                self._changed.wait(left_s)
            chunk = bytes(self._typed[:CHUNK_BYTES])
            self._signalled = False
            del self._typed[:CHUNK_BYTES]
            return chunk

    def set_interrupt_char(self, char: int) -> None:
        self._interrupt_char = b"" if char == 0xFF else bytes([char])

    def interrupt_requested(self) -> bool:
        """True once for each waiting interrupt character. The character stays, because an import
        takes a signal for "not there"."""
        with self._changed:
            if (
                self._signalled
                or not self._interrupt_char
                or self._interrupt_char not in self._typed
            ):
                return False
            self._signalled = True
            return True

    def horizon_us(self, now_us: int) -> int:
        factor = self._factor()
        if factor is None:
            return now_us + FREE_US
        return max(now_us, self._wall_us(factor) + int(AHEAD_S * factor * 1e6))

    def _factor(self) -> float | None:
        return 1.0 if self._at_prompt else self._speed

    def _wall_us(self, factor: float) -> int:
        wall_s, node_us = self._zero
        return node_us + int((time.monotonic() - wall_s) * factor * 1e6)

    def _left_s(self, now_us: int) -> float:
        """Seconds until real time is as far as the node."""
        factor = self._factor()
        return 0.0 if factor is None else (now_us - self._wall_us(factor)) / 1e6 / factor
