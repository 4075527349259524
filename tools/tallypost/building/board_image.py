"""The image of a board for flashing: built from the checkout, or the one that the package holds.

The package holds below `data/images/<board>/`:

    vfs.bin.gz     the file system, compressed with gzip
    manifest.json  of its build: files and images, with sizes and SHA-256
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError
from tallypost.hardware.boards import Board
from tallypost.hardware.partitions import TABLE_SIZE, pack
from tallypost.i18n import _
from tallypost.resources import CHECKOUT, ROOT

IMAGES = "images"
VFS, MANIFEST = "vfs.bin.gz", "manifest.json"


@dataclass(frozen=True)
class BoardImage:
    """vfs: the whole partition `vfs`. manifest: of the build."""

    vfs: bytes
    manifest: dict[str, Any]


def load(board: Board) -> BoardImage:
    """The image of a board. A checkout builds it if its sources have changed. Raises ToolError."""
    if CHECKOUT is None:
        return read(board, ROOT / IMAGES / board.name)
    from tallypost.building.build import build  # needs a compiler, which is not installed here

    built = build(board.name)
    return BoardImage((built.folder / "vfs.bin").read_bytes(), built.manifest)


def read(board: Board, folder: Path) -> BoardImage:
    """The image in a folder of the package; raises ToolError if it is damaged or missing."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        vfs = gzip.decompress((folder / VFS).read_bytes())
        wanted = [
            manifest["images"][name]["sha256"] for name in ("vfs.bin", "partition-table.bin")
        ]
    except (OSError, EOFError, ValueError, zlib.error, KeyError, TypeError) as error:
        raise _damaged(folder) from error
    found = [_sha256(vfs), _sha256(pack(board.partitions)[:TABLE_SIZE])]
    if found != wanted:
        raise _damaged(folder)
    return BoardImage(vfs, manifest)


def write(folder: Path, vfs: bytes, manifest: dict[str, Any]) -> None:
    """Put an image into a folder of the package. Equal images give equal bytes."""
    folder.mkdir(parents=True)
    (folder / VFS).write_bytes(gzip.compress(vfs, mtime=0))
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def app_bytes(manifest: dict[str, Any]) -> int:
    """Size of the application as .mpy files, which the budget of the board limits."""
    files: dict[str, dict[str, Any]] = manifest["files"]
    return sum(int(f["bytes"]) for name, f in files.items() if name.startswith("a/"))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _damaged(folder: Path) -> ToolError:
    return ToolError(
        _("{path}: the image is damaged or missing").format(path=folder),
        _("Install the tool again."),
    )
