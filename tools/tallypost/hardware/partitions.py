"""The ESP-IDF partition table: partitions.csv in, the binary at 0x8000 out (with its MD5).

An entry is 0xAA50 | type u8 | subtype u8 | offset u32 | size u32 | label 16 | flags u32; behind
the last one 0xEBEB, 14 x 0xFF and the MD5 of all entries.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from tallypost.faults import ToolError

TABLE_OFFSET = 0x8000
TABLE_SIZE = 0xC00
_ENTRY = struct.Struct("<2sBBII16sI")
_MAGIC, _MD5_MAGIC = b"\xaa\x50", b"\xeb\xeb"
_TYPES = {"app": 0, "data": 1}
_SUBTYPES = {
    "app": {"factory": 0x00, "ota_0": 0x10, "ota_1": 0x11, "test": 0x20},
    "data": {
        "ota": 0x00, "phy": 0x01, "nvs": 0x02, "coredump": 0x03, "nvs_keys": 0x04,
        "fat": 0x81, "spiffs": 0x82, "littlefs": 0x83,
    },
}  # fmt: skip
_FIRST_OFFSET = 0x9000
_SECTOR = 0x1000
_APP_ALIGN = 0x10000
_LABEL_MAX = 15
_U8, _U32 = 0xFF, 0xFFFFFFFF


@dataclass(frozen=True)
class Partition:
    label: str
    kind: int
    subtype: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        return self.offset + self.size


def read_csv(path: Path, flash_size: int) -> list[Partition]:
    """The partitions of a CSV file in order of offset; raises ToolError naming file and line."""
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ToolError(f"{path}: {error}") from error
    for number, line in enumerate(lines, 1):
        text = line.split("#", 1)[0].strip()
        if text:
            try:
                found.append(_parse(text))
            except ValueError as error:
                raise ToolError(f"{path}:{number}: {error}") from error
    found.sort(key=lambda p: p.offset)
    _check(path, found, flash_size)
    return found


def _parse(text: str) -> Partition:
    fields = [field.strip() for field in text.split(",")]
    if len(fields) < 5 or any(fields[5:]):
        raise ValueError("wanted: name, type, subtype, offset, size")
    label, kind, subtype, offset, size = fields[:5]
    if not 1 <= len(label.encode()) <= _LABEL_MAX:
        raise ValueError(f"label '{label}': 1 to {_LABEL_MAX} bytes")
    if kind not in _TYPES:
        raise ValueError(f"type '{kind}': one of {', '.join(_TYPES)}")
    number = _SUBTYPES[kind].get(subtype)
    if number is None:
        number = _number(subtype, _U8)
    return Partition(label, _TYPES[kind], number, _number(offset), _number(size))


def _number(text: str, most: int = _U32) -> int:
    """A number as ESP-IDF writes it: decimal, 0x, with K or M; 0 .. `most`."""
    units = {"K": 1 << 10, "M": 1 << 20}
    unit = units.get(text[-1:].upper(), 0)
    try:
        number = int(text[:-1], 0) * unit if unit else int(text, 0)
    except ValueError:
        raise ValueError(f"'{text}' is no number") from None
    if not 0 <= number <= most:
        raise ValueError(f"'{text}' is not within 0 .. {most}")
    return number


def _check(path: Path, found: list[Partition], flash_size: int) -> None:
    end = _FIRST_OFFSET
    for p in found:
        align = _APP_ALIGN if p.kind == _TYPES["app"] else _SECTOR
        if p.offset % align or p.size % _SECTOR or not p.size:
            raise ToolError(f"{path}: '{p.label}' is not aligned to 0x{align:x} bytes")
        if p.offset < end:
            raise ToolError(
                f"{path}: '{p.label}' at 0x{p.offset:x} overlaps what ends at 0x{end:x}"
            )
        end = p.end
    if end > flash_size:
        raise ToolError(f"{path}: partitions end at 0x{end:x}, the flash at 0x{flash_size:x}")
    if len({p.label for p in found}) != len(found):
        raise ToolError(f"{path}: a label is used twice")


def pack(partitions: tuple[Partition, ...]) -> bytes:
    """The binary table, padded to its full size."""
    body = b"".join(
        _ENTRY.pack(_MAGIC, p.kind, p.subtype, p.offset, p.size, p.label.encode(), 0)
        for p in partitions
    )
    body += _MD5_MAGIC + b"\xff" * 14 + hashlib.md5(body).digest()
    return body.ljust(TABLE_SIZE, b"\xff")


def unpack(table: bytes) -> list[Partition]:
    """The partitions of a binary table; raises ValueError when it is none or damaged."""
    found: list[Partition] = []
    for at in range(0, min(len(table), TABLE_SIZE) - _ENTRY.size + 1, _ENTRY.size):
        if table[at : at + 2] == _MD5_MAGIC:
            if table[at + 16 : at + 32] != hashlib.md5(table[:at]).digest():
                raise ValueError("the partition table's MD5 is wrong")
            return found
        magic, kind, subtype, offset, size, label, _ = _ENTRY.unpack_from(table, at)
        if magic != _MAGIC:
            break
        name = label.split(b"\0", 1)[0].decode("ascii", "replace")
        found.append(Partition(name, kind, subtype, offset, size))
    raise ValueError("no partition table here")
