"""The ESP-IDF partition table: reads `partitions.csv`, writes the binary table at 0x8000.

An entry is 0xAA50 | type u8 | subtype u8 | offset u32 | size u32 | label 16 | flags u32. After the
last entry come 0xEBEB, 14 x 0xFF and the MD5 of all entries.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from tallypost.faults import ToolError
from tallypost.i18n import _

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
_LABEL_MAX_BYTES = 15
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
    """The partitions of a CSV file in order of offset. Raises ToolError with file and line."""
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _error(str(path), str(error)) from error
    for number, line in enumerate(lines, 1):
        text = line.split("#", 1)[0].strip()
        if text:
            try:
                found.append(_parse(text))
            except ValueError as error:
                raise _error(f"{path}:{number}", str(error)) from error
    found.sort(key=lambda p: p.offset)
    _check(path, found, flash_size)
    return found


def _error(place: str, reason: str) -> ToolError:
    return ToolError(
        f"{place}: {reason}", _("Correct this file, then run the same command again.")
    )


def _parse(text: str) -> Partition:
    """The partition of a line. Raises ValueError with the reason."""
    fields = [field.strip() for field in text.split(",")]
    if len(fields) < 5 or any(fields[5:]):
        raise ValueError(_("expected: name, type, subtype, offset, size"))
    label, kind, subtype, offset, size = fields[:5]
    if not 1 <= len(label.encode()) <= _LABEL_MAX_BYTES:
        reason = _("the label '{label}' must have 1 to {maximum} bytes")
        raise ValueError(reason.format(label=label, maximum=_LABEL_MAX_BYTES))
    if kind not in _TYPES:
        reason = _("the type '{kind}' is unknown, expected: {expected}")
        raise ValueError(reason.format(kind=kind, expected=", ".join(_TYPES)))
    number = _SUBTYPES[kind].get(subtype)
    if number is None:
        number = _number(subtype, _U8)
    return Partition(label, _TYPES[kind], number, _number(offset), _number(size))


def _number(text: str, maximum: int = _U32) -> int:
    """A number as ESP-IDF writes it: decimal, 0x, with K or M. Range: 0..maximum."""
    units = {"K": 1 << 10, "M": 1 << 20}
    unit = units.get(text[-1:].upper(), 0)
    try:
        number = int(text[:-1], 0) * unit if unit else int(text, 0)
    except ValueError:
        raise ValueError(_("'{text}' is not a number").format(text=text)) from None
    if not 0 <= number <= maximum:
        reason = _("'{text}' is out of the range 0..{maximum}")
        raise ValueError(reason.format(text=text, maximum=maximum))
    return number


def _check(path: Path, found: list[Partition], flash_size: int) -> None:
    """Raises ToolError if partitions are not aligned, overlap or exceed the flash."""
    end = _FIRST_OFFSET
    for p in found:
        align = _APP_ALIGN if p.kind == _TYPES["app"] else _SECTOR
        if p.offset % align or p.size % _SECTOR or not p.size:
            reason = _("'{label}' is not aligned to 0x{align:x} bytes")
            raise _error(str(path), reason.format(label=p.label, align=align))
        if p.offset < end:
            reason = _("'{label}' at 0x{offset:x} overlaps the part that ends at 0x{end:x}")
            raise _error(str(path), reason.format(label=p.label, offset=p.offset, end=end))
        end = p.end
    if end > flash_size:
        reason = _("the partitions end at 0x{end:x}, the flash ends at 0x{size:x}")
        raise _error(str(path), reason.format(end=end, size=flash_size))
    if len({p.label for p in found}) != len(found):
        raise _error(str(path), _("a label is used twice"))


def pack(partitions: tuple[Partition, ...]) -> bytes:
    """The binary table, padded to its full size."""
    body = b"".join(
        _ENTRY.pack(_MAGIC, p.kind, p.subtype, p.offset, p.size, p.label.encode(), 0)
        for p in partitions
    )
    body += _MD5_MAGIC + b"\xff" * 14 + hashlib.md5(body).digest()
    return body.ljust(TABLE_SIZE, b"\xff")


def unpack(table: bytes) -> list[Partition]:
    """The partitions of a binary table. Raises ValueError if it is missing or damaged."""
    found: list[Partition] = []
    for at in range(0, min(len(table), TABLE_SIZE) - _ENTRY.size + 1, _ENTRY.size):
        if table[at : at + 2] == _MD5_MAGIC:
            if table[at + 16 : at + 32] != hashlib.md5(table[:at]).digest():
                raise ValueError(_("the MD5 of the partition table is wrong"))
            return found
        magic, kind, subtype, offset, size, label, _flags = _ENTRY.unpack_from(table, at)
        if magic != _MAGIC:
            break
        name = label.split(b"\0", 1)[0].decode("ascii", "replace")
        found.append(Partition(name, kind, subtype, offset, size))
    raise ValueError(_("there is no partition table"))
