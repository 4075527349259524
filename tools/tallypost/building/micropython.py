"""The official MicroPython file for a board: checked, and kept in a cache of this machine.

The file is never part of this repository. At the first use, a copy and its SHA-256 go into the
cache ($XDG_CACHE_HOME/tallypost/micropython, or ~/.cache). Later, every file of the same name must
have the same SHA-256.
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

from tallypost.hardware import esp_image
from tallypost.faults import ToolError, os_reason
from tallypost.hardware.board_table import is_tested, tested_versions
from tallypost.hardware.boards import Board
from tallypost.hardware.chips import CHIPS, by_image_id
from tallypost.hardware.partitions import TABLE_OFFSET, TABLE_SIZE, unpack
from tallypost.i18n import N_, _

APP_OFFSET = 0x10000
_DOWNLOAD_MAX_BYTES = 16 << 20
_TIMEOUT_S = 30
_CHUNK_BYTES = 1 << 16
_BANNER = re.compile(rb"MicroPython v(\d+)\.(\d+)\.(\d+)(\S*) on \d{4}-\d\d-\d\d")
_ADVICE_FILE = N_("Download the .bin (not the .app-bin) from the board's page at micropython.org.")


@dataclass(frozen=True)
class MicroPythonImage:
    """A checked file. data: boot loader, table and application, from the loader offset on."""

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


def check(data: bytes, name: str, board: Board) -> MicroPythonImage:
    """`data` as MicroPython for the board. Raises ToolError. name: for the messages."""
    app_at = APP_OFFSET - board.loader_offset
    try:
        loader = esp_image.parse(data)
        unpack(data[TABLE_OFFSET - board.loader_offset :][:TABLE_SIZE])
        app = esp_image.parse(data, app_at)
    except ValueError as error:
        raise ToolError(
            _("{name}: not a MicroPython file for the {chip} at 0x{offset:x}: {reason}").format(
                name=name, chip=board.chip, offset=board.loader_offset, reason=error
            ),
            _(_ADVICE_FILE),
        ) from error
    for chip_id in (loader.chip_id, app.chip_id):
        if chip_id != CHIPS[board.chip].image_id:
            raise ToolError(
                _("{name}: the file is for {found}, but {board} has {chip}").format(
                    name=name, found=by_image_id(chip_id), board=board.name, chip=board.chip
                ),
                _advice_right_file(board),
            )
    _check_size(loader, app, name, board)
    banner = _BANNER.search(data, app_at, app_at + app.size)
    if not banner:
        raise ToolError(
            _("{name}: a program for the {chip}, but not MicroPython").format(
                name=name, chip=board.chip
            ),
            _(_ADVICE_FILE),
        )
    version = int(banner[1]), int(banner[2]), int(banner[3])
    _check_version(version, name, board)
    data = data[: app_at + app.size]
    return MicroPythonImage(name, data, version, hashlib.sha256(data).hexdigest())


def _check_version(version: tuple[int, int, int], name: str, board: Board) -> None:
    """Raises ToolError for a version that nobody has tested."""
    if not is_tested(version):
        what = _(
            "{name}: the firmware has not been tested with MicroPython {version}, but with {ours}"
        )
        raise ToolError(
            what.format(name=name, version=".".join(map(str, version)), ours=tested_versions()),
            _advice_right_file(board),
        )


def _advice_right_file(board: Board) -> str:
    return _("Use the file of this board: {file}").format(file=board.micropython.file)


def _check_size(
    loader: esp_image.EspImage, app: esp_image.EspImage, name: str, board: Board
) -> None:
    """Raises ToolError if the file does not fit into the partitions or the flash."""
    factory = board.partition("factory")
    advice = _advice_right_file(board)
    if factory.offset != APP_OFFSET or app.size > factory.size:
        raise ToolError(
            _(
                "{name}: the application has {size} bytes from 0x{offset:x} on, but the partition"
                " 'factory' has {room} bytes from 0x{start:x} on"
            ).format(
                name=name, size=app.size, offset=APP_OFFSET, room=factory.size,
                start=factory.offset,
            ),
            advice,
        )  # fmt: skip
    if board.loader_offset + loader.size > TABLE_OFFSET:
        raise ToolError(
            _("{name}: the boot loader overlaps the partition table").format(name=name), advice
        )
    if loader.flash_size > board.flash_size:
        raise ToolError(
            _("{name}: built for a flash of {found} MB, but {board} has {size} MB").format(
                name=name, found=loader.flash_size >> 20, board=board.name,
                size=board.flash_size >> 20,
            ),
            advice,
        )  # fmt: skip


# --- the cache


def add(path: Path, board: Board) -> MicroPythonImage:
    """Check a file, compare it with the hash of its first use and keep it. Raises ToolError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ToolError(
            f"{path}: {os_reason(error)}",
            _("Check the path, then run the same command again."),
        ) from error
    return _store(check(data, str(path), board), path.name, board)


def cached(board: Board) -> MicroPythonImage | None:
    """The board's file in the cache, None if it is missing. Raises ToolError if it is damaged."""
    name = board.micropython.file
    path = cache_folder() / name
    if not path.exists():
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ToolError(
            f"{path}: {os_reason(error)}",
            _("Make the file readable, then run the same command again."),
        ) from error
    if hashlib.sha256(data).hexdigest() != _known_hashes().get(name):
        raise ToolError(
            _("{path}: the file has changed since its first use").format(path=path),
            _("Delete it, then run: {command}").format(command=how_to_get(board)),
        )
    return check(data, str(path), board)


def download(board: Board, progress: Callable[[int, int], None]) -> MicroPythonImage:
    """Download the board's file unless the cache has it. Raises ToolError.

    progress: called with the bytes received and the total, 0 if unknown.
    """
    found = cached(board)
    if found:
        return found
    url = board.micropython.url
    try:
        data = _fetch(url, progress)
    except (OSError, ValueError) as error:  # URLError and time-outs are OSErrors
        reason = getattr(error, "reason", error)
        raise ToolError(
            _("{url}: the download failed: {reason}").format(url=url, reason=reason),
            _("Download it on another machine, then run: {command}").format(
                command=f"tallypost micropython add FILE --board {board.name}"
            ),
        ) from error
    return _store(check(data, board.micropython.file, board), board.micropython.file, board)


def _fetch(url: str, progress: Callable[[int, int], None]) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
        size = int(answer.headers.get("Content-Length") or 0)
        data = b""
        while chunk := answer.read(_CHUNK_BYTES):
            data += chunk
            progress(len(data), size)
            if len(data) > _DOWNLOAD_MAX_BYTES:
                reason = _("the file has more than {maximum} MB")
                raise ValueError(reason.format(maximum=_DOWNLOAD_MAX_BYTES >> 20))
    if size and len(data) != size:
        reason = _("the transfer stopped after {done} of {size} bytes")
        raise ValueError(reason.format(done=len(data), size=size))
    return data


def how_to_get(board: Board) -> str:
    """The commands that put the board's file into the cache."""
    return _(
        "tallypost flash --download (or: tallypost micropython add FILE --board {board}, with"
        " {file} from {url})"
    ).format(
        board=board.name,
        file=board.micropython.file,
        url=board.micropython.url.rpartition("/")[0],
    )


def _store(found: MicroPythonImage, name: str, board: Board) -> MicroPythonImage:
    """Compare the hash with those that are known, then keep the file. Raises ToolError."""
    known = _known_hashes()
    _check_hash(found, known.get(name), _("its first use"), board)
    if name == board.micropython.file:
        _check_hash(found, board.micropython.sha256, board.name, board)
    path = cache_folder() / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in known or not path.exists():
            _write(path, found.data)
            known[name] = found.sha256
            _write(_hashes_path(), (json.dumps(known, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        raise ToolError(
            f"{path}: {os_reason(error)}",
            _("Make the folder writable and free some space, then run the same command again."),
        ) from error
    return found


def _check_hash(found: MicroPythonImage, sha256: str | None, source: str, board: Board) -> None:
    """Raises ToolError if the file has another hash than the source, if that has one."""
    if sha256 and sha256 != found.sha256:
        raise ToolError(
            _("{name}: the SHA-256 is {found}..., but according to {source} it is {known}...")
            .format(name=found.name, found=found.sha256[:16], source=source, known=sha256[:16]),
            _("It is another file of the same name. Download {file} from its official page.")
            .format(file=board.micropython.file),
        )  # fmt: skip


def _hashes_path() -> Path:
    return cache_folder() / "sha256.json"


def _known_hashes() -> dict[str, str]:
    """SHA-256 by file name. Raises ToolError if the table is damaged."""
    try:
        known = json.loads(_hashes_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(str(error)) from error
    if not isinstance(known, dict) or not all(isinstance(v, str) for v in known.values()):
        raise _damaged(_("it is not a table of hashes"))
    return known


def _damaged(reason: str) -> ToolError:
    return ToolError(
        _("{path}: the file is damaged: {reason}").format(path=_hashes_path(), reason=reason),
        _("Delete it, then add the MicroPython files again."),
    )


def _write(path: Path, data: bytes) -> None:
    """Write a file as a whole, so a reader never sees half of it."""
    part = path.with_name(path.name + f".{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)
