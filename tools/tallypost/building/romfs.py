"""The application as a ROMFS image, for a MicroPython with `MICROPY_VFS_ROM`.

Such a MicroPython mounts the image from flash as `/rom` and runs its bytecode in place.

    image    d2 cd 31 | varint length of all records | a record for each file and folder
    record   varint kind | varint length | payload
    file     kind 5: varint length of its name | name | a record of kind 2 with the contents
    folder   kind 4: varint length of its name | name | the records in it

A varint has groups of 7 bits, most significant first. Source: extmod/vfs_rom.c.
"""

from __future__ import annotations

from typing import Any

_MAGIC = b"\xd2\xcd\x31"
_CONTENTS, _FOLDER, _FILE = 2, 4, 5


def pack(files: dict[str, bytes]) -> bytes:
    """The image with these files, by path. Equal files give equal bytes."""
    tree: dict[str, Any] = {}
    for path, data in files.items():
        *folders, name = path.split("/")
        inner = tree
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[name] = data
    records = _records(tree)
    return _MAGIC + _varint(len(records)) + records


def _records(tree: dict[str, Any]) -> bytes:
    packed = b""
    for name, entry in sorted(tree.items()):
        head = _varint(len(name.encode())) + name.encode()
        if isinstance(entry, dict):
            packed += _record(_FOLDER, head + _records(entry))
        else:
            packed += _record(_FILE, head + _record(_CONTENTS, entry))
    return packed


def _record(kind: int, payload: bytes) -> bytes:
    return _varint(kind) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
