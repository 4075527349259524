"""The serial bootloader of a virtual board: `esp32-mock-bootloader` on the board's flash file.

That package plays ROM and flasher stub. Between it and the port this module cuts the stream into
whole SLIP frames. It also answers for the registers that differ from board to board: the MAC
address, and the flash chip's identity (READ_REG of the SPI peripheral's first word after command
9Fh).
"""

from __future__ import annotations

import queue
import struct
import threading
from collections.abc import Callable

from esp32_mock_bootloader import protocol, server
from esptool.targets import CHIP_DEFS

from simulator.board.chip import READ_ID, LoaderFlash, flash_id, registers

_END = b"\xc0"
_WRITE_REG, _READ_REG = 0x09, 0x0A
_HEAD = 8


class LoaderTransport:
    """The transport as `handle_client` wants it. send: to the port. stop: the session is over."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        chip: str,
        mac: bytes,
        size: int,
        stop: threading.Event,
    ) -> None:
        rom = CHIP_DEFS[chip]
        self._send = send
        self._stop = stop
        self._received: queue.Queue[bytes] = queue.Queue()
        self._buffer = b""
        self._registers = registers(chip, mac)
        self._command_at = rom.SPI_REG_BASE + rom.SPI_USR2_OFFS
        self._answer_at = rom.SPI_REG_BASE + rom.SPI_W0_OFFS
        self._command = 0
        self._flash_id = flash_id(size)
        self._timeout_s = 0.05
        self.flash: LoaderFlash | None = None

    def receive(self, data: bytes) -> None:
        self._received.put(data)

    def set_timeout(self, timeout: float) -> None:
        self._timeout_s = timeout

    def recv(self, _size: int) -> bytes:
        """The next whole frame that is not answered here. Empty when the session is over.

        It waits for a late frame: the package would end a flash read of a slow client.
        """
        while True:
            frame = self._frame()
            if frame is None:
                try:
                    self._buffer += self._received.get(timeout=self._timeout_s)
                except queue.Empty:
                    if self._stop.is_set():
                        return b""
            elif not self._answered(frame):
                return frame

    def _frame(self) -> bytes | None:
        """A frame with both its ends from the received bytes."""
        start = self._buffer.find(_END)
        while start >= 0 and self._buffer[start + 1 : start + 2] == _END:
            start += 1
        end = self._buffer.find(_END, start + 1) if start >= 0 else -1
        if end < 0:
            return None
        frame = self._buffer[start : end + 1]
        self._buffer = self._buffer[end + 1 :]
        return frame

    def _answered(self, raw: bytes) -> bool:
        frame = (server.slip_decode_frames(raw) or [b""])[0]
        if len(frame) < _HEAD + 4 or frame[0] != 0:
            return False
        (address,) = struct.unpack_from("<I", frame, _HEAD)
        if frame[1] == _WRITE_REG and address == self._command_at:
            self._command = frame[_HEAD + 4]
        if frame[1] != _READ_REG:
            return False
        if address == self._answer_at and self._command == READ_ID:
            value = self._flash_id
        elif address in self._registers:
            value = self._registers[address]
        else:
            return False
        stub = bool(self.flash and self.flash.is_stub)
        self._send(server.make_response(protocol.CMD_READ_REG, value=value, stub=stub))
        return True

    def sendall(self, data: bytes) -> None:
        if self.flash and b"OHAI" in data:
            self.flash.is_stub = True
        self._send(data)

    def close(self) -> None:
        """The port outlives the session."""

    def ignore_eof_for_disconnect(self) -> bool:
        return False

    def abort_empty_session(self) -> bool:
        return False


def serve(
    transport: LoaderTransport, flash: LoaderFlash, chip: str, stop: threading.Event
) -> None:
    """Play the loader until `stop` is set. It outlasts every client, as the ROM does."""
    transport.flash = flash
    while not stop.is_set():
        flash.is_stub = False
        # With this option the loader does not exit while the client is silent.
        server.handle_client(transport, stop, chip, flash=flash, exit_on_disconnect=True)
