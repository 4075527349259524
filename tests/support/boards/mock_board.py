"""Boards behind sockets: the boot loader of esp32-mock-bootloader in front of a flash with
physics.

Programming only clears bits. The cable can be pulled after any number of erased or programmed
bytes, and tears the current operation. Each board has its own MAC.
"""

from __future__ import annotations

import random
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from esp32_mock_bootloader import server

from simulator.board.chip import registers
from tallypost.building import image
from tallypost.hardware import boards
from tests.support.boards.tcp_port import TcpPort

SECTOR = 4096
_local = threading.local()


class Unplugged(Exception):
    """The cable was pulled."""


class Nor(server.FlashImage):
    """cut_after: bytes that may still be erased or programmed. None: any number."""

    def __init__(self, cells: bytes) -> None:
        super().__init__()
        self.data = bytearray(cells)
        self.cut_after: int | None = None
        self.changed = 0
        self.written: list[tuple[int, int]] = []  # offset and length of each program
        self.stuck: dict[int, int] = {}  # bits of worn cells that cannot be cleared any more
        self._rng = random.Random(len(cells))

    def begin_defl(self, payload: bytes) -> None:
        self._defl_offset = int.from_bytes(payload[12:16], "little")
        self._decompressor = zlib.decompressobj()

    def write_defl_block(self, payload: bytes) -> None:
        length = int.from_bytes(payload[:4], "little")
        assert self._decompressor is not None
        data = self._decompressor.decompress(payload[16 : 16 + length])
        self.program(self._defl_offset, data)
        self._defl_offset += len(data)

    def program(self, offset: int, data: bytes) -> None:
        allowed = self._allowed(len(data))
        self.written.append((offset, len(data)))
        for i, byte in enumerate(data[:allowed]):
            assert byte & ~self.data[offset + i] == 0, "a bit is set without an erase"
            self.data[offset + i] = byte
        for at, bits in self.stuck.items():
            self.data[at] |= bits
        if allowed < len(data):
            for i in range(allowed, min(allowed + 4, len(data))):
                self.data[offset + i] &= data[i] | self._rng.getrandbits(8)
            raise Unplugged

    def erase_region(self, offset: int, size: int) -> None:
        for at in range(offset, offset + size, SECTOR):
            whole = self._allowed(SECTOR) == SECTOR
            noise = b"\xff" * SECTOR if whole else self._rng.randbytes(SECTOR)
            old = self.data[at : at + SECTOR]
            self.data[at : at + SECTOR] = bytes(a | b for a, b in zip(old, noise))
            if not whole:
                raise Unplugged

    def _allowed(self, wanted: int) -> int:
        self.changed += wanted
        if self.cut_after is None:
            return wanted
        allowed = min(wanted, self.cut_after)
        self.cut_after -= allowed
        return allowed


class Link(server.BootloaderConnection):
    """Waits for bytes that a busy host sends late: the package gives up reading flash after 50
    ms.
    """

    def __init__(self, sock: socket.socket, stop: threading.Event) -> None:
        super().__init__(sock=sock)
        self._stop = stop

    def recv(self, size: int) -> bytes:
        while not self._stop.is_set():
            try:
                return bytes(super().recv(size))
            except TimeoutError:
                continue
        return b""


class MockBoard:
    """A board with the image of `name` (or `cells`) in its flash, at `url` while plugged in."""

    def __init__(self, name: str, number: int = 1, chip: str = "", cells: bytes = b"") -> None:
        board = boards.load(name)
        self.chip = chip or board.chip
        self.mac = (0x24, 0x0A, 0xC4, 0, number >> 8, number & 0xFF)
        self.flash = Nor(cells or image.flash(board, b"", None))
        self.plugged = True
        self._stop = threading.Event()
        self._port = TcpPort(self._talk)
        self.url = self._port.url

    def _talk(self, link: socket.socket) -> None:
        if not self.plugged:
            return
        _local.mac_registers = registers(self.chip, bytes(self.mac))
        # JEDEC: the last byte is the binary logarithm of the size.
        _local.flash_id = (len(self.flash.data).bit_length() - 1) << 16 | 0x4020
        try:
            server.handle_client(
                Link(link, self._stop), self._stop, self.chip,
                exit_on_disconnect=True, flash=self.flash,
            )  # fmt: skip
        except Unplugged:
            self.plugged = False

    def plug_in(self) -> None:
        self.flash.cut_after = None
        self.plugged = True

    def unplug(self) -> None:
        """The port does not answer any more."""
        self.close()

    def close(self) -> None:
        self._stop.set()
        self._port.close()


@contextmanager
def own_answers() -> Iterator[None]:
    """The package gives all boards one MAC and 4 MB of flash. Here each thread answers its own."""
    plain = server._read_reg_value_for_chip

    def answer(addr: int, chip: str) -> int:
        mine: dict[int, int] = getattr(_local, "mac_registers", {})
        return mine.get(addr, plain(addr, chip))

    read_spi = server.SpiPeripheralMock.read_reg

    def answer_spi(self: server.SpiPeripheralMock, addr: int) -> int:
        value = int(read_spi(self, addr))
        return _local.flash_id if value == server.protocol.MOCK_FLASH_ID else value

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "_read_reg_value_for_chip", answer)
        patch.setattr(server.SpiPeripheralMock, "read_reg", answer_spi)
        yield
