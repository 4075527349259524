"""Common parts of the HLK-LD24xx radars: commands and restarts.

Written from the makers' papers (LD2451 serial protocol V1.03, LD2450 V1.03) and live recordings,
without a look at the firmware's parser.

Faults: those of line_noise.py. As shares of the commands: `deaf` (no answer), `refused` (status
1), `late` (the answer comes after 0.7 s). `misprint`: the answer about the firmware has the length
that the paper prints. `restart`: at this second the supply fails for a moment, in the middle of a
report.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
import random

from simulator.world.protocol import Input

PORT = 1
COMMAND_HEADER, COMMAND_FOOTER = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
RESTART_US = 1_500_000
ANSWER_US = 12_000
LATE_US = 700_000
BOOT_TEXT = b"\x00\xff\r\nboot\r\n"  # assumed: the papers do not describe a start
BYTE_US = 87


class Ld24xx(ABC):
    """A radar on a UART. A model has `_execute`, and FIRMWARE and ENABLED, the data of two
    answers.
    """

    FIRMWARE = b""
    ENABLED = b""

    def __init__(self, rng: random.Random, faults: dict[str, float] | None) -> None:
        self._rng = rng
        self._seed = rng.getrandbits(64)
        self._faults = faults or {}
        self._enabled = False
        self._silent_until_us = 0
        self._buffer = b""
        self._on = True
        self._restart_us = int(self._faults["restart"] * 1e6) if "restart" in self._faults else -1
        self.frames = 0

    def _fail_while_sending(self, t_us: int, frame: bytes) -> list[Input]:
        """Its supply fails while it sends `frame`. A part of the frame comes, then nothing, then
        the text of its start. Settings are in its flash, but a pending command is forgotten."""
        self._restart_us = -1
        self._enabled = False
        self._buffer = b""
        self._silent_until_us = t_us + RESTART_US
        text_us = self._silent_until_us - 50_000
        return [(t_us, PORT, frame[: len(frame) // 2]), (text_us, PORT, BOOT_TEXT)]

    # --- commands

    def power(self, t_us: int, on: bool) -> None:
        """The radar starts with the node. It is silent for a while, then works as configured."""
        self._on = on
        self._enabled = False
        self._buffer = b""
        if on:
            self._silent_until_us = t_us + RESTART_US

    def write(self, t_us: int, data: bytes) -> list[Input]:
        """Take bytes from the node. Return the answers."""
        self._buffer += data
        out: list[Input] = []
        while True:
            start = self._buffer.find(COMMAND_HEADER)
            if start < 0 or len(self._buffer) < start + 6:
                self._buffer = self._buffer[-64:]
                return out
            length = int.from_bytes(self._buffer[start + 4 : start + 6], "little")
            end = start + 6 + length + 4
            if length > 64:
                self._buffer = self._buffer[start + 4 :]
                continue
            if len(self._buffer) < end:
                return out
            body, foot = self._buffer[start + 6 : end - 4], self._buffer[end - 4 : end]
            self._buffer = self._buffer[end:]
            if foot == COMMAND_FOOTER and len(body) >= 2 and self._on:
                answer = self._command(t_us, body[0] | body[1] << 8, body[2:])
                if answer:
                    out.append((t_us + self._reply_delay_us(answer), PORT, answer))

    def _reply_delay_us(self, answer: bytes) -> int:
        is_late = self._faults and self._rng.random() < self._faults.get("late", 0)
        return ANSWER_US + BYTE_US * len(answer) + (LATE_US if is_late else 0)

    def _command(self, t_us: int, command: int, value: bytes) -> bytes:
        """Carry out a command. Return the answer's bytes, none for an unknown command."""
        if t_us < self._silent_until_us:
            return b""
        if self._faults and self._rng.random() < self._faults.get("deaf", 0):
            return b""
        if self._faults and self._rng.random() < self._faults.get("refused", 0):
            return answer(command, status=1)
        if command == 0xFF:
            if value not in (b"\x01\x00", b"\x00\x01"):
                return b""
            self._enabled = True
            return answer(command, self.ENABLED)
        if not self._enabled:
            return b""
        if command == 0xFE:
            self._enabled = False
            return answer(command)
        if command == 0xA3:
            self._enabled = False
            self._silent_until_us = t_us + RESTART_US
            return answer(command)
        if command == 0xA0:
            reply = answer(command, self.FIRMWARE)
            return _misprint(reply) if self._faults.get("misprint") else reply
        return self._execute(command, value)

    @abstractmethod
    def _execute(self, command: int, value: bytes) -> bytes:
        """Carry out a command of this model. Return the answer."""


def _misprint(reply: bytes) -> bytes:
    """The answer with a length that is one byte too short."""
    return reply[:4] + bytes((reply[4] - 1,)) + reply[5:]


def answer(command: int, data: bytes = b"", status: int = 0) -> bytes:
    body = (command | 0x0100).to_bytes(2, "little") + status.to_bytes(2, "little") + data
    return COMMAND_HEADER + len(body).to_bytes(2, "little") + body + COMMAND_FOOTER
