"""The partition table: bad tables are refused, the binary form is written and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallypost.faults import ToolError
from tallypost.hardware.partitions import TABLE_SIZE, Partition, pack, read_csv, unpack

FLASH = 0x400000
GOOD = """# Name, Type, SubType, Offset, Size
nvs,     data, nvs,     0x9000,  24K
factory, app,  factory, 0x10000, 1M   # the port
ring,    data, 0x40,    0x300000, 0x100000,
"""


def read(folder: Path, text: str) -> list[Partition]:
    path = folder / "partitions.csv"
    path.write_text(text)
    return read_csv(path, FLASH)


def test_units_comments_and_order_are_accepted(tmp_path: Path) -> None:
    lines = GOOD.splitlines()
    found = read(tmp_path, "\n".join([lines[0], lines[3], "", lines[2], lines[1]]))
    assert [(p.label, p.kind, p.subtype, p.offset, p.size) for p in found] == [
        ("nvs", 1, 2, 0x9000, 0x6000),
        ("factory", 0, 0, 0x10000, 0x100000),
        ("ring", 1, 0x40, 0x300000, 0x100000),
    ]
    assert found[0].end == 0xF000


@pytest.mark.parametrize(
    ("old", "new", "text"),
    (
        ("24K", "32K", "'factory' at 0x10000 overlaps the part that ends at 0x11000"),
        ("0x9000", "0x8000", "'nvs' at 0x8000 overlaps the part that ends at 0x9000"),
        ("0x10000,", "0x1f000,", "'factory' is not aligned to 0x10000"),
        ("0x9000", "0x9100", "'nvs' is not aligned to 0x1000"),
        ("24K", "1000", "'nvs' is not aligned"),
        ("24K", "0", "'nvs' is not aligned"),
        ("0x100000,", "0x101000", "the partitions end at 0x401000, the flash ends at 0x400000"),
        ("ring, ", "nvs, ", "a label is used twice"),
        ("24K", "24Q", ":2: '24Q' is not a number"),
        ("24K", "", ":2: '' is not a number"),
        ("24K", "M", ":2: 'M' is not a number"),
        ("data, 0x40", "date, 0x40", ":4: the type 'date' is unknown, expected: app, data"),
        ("data, nvs", "data, nwz", ":2: 'nwz' is not a number"),
        ("nvs,  ", "a-label-of-16-by,", ":2: the label 'a-label-of-16-by' must have 1 to 15"),
        ("nvs,  ", ",", ":2: the label '' must have 1 to 15"),
        ("24K", "24K, encrypted", ":2: expected: name, type"),
        ("nvs,     data, nvs,", "nvs data nvs", ":2: expected: name, type"),
    ),
)
def test_a_bad_table_is_refused_with_file_and_cause(
    old: str, new: str, text: str, tmp_path: Path
) -> None:
    assert old in GOOD
    with pytest.raises(ToolError, match=text) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert "partitions.csv" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    (
        ("24K", "-4096"),
        ("24K", "-1M"),
        ("0x40,", "0x140,"),
        ("0x40,", "-1,"),
        ("# Name", "# N\udcffme"),
    ),
    ids=("size", "unit", "subtype", "negative", "not text"),
)
def test_a_number_out_of_range_is_refused(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "partitions.csv"
    path.write_bytes(GOOD.replace(old, new, 1).encode(errors="surrogateescape"))
    with pytest.raises(ToolError):
        read_csv(path, FLASH)


def test_the_binary_form_is_read_back(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    table = pack(tuple(found))
    assert len(table) == TABLE_SIZE and unpack(table) == found


@pytest.mark.parametrize("at", (4, 12, 70, 96 + 20))
def test_a_flipped_bit_is_noticed(at: int, tmp_path: Path) -> None:
    table = bytearray(pack(tuple(read(tmp_path, GOOD))))
    table[at] ^= 4
    with pytest.raises(ValueError, match="MD5 of the partition table is wrong"):
        unpack(bytes(table))


@pytest.mark.parametrize("table", (b"", b"\xff" * TABLE_SIZE, bytes(TABLE_SIZE), b"\xaa\x50"))
def test_bytes_without_a_table_are_refused(table: bytes) -> None:
    with pytest.raises(ValueError, match="there is no partition table"):
        unpack(table)


def test_a_table_without_its_end_is_refused(tmp_path: Path) -> None:
    table = pack(tuple(read(tmp_path, GOOD)))
    with pytest.raises(ValueError, match="there is no partition table"):
        unpack(table[: 3 * 32])
