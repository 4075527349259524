"""MicroPython's official file for a board: where it comes from, and that it is the right one.

It is never part of this repository. The first use of a file notes its SHA-256 in a cache
($XDG_CACHE_HOME/tallypost/micropython, or ~/.cache) and keeps a copy there; each later use of a
file of that name is held against what was noted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tallypost.building import esp_image
from tallypost.faults import ToolError
from tallypost.hardware.boards import Board
from tallypost.hardware.chips import CHIPS, by_image_id
from tallypost.hardware.partitions import TABLE_OFFSET, TABLE_SIZE, unpack

APP_OFFSET = 0x10000
_LIMIT = 16 << 20  # of a download
_TIMEOUT_S = 30
_PIECE = 1 << 16
_BANNER = re.compile(rb"MicroPython v(\d+)\.(\d+)\.(\d+)(\S*) on \d{4}-\d\d-\d\d")
_TAKE = "take the .bin (not the .app-bin) of the board's download page"


@dataclass(frozen=True)
class Firmware:
    """A checked file. data: loader, table and application, from the board's loader offset on."""

    name: str
    data: bytes
    version: tuple[int, int, int]
    sha256: str

    @property
    def shown_version(self) -> str:
        return ".".join(map(str, self.version))


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "tallypost" / "micropython"


def check(data: bytes, name: str, board: Board) -> Firmware:
    """`data` as MicroPython for the board; raises ToolError. name: how messages call it."""
    app_at = APP_OFFSET - board.loader_offset
    try:
        loader = esp_image.parse(data)
        unpack(data[TABLE_OFFSET - board.loader_offset :][:TABLE_SIZE])
        app = esp_image.parse(data, app_at)
    except ValueError as error:
        raise ToolError(
            f"{name}: no MicroPython file for the {board.chip} at 0x{board.loader_offset:x}:"
            f" {error}", _TAKE,
        ) from error  # fmt: skip
    wanted = CHIPS[board.chip].image_id
    for chip_id in (loader.chip_id, app.chip_id):
        if chip_id != wanted:
            raise ToolError(
                f"{name} is for {by_image_id(chip_id)}, {board.name} has {board.chip}",
                f"it needs {board.micropython.file}",
            )
    _check_room(loader, app, name, board)
    banner = _BANNER.search(data, app_at, app_at + app.size)
    if not banner:
        raise ToolError(f"{name}: a program for the {board.chip}, but not MicroPython", _TAKE)
    major, minor, patch = (int(number) for number in banner.groups()[:3])
    if (major, minor) < (1, 25):
        raise ToolError(f"{name}: MicroPython {major}.{minor}", "the firmware needs 1.25 or newer")
    data = data[: app_at + app.size]
    return Firmware(name, data, (major, minor, patch), hashlib.sha256(data).hexdigest())


def _check_room(
    loader: esp_image.EspImage, app: esp_image.EspImage, name: str, board: Board
) -> None:
    factory = board.partition("factory")
    if factory.offset != APP_OFFSET or app.size > factory.size:
        raise ToolError(
            f"{name}: its application has {app.size} bytes from 0x{APP_OFFSET:x} on, the partition"
            f" 'factory' has {factory.size} from 0x{factory.offset:x} on"
        )
    if board.loader_offset + loader.size > TABLE_OFFSET:
        raise ToolError(f"{name}: its loader reaches into the partition table")
    if loader.flash_size > board.flash_size:
        raise ToolError(
            f"{name}: made for a flash of {loader.flash_size >> 20} MB, {board.name} has"
            f" {board.flash_size >> 20} MB", f"it needs {board.micropython.file}",
        )  # fmt: skip


# --- the cache


def add(path: Path, board: Board) -> Firmware:
    """Check a file, hold it against what was noted for its name, keep it; raises ToolError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", "give the file with --micropython") from error
    return _keep(check(data, str(path), board), path.name, board)


def cached(board: Board) -> Firmware | None:
    """The file that the board names, if the cache has it; raises ToolError when it is damaged."""
    name = board.micropython.file
    path = cache_folder() / name
    if not path.exists():
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != _noted().get(name):
        raise ToolError(
            f"{path}: changed since it was noted", f"remove it, then: {how_to_get(board)}"
        )
    return check(data, str(path), board)


def download(board: Board, progress: Callable[[int, int], None]) -> Firmware:
    """Fetch the file that the board names, once; raises ToolError. progress: bytes, of so many."""
    found = cached(board)
    if found:
        return found
    url = board.micropython.url
    try:
        data = _fetch(url, progress)
    except (OSError, ValueError) as error:  # URLError and time-outs are OSErrors
        reason = getattr(error, "reason", error)
        raise ToolError(
            f"{url}: cannot be downloaded: {reason}",
            f"fetch it elsewhere, then: tallypost micropython add FILE --board {board.name}",
        ) from error
    return _keep(check(data, board.micropython.file, board), board.micropython.file, board)


def _fetch(url: str, progress: Callable[[int, int], None]) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
        data = b""
        while piece := answer.read(_PIECE):
            data += piece
            progress(len(data), size)
            if len(data) > _LIMIT:
                raise ValueError(f"more than {_LIMIT >> 20} MB")
    if size and len(data) != size:
        raise ValueError(f"cut short after {len(data)} of {size} bytes")
    return data


def how_to_get(board: Board) -> str:
    """The commands that put the board's file into the cache."""
    return (
        f"tallypost micropython add FILE --board {board.name} with {board.micropython.file}"
        f" from {board.micropython.url.rpartition('/')[0]}, or tallypost flash --download"
    )


def _keep(found: Firmware, name: str, board: Board) -> Firmware:
    noted = _noted()
    wanted = {"noted at its first use": noted.get(name)}
    if name == board.micropython.file:
        wanted[f"named by {board.name}"] = board.micropython.sha256
    for whose, sha256 in wanted.items():
        if sha256 and sha256 != found.sha256:
            raise ToolError(
                f"{found.name}: SHA-256 {found.sha256[:16]}..., {whose} is {sha256[:16]}...",
                f"another file under this name: take {name} from its official page",
            )
    path = cache_folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in noted or not path.exists():
            _write(path, found.data)
            noted[name] = found.sha256
            _write(_notes(), (json.dumps(noted, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        raise ToolError(
            f"{path}: {error.strerror}", "is there room, and may you write?"
        ) from error
    return found


def _notes() -> Path:
    return cache_folder() / "sha256.json"


def _noted() -> dict[str, str]:
    """SHA-256 by file name; raises ToolError when the notes are damaged."""
    try:
        noted = json.loads(_notes().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ToolError(
            f"{_notes()}: damaged: {error}", "remove it, and add the files anew"
        ) from error
    if not isinstance(noted, dict) or not all(isinstance(v, str) for v in noted.values()):
        raise ToolError(f"{_notes()}: damaged", "remove it, and add the files anew")
    return noted


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + f".{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)
