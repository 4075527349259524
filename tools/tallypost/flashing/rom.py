"""A board behind a serial port, through esptool: read, erase and write its flash.

port: a device, or a URL of pyserial (`socket://`, `rfc2217://`). The chip is held in its boot
loader while the port is open, and reset at the end.
"""

from __future__ import annotations

import errno
import hashlib

import serial
from esptool import cmds
from esptool.loader import ESPLoader
from esptool.logger import log as esptool_log
from esptool.util import FatalError

from tallypost.faults import ToolError
from tallypost.hardware.boards import Board

_WAYS_OUT = {
    errno.ENOENT: ("no such port", "tallypost list shows the ports; is the cable in?"),
    errno.EACCES: ("no permission", "sudo usermod -aG dialout $USER, then log in again"),
    errno.EPERM: ("no permission", "sudo usermod -aG dialout $USER, then log in again"),
    errno.EBUSY: ("in use by another program", "close it; tallypost doctor finds it"),
    errno.EAGAIN: ("in use by another program", "close it; tallypost doctor finds it"),
    errno.ECONNREFUSED: ("nobody answers there", "is the board, or its server, running?"),
}
_NO_ANSWER = "hold BOOT, press RESET, let BOOT go, then repeat; is it a data cable?"
_GONE = "plug it in and repeat the same command"
_WORN = "write-protected, or worn out: repeat once, then take another board"
SECTOR = 4096
_STUB_ATTEMPTS = 2
_TROUBLE = (FatalError, serial.SerialException, OSError, EOFError)


class BoardMemory:
    """The flash of the board at `port`; a context manager. Raises ToolError.

    board: what it must be; the wrong chip and a flash that is too small are refused at once.
    baud: for what follows the first contact.
    """

    def __init__(self, port: str, board: Board | None = None, baud: int = 115_200) -> None:
        esptool_log.set_verbosity("silent")
        self.name = port
        self._port = _open(port)
        try:
            self._esp = self._with_stub(board)
            # It would go on with whatever answers at the port then, and that may be another board.
            self._esp.WRITE_FLASH_ATTEMPTS = 1
            cmds.attach_flash(self._esp)
            self.mac = ":".join(f"{byte:02x}" for byte in self._esp.read_mac("BASE_MAC"))
            self.size = _bytes(cmds.detect_flash_size(self._esp))
            if board and self.size < board.flash_size:
                raise ToolError(
                    f"{port}: a flash of {self.size >> 20} MB, {board.name} has "
                    f"{board.flash_size >> 20} MB",
                    "name the right --board",
                )
            if baud != self._esp.ESP_ROM_BAUD:
                self._esp.change_baud(baud)
        except ToolError:
            self._port.close()
            raise
        except _TROUBLE as error:
            self._port.close()
            raise ToolError(
                f"{port}: no chip answers ({_first_line(error)})", _NO_ANSWER
            ) from None

    def _with_stub(self, board: Board | None) -> ESPLoader:
        """The chip with esptool's stub running; sets `chip`. A stub that a busy host or a bad
        contact kept from starting is tried once more: nothing has been written yet."""
        for attempt in range(_STUB_ATTEMPTS):
            esp = cmds.detect_chip(self._port)
            self.chip = esp.CHIP_NAME.lower().replace("-", "")
            if board and self.chip != board.chip:
                raise ToolError(
                    f"{self.name}: the chip is an {self.chip}, {board.name} has an {board.chip}",
                    "name the right --board",
                )
            try:
                return cmds.run_stub(esp)
            except FatalError:
                if attempt == _STUB_ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def __enter__(self) -> BoardMemory:
        return self

    def __exit__(self, *_: object) -> None:
        """Let the board start anew; one that has gone cannot, and need not."""
        try:
            cmds.reset_chip(self._esp, "hard-reset")
        except _TROUBLE:
            pass
        self._port.close()

    def read(self, offset: int, length: int) -> bytes:
        try:
            return bytes(cmds.read_flash(self._esp, offset, length, no_progress=True) or b"")
        except _TROUBLE as error:
            raise self._lost("reading", error) from None

    def erase(self, offset: int, length: int) -> None:
        try:
            cmds.erase_region(self._esp, offset, length)
        except _TROUBLE as error:
            raise self._lost("erasing", error) from None

    def write(self, offset: int, data: bytes) -> None:
        try:
            cmds.write_flash(self._esp, [(offset, data)], no_progress=True, compress=True)
        except _TROUBLE as error:
            raise self._lost("writing", error) from None

    def is_blank(self, offset: int, length: int) -> bool:
        return self.holds(offset, b"\xff" * length)

    def holds(self, offset: int, data: bytes) -> bool:
        """By a digest that the chip makes: reading a megabyte would take minutes."""
        try:
            digest = self._esp.flash_md5sum(offset, len(data))
        except _TROUBLE as error:
            raise self._lost("reading", error) from None
        return bool(digest == hashlib.md5(data).hexdigest())

    def differing(self, offset: int, data: bytes) -> list[int]:
        """Offsets of the sectors that do not hold their part of `data`, which fills whole ones."""
        if self.holds(offset, data):
            return []
        if len(data) <= SECTOR:
            return [offset]
        half = -(-len(data) // SECTOR // 2) * SECTOR
        return self.differing(offset, data[:half]) + self.differing(offset + half, data[half:])

    def _lost(self, doing: str, error: Exception) -> ToolError:
        if "MD5" in str(error) or "region is empty" in str(error):
            return ToolError(f"{self.name}: the flash does not hold what was written", _WORN)
        return ToolError(f"{self.name}: lost while {doing} ({_first_line(error)})", _GONE)


def _open(port: str) -> serial.SerialBase:
    try:
        return serial.serial_for_url(port, exclusive=True)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None) or getattr(error.__context__, "errno", None) or 0
        text, hint = _WAYS_OUT.get(number, (_first_line(error), "tallypost list shows the ports"))
        raise ToolError(f"{port}: {text}", hint) from None


def _bytes(size: str | None) -> int:
    """esptool's '4MB' or '512KB'; 0 for a flash that it does not know."""
    units = {"MB": 20, "KB": 10}
    return int(size[:-2]) << units[size[-2:]] if size else 0


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
