"""The flash of a board as provisioning sees it: a flash file here, a board at a port in rom.py."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _


class FlashTarget(Protocol):
    """The flash of one board. Every method raises ToolError.

    name: for the messages. mac: of the chip, "" for a file. size: bytes.
    """

    name: str
    mac: str
    size: int

    def read(self, offset: int, length: int) -> bytes: ...

    def erase(self, offset: int, length: int) -> None:
        """Erase whole sectors of 4096 bytes, from the first to the last."""

    def write(self, offset: int, data: bytes) -> None:
        """Write from the first byte to the last. The place has been erased before."""

    def is_blank(self, offset: int, length: int) -> bool: ...


class FileTarget:
    """A flash file, changed in place."""

    mac = ""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        if path.is_char_device():
            raise ToolError(
                _("{path}: this is a device, not a flash file").format(path=path),
                _("For a board at a port, use: {option}").format(option=f"--port {path}"),
            )
        try:
            with open(path, "rb"):
                self.size = path.stat().st_size
        except OSError as error:
            raise ToolError(
                f"{path}: {os_reason(error)}",
                _("Check the path. To make a flash file, run: tallypost build"),
            ) from error

    def read(self, offset: int, length: int) -> bytes:
        try:
            with open(self._path, "rb") as file:
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise self._error(error) from error

    def erase(self, offset: int, length: int) -> None:
        self.write(offset, b"\xff" * length)

    def write(self, offset: int, data: bytes) -> None:
        try:
            with open(self._path, "r+b") as file:
                file.seek(offset)
                file.write(data)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> ToolError:
        return ToolError(
            f"{self._path}: {os_reason(error)}",
            _("Make the file readable and writable, then run the same command again."),
        )

    def is_blank(self, offset: int, length: int) -> bool:
        return not self.read(offset, length).strip(b"\xff")
