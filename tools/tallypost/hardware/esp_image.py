"""Parses and checks an application or boot loader image of the ESP32 family.

    header (24 bytes)  0xE9 | segments u8 | SPI mode u8 | flash size << 4 | frequency u8 |
                       entry u32 | WP pin u8 | drive 3 | chip id u16 | revisions 5 | 4 reserved |
                       hash appended u8
    segment            load address u32 | length u32 | data
    end                zeros and one byte (0xEF xor all data) up to a multiple of 16 bytes
    hash               SHA-256 of everything before it, if the header says so

Source: ESP-IDF programming guide, "App Image Format".
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import xor

from tallypost.i18n import _

MAGIC = 0xE9
_HEADER, _SEGMENT = 24, 8
_SEGMENTS_MAX = 16
_SEED = 0xEF
_HASH = 32


@dataclass(frozen=True)
class EspImage:
    """chip_id: from the header. flash_size: of the flash that the image was built for, bytes.

    size: length of the image, bytes."""

    chip_id: int
    flash_size: int
    size: int


def parse(data: bytes, at: int = 0) -> EspImage:
    """The image that begins at `at`. Raises ValueError with the reason if it is damaged."""
    head = data[at : at + _HEADER]
    if len(head) < _HEADER:
        raise ValueError(_("the file is cut off before the image header"))
    if head[0] != MAGIC:
        reason = _("there is no image: the file has 0x{found:02x} in the place of 0xe9")
        raise ValueError(reason.format(found=head[0]))
    count = head[1]
    if not 1 <= count <= _SEGMENTS_MAX:
        raise ValueError(_("the image is damaged: it has {n} segments").format(n=count))
    end, checksum = _segments(data, at, count)
    end = at + (end - at) // 16 * 16 + 16
    if end > len(data):
        raise ValueError(_("the file is cut off before the checksum"))
    if data[end - 1] != checksum:
        raise ValueError(_("the image is damaged: its checksum is wrong"))
    if head[23]:
        if data[end : end + _HASH] != hashlib.sha256(data[at:end]).digest():
            if len(data) < end + _HASH:
                raise ValueError(_("the file is cut off before the hash"))
            raise ValueError(_("the image is damaged: its hash is wrong"))
        end += _HASH
    (chip_id,) = struct.unpack_from("<H", head, 12)
    return EspImage(chip_id, 1 << 20 + (head[3] >> 4), end - at)


def length(read: Callable[[int, int], bytes], maximum: int) -> int:
    """Bytes of an image without its hash, from the lengths of its segments alone.

    read: the bytes at an offset of the image. Raises ValueError beyond `maximum` bytes.
    """
    count, place = read(0, _HEADER)[1], _HEADER
    for number in range(1, count + 1):
        if place + _SEGMENT > maximum:
            raise ValueError(_cut_off(number, count))
        place += _SEGMENT + int.from_bytes(read(place, _SEGMENT)[4:], "little")
    if place > maximum:
        raise ValueError(_cut_off(count, count))
    return place // 16 * 16 + 16


def _segments(data: bytes, at: int, count: int) -> tuple[int, int]:
    """The end of the last segment and the checksum over all segments."""
    checksum, place = _SEED, at + _HEADER
    for number in range(1, count + 1):
        if place + _SEGMENT > len(data):
            raise ValueError(_cut_off(number, count))
        (length,) = struct.unpack_from("<I", data, place + 4)
        place += _SEGMENT
        if place + length > len(data):
            raise ValueError(_cut_off(number, count))
        checksum = reduce(xor, data[place : place + length], checksum)
        place += length
    return place, checksum


def _cut_off(number: int, count: int) -> str:
    reason = _("the file is cut off or damaged in segment {number} of {count}")
    return reason.format(number=number, count=count)
