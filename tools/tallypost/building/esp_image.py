"""An application or loader image of the ESP32 family, taken apart and checked.

    header (24 bytes)  0xE9 | segments u8 | SPI mode u8 | flash size << 4 | frequency u8 |
                       entry u32 | WP pin u8 | drive 3 | chip id u16 | revisions 5 | 4 reserved |
                       hash appended u8
    segment            load address u32 | length u32 | data
    end                zeros, one byte: 0xEF xor all data; the sum of lengths is a multiple of 16
    hash               SHA-256 of everything before it, if the header says so

Source: ESP-IDF programming guide, "App Image Format".
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from functools import reduce
from operator import xor

_MAGIC, _HEADER, _SEGMENT = 0xE9, 24, 8
_MOST_SEGMENTS = 16
_SEED = 0xEF
_HASH = 32


@dataclass(frozen=True)
class EspImage:
    """chip_id: as in the header. flash_size: what the image was made for, and size: its own,
    in bytes."""

    chip_id: int
    flash_size: int
    size: int


def parse(data: bytes, at: int = 0) -> EspImage:
    """The image that begins at `at`; raises ValueError saying what is wrong with it."""
    head = data[at : at + _HEADER]
    if len(head) < _HEADER:
        raise ValueError("cut short: no image header")
    if head[0] != _MAGIC:
        raise ValueError(f"no image here: it begins with 0x{head[0]:02x}, not 0xe9")
    count = head[1]
    if not 1 <= count <= _MOST_SEGMENTS:
        raise ValueError(f"damaged: {count} segments")
    end, checksum = _segments(data, at, count)
    end = at + (end - at) // 16 * 16 + 16
    if end > len(data):
        raise ValueError("cut short: no checksum")
    if data[end - 1] != checksum:
        raise ValueError("damaged: the checksum is wrong")
    if head[23]:
        if data[end : end + _HASH] != hashlib.sha256(data[at:end]).digest():
            short = len(data) < end + _HASH
            raise ValueError("cut short: no hash" if short else "damaged: the hash is wrong")
        end += _HASH
    (chip_id,) = struct.unpack_from("<H", head, 12)
    return EspImage(chip_id, 1 << 20 + (head[3] >> 4), end - at)


def _segments(data: bytes, at: int, count: int) -> tuple[int, int]:
    """Where the last segment ends, and the checksum over all of them."""
    checksum, place = _SEED, at + _HEADER
    for number in range(1, count + 1):
        if place + _SEGMENT > len(data):
            raise ValueError(f"cut short in segment {number} of {count}")
        (length,) = struct.unpack_from("<I", data, place + 4)
        place += _SEGMENT
        if place + length > len(data):
            raise ValueError(f"cut short, or damaged, in segment {number} of {count}")
        checksum = reduce(xor, data[place : place + length], checksum)
        place += length
    return place, checksum
