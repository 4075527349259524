"""Unmodified esptool against every chip: the commands of a technician and their results."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.support.boards.bench import Make, Ran, esptool, run, settled

from simulator.board.stock import stand_in
from tallypost.hardware import boards

BOARDS = boards.names()
AT = 0x100000  # in the application's partition, behind the stand-in


def noise(path: Path, size: int) -> bytes:
    data = random.Random(size).randbytes(size)
    path.write_bytes(data)
    return data


def fine(ran: Ran) -> str:
    assert ran.status == 0, ran.out
    return ran.out


@pytest.mark.parametrize("name", BOARDS)
def test_esptool_reads_chip_size_and_address_of_the_board(name: str, make: Make) -> None:
    board = make(name)
    out = fine(esptool(board, "flash-id"))
    titles = {"esp32": "ESP32", "esp32s3": "ESP32-S3", "esp32c3": "ESP32-C3"}
    assert f"Connected to {titles[board.chip]} on" in out
    assert f"Detected flash size: {board.board.flash_size >> 20}MB" in out
    assert f"{board.mac.hex(':')}" in out
    assert "Crystal frequency:  40MHz" in out and "WARNING: Detected" not in out


@pytest.mark.parametrize("name", BOARDS)
def test_esptool_writes_verifies_reads_and_erases(name: str, tmp_path: Path, make: Make) -> None:
    board = make(name)
    before = settled(board)
    source, back = tmp_path / "source.bin", tmp_path / "back.bin"
    data = noise(source, 70_001)
    assert "Hash of data verified" in fine(esptool(board, "write-flash", hex(AT), source))
    assert "Verification successful" in fine(esptool(board, "verify-flash", hex(AT), source))
    fine(esptool(board, "read-flash", hex(AT), str(len(data)), back))
    assert back.read_bytes() == data
    after = settled(board)
    end = AT + -(-len(data) // 4096) * 4096
    assert after[AT : AT + len(data)] == data and set(after[AT + len(data) : end]) == {0xFF}
    assert after[:AT] == before[:AT] and after[end:] == before[end:]
    fine(esptool(board, "erase-region", hex(AT), "0x2000"))
    erased = settled(board)
    assert set(erased[AT : AT + 0x2000]) == {0xFF}
    assert erased[AT + 0x2000 :] == after[AT + 0x2000 :] and erased[:AT] == after[:AT]


def test_the_loader_of_the_rom_writes_without_the_stub(tmp_path: Path, make: Make) -> None:
    board = make()
    data = noise(tmp_path / "source.bin", 9_000)
    fine(esptool(board, "--no-stub", "write-flash", hex(AT), tmp_path / "source.bin"))
    assert board.flash.read_bytes()[AT : AT + len(data)] == data
    fine(esptool(board, "--no-stub", "write-flash", "-u", hex(AT), tmp_path / "source.bin"))
    assert board.flash.read_bytes()[AT : AT + len(data)] == data


def test_the_whole_flash_is_erased(make: Make) -> None:
    board = make()
    fine(esptool(board, "erase-flash"))
    assert board.flash.read_bytes().count(b"\xff") == board.board.flash_size


@pytest.mark.parametrize("name", BOARDS)
def test_the_stand_in_has_the_form_of_an_image_for_the_chip(name: str, tmp_path: Path) -> None:
    board = boards.load(name)
    whole = stand_in(board)
    for at in (0, 0x10000 - board.loader_offset):
        path = tmp_path / f"{at}.bin"
        path.write_bytes(whole[at:])
        out = fine(run("esptool", "--chip", board.chip, "image-info", path))
        assert "(valid)" in out and "invalid" not in out


def test_esptool_writes_over_rfc2217_with_both_lines(tmp_path: Path, make: Make) -> None:
    board = make(terminal=False)
    data = noise(tmp_path / "source.bin", 5_000)
    fine(run("esptool", "--port", board.url, "write-flash", hex(AT), tmp_path / "source.bin"))
    assert board.flash.read_bytes()[AT : AT + len(data)] == data
    out = run("mpremote", "connect", board.url, "exec", "print('up again')")
    assert out.out.endswith("up again\n")
