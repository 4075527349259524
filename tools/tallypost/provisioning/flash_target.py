"""A board's flash as provisioning sees it: a file here, a board behind a port in rom.py."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tallypost.faults import ToolError


class FlashTarget(Protocol):
    """The flash of one board; every method raises ToolError.

    name: as the user calls it. mac: of the chip, "" for a file. size: bytes.
    """

    name: str
    mac: str
    size: int

    def read(self, offset: int, length: int) -> bytes: ...

    def erase(self, offset: int, length: int) -> None:
        """Whole sectors of 4096 bytes, from the first to the last."""

    def write(self, offset: int, data: bytes) -> None:
        """From the first byte to the last; where it goes has been erased."""

    def is_blank(self, offset: int, length: int) -> bool: ...


class FileTarget:
    """A flash file, changed in place."""

    mac = ""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        if path.is_char_device():
            raise ToolError(f"{path}: a device, not a flash file", f"--port {path}")
        try:
            with open(path, "rb"):
                self.size = path.stat().st_size
        except OSError as error:
            hint = "tallypost build makes one"
            raise ToolError(f"{path}: {error.strerror}", hint) from error

    def read(self, offset: int, length: int) -> bytes:
        try:
            with open(self._path, "rb") as file:
                file.seek(offset)
                return file.read(length)
        except OSError as error:
            raise ToolError(f"{self._path}: {error.strerror}") from error

    def erase(self, offset: int, length: int) -> None:
        self.write(offset, b"\xff" * length)

    def write(self, offset: int, data: bytes) -> None:
        try:
            with open(self._path, "r+b") as file:
                file.seek(offset)
                file.write(data)
        except OSError as error:
            raise ToolError(f"{self._path}: {error.strerror}") from error

    def is_blank(self, offset: int, length: int) -> bool:
        return not self.read(offset, length).strip(b"\xff")
