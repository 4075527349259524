"""Faults on a bench: a cable that is pulled, the wrong board, a bad line, a bad flash."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.support.boards.bench import Listener, Make, esptool, mpremote, settled

from simulator.board.cable import Cable, CableFaults
from simulator.board.stock import flashed
from tallypost.hardware import boards

AT = 0x100000  # in the application's partition, behind the stand-in
SIZE = 60_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(random.Random(3).randbytes(SIZE))
    return path


@pytest.mark.parametrize("after", [600, 12_000, 40_000, 60_000])
def test_a_cable_pulled_while_writing_leaves_a_torn_flash(
    after: int, source: Path, make: Make
) -> None:
    faults = CableFaults(unplug_after=after, seed=after)
    board = make(faults=faults)
    before = settled(board)
    assert esptool(board, "write-flash", hex(AT), source).status != 0
    assert faults.unplug_after is None
    torn = settled(board)
    end = AT + -(-SIZE // 4096) * 4096
    assert torn[:AT] == before[:AT] and torn[end:] == before[end:]
    assert torn[AT : AT + SIZE] != source.read_bytes()
    if after >= 40_000:
        assert torn[AT:end] != before[AT:end]
    board.plug()
    assert "Hash of data verified" in esptool(board, "write-flash", hex(AT), source).out
    assert board.flash.read_bytes()[AT : AT + SIZE] == source.read_bytes()


def test_a_cable_pulled_while_the_image_runs_is_a_power_cut(make: Make) -> None:
    board = make()
    mark = (
        "import machine; m = machine.RTC(); print(m.memory(), machine.reset_cause());"
        " m.memory(b'x')"
    )
    assert mpremote(board, "exec", mark).out.strip().startswith("b''")
    assert mpremote(board, "exec", mark).out.strip().startswith("b'x' 5")
    board.unplug()
    board.plug()
    assert mpremote(board, "resume", "exec", mark).out.strip() == "b'' 1"


def test_esptool_refuses_a_board_with_the_wrong_chip(source: Path, make: Make) -> None:
    board = make(chip="esp32s3")
    before = settled(board)
    ran = esptool(board, "--chip", "esp32", "write-flash", hex(AT), source)
    assert ran.status != 0 and "ESP32-S3" in ran.out
    assert settled(board) == before


def test_esptool_never_accepts_wrong_bytes_from_a_noisy_line(source: Path, make: Make) -> None:
    board = make(faults=CableFaults(noise=0.00005, seed=4))
    ran = esptool(board, "write-flash", hex(AT), source)
    written = board.flash.read_bytes()[AT : AT + SIZE]
    assert ran.status != 0 or written == source.read_bytes()


def test_noise_flips_bits_at_its_rate_and_the_same_ones_for_a_seed() -> None:
    flips = [
        Cable(CableFaults(noise=0.01, seed=5), lambda: None).to_board(bytes(100_000)) for _ in "ab"
    ]
    assert flips[0] == flips[1]
    assert 800 < sum(byte != 0 for byte in flips[0]) < 1200
    assert all(byte.bit_count() <= 1 for byte in flips[0])


def test_the_cable_is_pulled_once_at_the_given_byte() -> None:
    pulls: list[int] = []
    cable = Cable(CableFaults(unplug_after=10), lambda: pulls.append(1))
    assert cable.to_board(b"12345") == b"12345" and pulls == []
    assert cable.to_host(b"67890") == b"" and pulls == [1]
    assert cable.to_host(b"more") == b"more" and pulls == [1]


def test_a_write_protected_flash_fails_the_comparison(source: Path, make: Make) -> None:
    board = make(faults=CableFaults(read_only=True))
    before = settled(board)
    ran = esptool(board, "write-flash", hex(AT), source)
    assert ran.status != 0 and "MD5" in ran.out
    assert settled(board) == before


def test_a_blank_board_repeats_the_message_of_its_rom(make: Make) -> None:
    board = make(is_blank=True)
    with Listener(board.path) as somebody:
        for _ in range(3):
            somebody.read_until(b"invalid header: 0xffffffff\r\n")


@pytest.mark.parametrize(
    ("at", "data", "text"),
    [
        (0x10000, b"\xff" * 16, b"image at 0x10000 has invalid magic byte"),
        (0x8000, b"\xff" * 512, b"No bootable app partitions"),
        (0x100C, b"\x09\x00", b"mismatch chip ID, expected 0, found 9"),
    ],
    ids=["no application", "no partition table", "another chip's loader"],
)
def test_a_flash_that_cannot_start_gives_the_reason(
    at: int, data: bytes, text: bytes, tmp_path: Path, make: Make
) -> None:
    path = flashed(boards.load("esp32_generic"), tmp_path / "esp32_generic.bin")
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)
    board = make()
    with Listener(board.path) as somebody:
        somebody.read_until(text)


def test_a_damaged_file_system_loops_in_the_stock_boot_code(tmp_path: Path, make: Make) -> None:
    path = flashed(boards.load("esp32_generic"), tmp_path / "esp32_generic.bin")
    with open(path, "r+b") as file:
        file.seek(boards.load("esp32_generic").partition("vfs").offset)
        file.write(b"\0" * 8192)
    board = make(speed=None)
    with Listener(board.path) as somebody:
        somebody.read_until(b"The filesystem appears to be corrupted.")
