"""The flash behind the loader has the physics of NOR flash, and is torn when the power fails."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.board.chip import LoaderFlash, flash_id

SIZE = 64 << 10
AT = 0x4000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "flash.bin"
    path.write_bytes(bytes(SIZE))
    return path


@pytest.fixture
def flash(path: Path) -> Iterator[LoaderFlash]:
    flash = LoaderFlash(path, random.Random(1))
    yield flash
    flash.close()


def begin(size: int, at: int = AT) -> bytes:
    return struct.pack("<IIII", size, 1, 0x400, at)


def block(data: bytes) -> bytes:
    return struct.pack("<IIII", len(data), 0, 0, 0) + data


def erased(path: Path) -> set[int]:
    """The sectors that hold ones. All others of this file hold zeros."""
    data = path.read_bytes()
    return {i for i in range(SIZE >> 12) if data[i << 12 : (i + 1) << 12] == b"\xff" * 4096}


def test_the_rom_erases_before_the_first_byte_and_the_stub_sector_by_sector(
    flash: LoaderFlash, path: Path
) -> None:
    flash.begin_plain(begin(0x2001))
    assert erased(path) == {4, 5, 6}
    flash.is_stub = True
    flash.begin_plain(begin(0x3000, 0x8000))
    assert erased(path) == {4, 5, 6}
    flash.write_plain_block(block(b"\xff" * 0x1001))
    assert erased(path) == {4, 5, 6, 8, 9}


def test_cells_that_were_not_erased_keep_their_zeros(flash: LoaderFlash, path: Path) -> None:
    flash.begin_plain(begin(0x1000))
    flash.write_plain_block(block(b"\x0f" * 16))
    flash.begin_plain(begin(0))
    flash.write_plain_block(block(b"\xff" * 16))  # erases its own sector first
    assert path.read_bytes()[AT : AT + 16] == b"\xff" * 16
    flash.begin_plain(begin(0x1000))
    for piece in (b"\xf0", b"\x0f"):
        flash.write_plain_block(block(piece * 0x800))
    assert path.read_bytes()[AT : AT + 0x1000] == b"\xf0" * 0x800 + b"\x0f" * 0x800


def test_compressed_blocks_are_decompressed_as_one_stream(flash: LoaderFlash, path: Path) -> None:
    data = random.Random(2).randbytes(3000) + bytes(9000)
    stream = zlib.compress(data)
    flash.begin_defl(begin(len(data)))
    for start in range(0, len(stream), 1000):
        flash.write_defl_block(block(stream[start : start + 1000]))
    flash.end_defl()
    assert path.read_bytes()[AT : AT + len(data)] == data


def test_a_power_cut_tears_the_last_programmed_block(path: Path) -> None:
    data = random.Random(3).randbytes(0x1000)
    ends = set()
    for seed in range(12):
        path.write_bytes(bytes(SIZE))
        flash = LoaderFlash(path, random.Random(seed))
        flash.begin_plain(begin(len(data)))
        flash.write_plain_block(block(data))
        flash.cut()
        flash.cut()  # there is nothing more to tear
        flash.close()
        torn = path.read_bytes()[AT : AT + len(data)]
        same = next((i for i, (a, b) in enumerate(zip(torn, data)) if a != b), len(data))
        assert torn[same + 4 :] == b"\xff" * len(torn[same + 4 :])
        ends.add(same)
    assert len(ends) > 6


def test_a_power_cut_tears_an_erasure(path: Path) -> None:
    reached = set()
    for seed in range(12):
        path.write_bytes(bytes(SIZE))
        flash = LoaderFlash(path, random.Random(seed))
        flash.erase_region(0x4000, 0x4000)
        flash.cut()
        flash.close()
        data, done = path.read_bytes(), erased(path)
        assert done == set(range(4, 4 + len(done))) and len(done) < 4
        torn = data[0x4000 + (len(done) << 12) :][:4096]
        assert torn not in (bytes(4096), b"\xff" * 4096)
        assert not any(data[:0x4000]) and not any(data[0x4000 + (len(done) + 1 << 12) :])
        reached.add(len(done))
    assert len(reached) > 2


def test_a_read_only_chip_accepts_commands_and_changes_nothing(path: Path) -> None:
    flash = LoaderFlash(path, random.Random(1), read_only=True)
    flash.begin_plain(begin(0x1000))
    flash.write_plain_block(block(b"\x55" * 16))
    flash.erase_all()
    flash.cut()
    flash.close()
    assert path.read_bytes() == bytes(SIZE)


@pytest.mark.parametrize(("size", "code"), [(4 << 20, 0x16), (8 << 20, 0x17), (16 << 20, 0x18)])
def test_the_flash_id_holds_the_size_of_the_chip(size: int, code: int) -> None:
    assert flash_id(size) >> 16 == code
