"""The NVS partition in its on-flash format: values, recycling, a full one, cut power."""

from __future__ import annotations

import random

import pytest

from simulator.world.chip.nvs import NvsError, NvsPartition

PAGE = 4096
SPACE = "tallypost"


class PowerCut(Exception):
    """The chip has no more power."""


class Chip:
    """NOR flash in memory. The power fails at operation `cut_at`, and tears it."""

    def __init__(self, pages: int = 3, cut_at: int = -1, seed: int = 1) -> None:
        self.cells = bytearray(b"\xff" * (pages * PAGE))
        self.pages = pages
        self.left = cut_at
        self.erases = 0
        self.operations = 0
        self.rng = random.Random(seed)

    def open(self) -> NvsPartition:
        return NvsPartition(self.read, self.program, self.erase, self.pages)

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.cells[offset : offset + length])

    def program(self, offset: int, data: bytes) -> None:
        torn = self._cut()
        length = self.rng.randrange(len(data) + 1) if torn else len(data)
        for i in range(length):
            assert data[i] & ~self.cells[offset + i] == 0, "a bit is set without an erase"
            self.cells[offset + i] = data[i]
        if torn:
            raise PowerCut

    def erase(self, offset: int) -> None:
        torn = self._cut()
        old = self.cells[offset : offset + PAGE]
        noise = self.rng.randbytes(PAGE) if torn else b"\xff" * PAGE
        self.cells[offset : offset + PAGE] = bytes(a | b for a, b in zip(old, noise))
        self.erases += 1
        if torn:
            raise PowerCut

    def _cut(self) -> bool:
        self.operations += 1
        self.left -= 1
        return self.left == 0


def test_numbers_come_back() -> None:
    chip = Chip()
    nvs = chip.open()
    for value in (0, 1, -1, 2**31 - 1, -(2**31)):
        nvs.set_i32(SPACE, "boot", value)
        assert nvs.get_i32(SPACE, "boot") == chip.open().get_i32(SPACE, "boot") == value


@pytest.mark.parametrize("length", (0, 1, 31, 32, 33, 500, 3968, 4000, 4001, 6000))
def test_blobs_come_back(length: int) -> None:
    chip = Chip(pages=4)
    blob = random.Random(length).randbytes(length)
    chip.open().set_blob(SPACE, "config", blob)
    assert chip.open().get_blob(SPACE, "config") == blob


def test_a_missing_key_is_a_key_error() -> None:
    nvs = Chip().open()
    for get in (nvs.get_i32, nvs.get_blob, nvs.erase_key):
        with pytest.raises(KeyError):
            get(SPACE, "boot")
    nvs.set_i32(SPACE, "boot", 1)
    for get, key in ((nvs.get_i32, "other"), (nvs.get_blob, "boot"), (nvs.erase_key, "other")):
        with pytest.raises(KeyError):
            get(SPACE, key)
    with pytest.raises(KeyError):
        nvs.get_i32("another", "boot")


def test_namespaces_do_not_see_each_other() -> None:
    chip = Chip()
    nvs = chip.open()
    nvs.set_i32("one", "n", 1)
    nvs.set_i32("two", "n", 2)
    nvs.erase_key("one", "n")
    again = chip.open()
    assert again.get_i32("two", "n") == 2 and again.keys("two") == ["n"]
    assert again.keys("one") == []


def test_an_erased_key_is_gone_and_can_be_set_again() -> None:
    chip = Chip()
    nvs = chip.open()
    nvs.set_blob(SPACE, "secret", b"x" * 100)
    nvs.erase_key(SPACE, "secret")
    with pytest.raises(KeyError):
        chip.open().get_blob(SPACE, "secret")
    nvs.set_blob(SPACE, "secret", b"y")
    assert chip.open().get_blob(SPACE, "secret") == b"y"


@pytest.mark.parametrize("key", ("", "a-key-of-16-byte", "ä" * 8))
def test_a_key_has_fifteen_bytes_at_most(key: str) -> None:
    chip = Chip()
    with pytest.raises(NvsError, match="1 to 15 bytes"):
        chip.open().set_i32(SPACE, key, 1)
    chip.open().set_i32(SPACE, "a-key-of-15-byt", 7)
    assert chip.open().get_i32(SPACE, "a-key-of-15-byt") == 7


def test_overwriting_recycles_pages_and_keeps_the_rest() -> None:
    chip = Chip()
    nvs = chip.open()
    nvs.set_blob(SPACE, "id", b"node-1")
    for i in range(700):
        nvs.set_i32(SPACE, "boot", i)
        if i % 50 == 0:
            nvs.set_blob(SPACE, "config", b"%d" % i * 40)
            nvs = chip.open()
            assert nvs.get_i32(SPACE, "boot") == i
            assert nvs.get_blob(SPACE, "config") == b"%d" % i * 40
            assert nvs.get_blob(SPACE, "id") == b"node-1"
    assert chip.erases >= 3 and sorted(nvs.keys(SPACE)) == ["boot", "config", "id"]


def test_the_same_value_again_costs_no_flash() -> None:
    chip = Chip()
    nvs = chip.open()
    nvs.set_i32(SPACE, "n", 5)
    nvs.set_blob(SPACE, "b", b"same")
    before = chip.operations
    nvs.set_i32(SPACE, "n", 5)
    nvs.set_blob(SPACE, "b", b"same")
    assert chip.operations == before


def test_a_full_partition_says_so_and_keeps_what_it_has() -> None:
    chip = Chip()
    nvs = chip.open()
    held = {}
    with pytest.raises(NvsError, match="no space left"):
        for i in range(100):
            nvs.set_blob(SPACE, f"k{i}", b"%03d" % i * 100)
            held[f"k{i}"] = b"%03d" % i * 100
    assert 15 < len(held) < 27
    again = chip.open()
    for key, value in held.items():
        assert again.get_blob(SPACE, key) == value
    with pytest.raises(KeyError):
        again.get_blob(SPACE, f"k{len(held)}")
    for key in list(held)[:10]:
        again.erase_key(SPACE, key)
    again.set_blob(SPACE, "new", b"fits now")
    assert chip.open().get_blob(SPACE, "new") == b"fits now"


def test_a_blob_larger_than_everything_is_refused_and_leaves_the_old_one() -> None:
    chip = Chip()
    nvs = chip.open()
    nvs.set_blob(SPACE, "b", b"old")
    with pytest.raises(NvsError):
        nvs.set_blob(SPACE, "b", bytes(5 * PAGE))
    assert chip.open().get_blob(SPACE, "b") == b"old"


def test_a_damaged_page_is_left_out_and_the_partition_goes_on() -> None:
    chip = Chip(pages=4)
    nvs = chip.open()
    nvs.set_blob(SPACE, "first", b"1" * 3900)
    nvs.set_blob(SPACE, "second", b"2" * 3000)
    chip.cells[4] ^= 0x01  # the first page's sequence: its header's CRC is wrong now
    again = chip.open()
    with pytest.raises(KeyError):
        again.get_blob(SPACE, "first")
    again.set_i32(SPACE, "boot", 3)
    assert chip.open().get_i32(SPACE, "boot") == 3


@pytest.mark.parametrize("at", (64 + 64 + 32, 64 + 64 + 40, 64 + 64 + 24))
def test_a_damaged_entry_is_no_value(at: int) -> None:
    chip = Chip()
    chip.open().set_blob(SPACE, "b", b"precious" * 4)
    assert chip.cells[at] != 0xFF
    chip.cells[at] ^= 0x10
    with pytest.raises(KeyError):
        chip.open().get_blob(SPACE, "b")


def test_a_blank_partition_is_written_in_the_documented_format() -> None:
    chip = Chip()
    chip.open().set_i32(SPACE, "boot", 258)
    page = bytes(chip.cells[:PAGE])
    assert page[:9] == b"\xfe\xff\xff\xff" + bytes(4) + b"\xfe"
    assert page[32] == 0b1111_1010  # two entries written
    assert page[64:68] == b"\0\x01\x01\xff" and page[72:82] == SPACE.encode() + b"\0"
    assert page[96:100] == b"\x01\x14\x01\xff" and page[104:109] == b"boot\0"
    assert page[120:124] == b"\x02\x01\0\0"
    assert set(chip.cells[PAGE:]) == {0xFF}
