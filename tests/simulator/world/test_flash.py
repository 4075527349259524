"""The simulated flash chip keeps the rules of NOR flash, also when the power fails."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from simulator.world.chip.flash import COMMAND_US, ERASE_US, PAGE_US, SECTOR, Flash


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "flash.bin"
    file.write_bytes(b"\xff" * (4 * SECTOR))
    return file


def chip(path: Path, seed: int = 1) -> Flash:
    return Flash(path, random.Random(seed))


def test_programming_only_clears_bits_and_says_so(path: Path) -> None:
    flash = chip(path)
    flash.program(10, b"\xf0\xaa")
    assert flash.violations == []
    flash.program(10, b"\x30\xaa")  # only 1 -> 0, or the same again
    assert flash.violations == [] and flash.read(10, 2) == b"\x30\xaa"
    flash.program(10, b"\x0f\xff")
    assert flash.read(10, 2) == b"\x00\xaa"
    assert flash.violations == ["flash: programmed over programmed bytes at 0xa"]


def test_an_erase_is_one_sector_and_is_counted(path: Path) -> None:
    flash = chip(path)
    flash.program(0, bytes(3 * SECTOR))
    assert flash.erase(SECTOR) == ERASE_US
    flash.erase(SECTOR)
    assert flash.read(0, 3 * SECTOR) == bytes(SECTOR) + b"\xff" * SECTOR + bytes(SECTOR)
    assert flash.erases == {1: 2} and flash.programmed_bytes == 3 * SECTOR
    flash.program(SECTOR, b"\x55")
    assert flash.violations == []


def test_written_bytes_are_there_after_a_restart(path: Path) -> None:
    flash = chip(path)
    flash.program(100, b"kept")
    flash.close()
    again = chip(path)
    assert again.read(100, 4) == b"kept" and again.size == 4 * SECTOR
    assert path.read_bytes()[100:104] == b"kept"


@pytest.mark.parametrize(
    ("offset", "length"), ((4 * SECTOR - 1, 2), (-1, 1), (4 * SECTOR, 1), (0, 4 * SECTOR + 1))
)
def test_a_write_outside_the_chip_is_refused(path: Path, offset: int, length: int) -> None:
    flash = chip(path)
    for call in (flash.program, flash.tear_program):
        with pytest.raises(ValueError, match="outside the chip"):
            call(offset, bytes(length))
    assert path.read_bytes() == b"\xff" * (4 * SECTOR)


@pytest.mark.parametrize("offset", (1, SECTOR - 4, SECTOR + 256))
def test_an_erase_begins_at_a_sector(path: Path, offset: int) -> None:
    with pytest.raises(ValueError, match="not at a sector's start"):
        chip(path).erase(offset)


def test_no_sector_outside_the_chip_is_erased(path: Path) -> None:
    flash = chip(path)
    for call in (flash.erase, flash.tear_erase):
        with pytest.raises(ValueError, match="outside the chip"):
            call(4 * SECTOR)
    assert flash.erases == {}


def test_time_grows_with_the_pages_that_are_touched(path: Path) -> None:
    flash = chip(path)
    one = flash.program(0, b"\xff")
    assert one < flash.program(255, b"\xff\xff")  # two pages, two commands
    assert flash.program(0, b"\xff" * 256) == COMMAND_US + PAGE_US
    assert flash.program(0, b"\xff" * 1024) == 4 * (COMMAND_US + PAGE_US)


def test_a_torn_program_leaves_a_prefix_and_then_nothing(path: Path) -> None:
    data = bytes(range(1, 201)) + bytes(56)
    old = b"\xff" * 256
    lengths = set()
    for seed in range(60):
        path.write_bytes(b"\xff" * (4 * SECTOR))
        flash = chip(path, seed)
        flash.tear_program(0, data)
        torn = flash.read(0, 256)
        done = next((i for i in range(256) if torn[i] != data[i]), 256)
        lengths.add(done)
        assert torn[done + 4 :] == old[done + 4 :], seed
        for now, wanted in zip(torn[done : done + 4], data[done : done + 4]):
            assert now & wanted == wanted, "a bit was cleared without being asked for"
    assert len(lengths) > 30 and min(lengths) < 60 and max(lengths) > 200


def test_a_torn_program_never_sets_a_bit(path: Path) -> None:
    flash = chip(path, 4)
    flash.program(0, b"\x0f" * 64)
    for _ in range(20):
        flash.tear_program(0, b"\xf3" * 64)
        assert all(byte & 0xF0 == 0 for byte in flash.read(0, 64))


def test_a_torn_erase_keeps_ones_and_touches_one_sector(path: Path) -> None:
    evidence = set()
    for seed in range(8):
        path.write_bytes(b"\xa5" * (4 * SECTOR))
        flash = chip(path, seed)
        flash.tear_erase(SECTOR)
        torn = flash.read(SECTOR, SECTOR)
        assert all(byte & 0xA5 == 0xA5 for byte in torn)
        assert torn not in (b"\xa5" * SECTOR, b"\xff" * SECTOR)
        assert flash.read(0, SECTOR) == flash.read(2 * SECTOR, SECTOR) == b"\xa5" * SECTOR
        evidence.add(torn)
    assert len(evidence) == 8


def test_the_seed_decides_how_it_tears(path: Path) -> None:
    def state(seed: int) -> bytes:
        path.write_bytes(b"\xff" * (4 * SECTOR))
        flash = chip(path, seed)
        flash.tear_program(0, bytes(500))
        flash.program(SECTOR, bytes(SECTOR))
        flash.tear_erase(SECTOR)
        return path.read_bytes()

    assert state(5) == state(5) != state(6)


def test_ageing_flips_bits_of_written_bytes_alone(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    path.write_bytes(b"\xff" * 4096 + b"\x5a" * 100 + b"\xff" * 3996)
    flash = Flash(path, random.Random(4))
    before = flash.read(0, 8192)
    flash.age(0, 4096, 9)
    assert flash.read(0, 8192) == before, "there is nothing"
    flash.age(4096, 4096, 9)
    changed = [a ^ b for a, b in zip(before, flash.read(0, 8192), strict=True) if a != b]
    assert len(changed) == 9 and all(bits.bit_count() == 1 for bits in changed)
    flash.close()
