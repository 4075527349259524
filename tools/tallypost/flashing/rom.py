"""A board at a serial port, through esptool: read, erase and write its flash.

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
from tallypost.i18n import N_, _

_NO_PERMISSION = (
    N_("permission denied"),
    N_("Run: sudo usermod -aG dialout $USER, then log in again."),
)
_IN_USE = (
    N_("in use by another program"),
    N_("Close that program. To find it, run: tallypost doctor"),
)
_PORT_ERRORS = {  # by number of the system: the reason and the advice
    errno.ENOENT: (N_("no such port"), N_("Check the cable, then run: tallypost list")),
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EBUSY: _IN_USE,
    errno.EAGAIN: _IN_USE,
    errno.ECONNREFUSED: (
        N_("no program listens there"),
        N_("Start the board or its server, then run the same command again."),
    ),
}
_LOST = {
    "read": N_("{port}: the connection was lost while reading ({reason})"),
    "erase": N_("{port}: the connection was lost while erasing ({reason})"),
    "write": N_("{port}: the connection was lost while writing ({reason})"),
}
_ADVICE_LIST = N_("To see the ports, run: tallypost list")
_ADVICE_NO_ANSWER = N_(
    "Use a data cable. Hold BOOT, press and release RESET, release BOOT, then run the same command"
    " again."
)
_ADVICE_LOST = N_("Plug the board in again, then run the same command again.")
_ADVICE_WORN = N_(
    "The flash is write-protected or worn out. Run the same command once more, then use another"
    " board."
)
_ADVICE_BOARD = N_("Name the right board with --board.")
SECTOR = 4096
_STUB_ATTEMPTS = 2
_IO_ERRORS = (FatalError, serial.SerialException, OSError, EOFError)


class SerialTarget:
    """The flash of the board at `port`, a context manager. Raises ToolError.

    board: the expected board. Another chip and a smaller flash are refused at once. baud: speed
    after the first contact.
    """

    def __init__(self, port: str, board: Board | None = None, baud: int = 115_200) -> None:
        esptool_log.set_verbosity("silent")
        self.name = port
        self._port = _open(port)
        try:
            self._esp = self._with_stub(board)
            # A repeat would write to any board that answers at the port by then.
            self._esp.WRITE_FLASH_ATTEMPTS = 1
            cmds.attach_flash(self._esp)
            self.mac = ":".join(f"{byte:02x}" for byte in self._esp.read_mac("BASE_MAC"))
            self.size = _bytes(cmds.detect_flash_size(self._esp))
            if board and self.size < board.flash_size:
                raise ToolError(
                    _("{port}: the flash has {found} MB, but {board} has {size} MB").format(
                        port=port, found=self.size >> 20, board=board.name,
                        size=board.flash_size >> 20,
                    ),
                    _(_ADVICE_BOARD),
                )  # fmt: skip
            if baud != self._esp.ESP_ROM_BAUD:
                self._esp.change_baud(baud)
        except ToolError:
            self._port.close()
            raise
        except _IO_ERRORS as error:
            self._port.close()
            what = _("{port}: no chip answers ({reason})")
            raise ToolError(
                what.format(port=port, reason=_first_line(error)), _(_ADVICE_NO_ANSWER)
            ) from None

    def _with_stub(self, board: Board | None) -> ESPLoader:
        """The chip with esptool's stub running. Sets `chip`.

        A stub that did not start is tried once more, because the cause may be a busy host or a bad
        contact. Nothing has been written by then.
        """
        for attempt in range(_STUB_ATTEMPTS):
            esp = cmds.detect_chip(self._port)
            self.chip = esp.CHIP_NAME.lower().replace("-", "")
            if board and self.chip != board.chip:
                raise ToolError(
                    _("{port}: the chip is an {found}, but {board} has an {chip}").format(
                        port=self.name, found=self.chip, board=board.name, chip=board.chip
                    ),
                    _(_ADVICE_BOARD),
                )
            try:
                return cmds.run_stub(esp)
            except FatalError:
                if attempt == _STUB_ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def __enter__(self) -> SerialTarget:
        return self

    def __exit__(self, *_error: object) -> None:
        """Restart the board, unless it is gone."""
        try:
            cmds.reset_chip(self._esp, "hard-reset")
        except _IO_ERRORS:
            pass
        self._port.close()

    def read(self, offset: int, length: int) -> bytes:
        try:
            return bytes(cmds.read_flash(self._esp, offset, length, no_progress=True) or b"")
        except _IO_ERRORS as error:
            raise self._lost("read", error) from None

    def erase(self, offset: int, length: int) -> None:
        try:
            cmds.erase_region(self._esp, offset, length)
        except _IO_ERRORS as error:
            raise self._lost("erase", error) from None

    def write(self, offset: int, data: bytes) -> None:
        try:
            cmds.write_flash(self._esp, [(offset, data)], no_progress=True, compress=True)
        except _IO_ERRORS as error:
            raise self._lost("write", error) from None

    def is_blank(self, offset: int, length: int) -> bool:
        return self.holds(offset, b"\xff" * length)

    def holds(self, offset: int, data: bytes) -> bool:
        """Whether the flash holds `data`, by a digest of the chip. Reading 1 MB takes minutes."""
        try:
            digest = self._esp.flash_md5sum(offset, len(data))
        except _IO_ERRORS as error:
            raise self._lost("read", error) from None
        return bool(digest == hashlib.md5(data).hexdigest())

    def differing(self, offset: int, data: bytes) -> list[int]:
        """Offsets of the sectors that differ from `data`, which fills whole sectors."""
        if self.holds(offset, data):
            return []
        if len(data) <= SECTOR:
            return [offset]
        half = -(-len(data) // SECTOR // 2) * SECTOR
        return self.differing(offset, data[:half]) + self.differing(offset + half, data[half:])

    def _lost(self, step: str, error: Exception) -> ToolError:
        if "MD5" in str(error) or "region is empty" in str(error):
            what = _("{port}: the flash does not hold the data that was written")
            return ToolError(what.format(port=self.name), _(_ADVICE_WORN))
        what = _(_LOST[step])
        return ToolError(what.format(port=self.name, reason=_first_line(error)), _(_ADVICE_LOST))


def _open(port: str) -> serial.SerialBase:
    try:
        return serial.serial_for_url(port, exclusive=True)
    except (OSError, ValueError) as error:
        number = getattr(error, "errno", None) or getattr(error.__context__, "errno", None) or 0
        reason, advice = _PORT_ERRORS.get(number, (_first_line(error), _ADVICE_LIST))
        raise ToolError(f"{port}: {_(reason)}", _(advice)) from None


def _bytes(size: str | None) -> int:
    """Bytes of esptool's '4MB' or '512KB'. 0 for a flash that it does not know."""
    units = {"MB": 20, "KB": 10}
    return int(size[:-2]) << units[size[-2:]] if size else 0


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
