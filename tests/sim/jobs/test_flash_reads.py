"""How often a start reads the flash: each access costs 40 to 60 us on a chip."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.board.stock import flashed
from tallypost.building import build, image
from tallypost.building.third_party import TARGET
from tallypost.hardware import boards
from tallypost.hardware.boards import Board
from tallypost.provisioning.provision import Identity, provision
from tallypost.resources import ROOT
from tests.support.boards.flash_reads import (
    Reads, add_rom, counted_shims, reads_of_a_start, replace_files,
)  # fmt: skip

# Measured for a radar node with MQTT: 4,433 accesses and 347 kB, and 5,432 at the first start,
# which also looks whether the partition of the log is blank. Before boot.py had a search of its
# own: 23,525. With the application in ROMFS: 642, and 40,000 bytes more stay free.
ACCESSES_MAX, BYTES_MAX = 6_000, 500_000
PLAIN_BOOT = b'import sys\nsys.path.append("/a")\n'
PLAIN_MAIN = b"import board, build\nbuild.build_app(board.Board()).start()\n"


@pytest.fixture
def board() -> Board:
    return boards.load("esp32_generic")


@pytest.fixture
def flash(board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a radar node."""
    counted_shims(monkeypatch, tmp_path)
    path = flashed(board, tmp_path / "board.bin")
    config = {"detector": "ld2451", "mqtt_host": "broker"}
    login = {"wifi_ssid": "street", "wifi_pass": "of-the-simulator"}
    provision(path, Identity("n1", config, mqtt_pass="x" * 12, **login))
    return path


def test_a_start_reads_the_flash_at_most_6000_times(board: Board, flash: Path) -> None:
    first = reads_of_a_start(board, flash)
    later = reads_of_a_start(board, flash)
    assert 1_000 < later.accesses <= ACCESSES_MAX and later.size <= BYTES_MAX, later
    assert later.accesses < first.accesses <= later.accesses + 1_100, (first, later)


def test_the_search_of_boot_saves_more_than_half(
    board: Board, flash: Path, tmp_path: Path
) -> None:
    saving = reads_of_a_start(board, flash)
    items = image.list_files(board, ROOT, TARGET)
    files = image.compile_all(items, tmp_path / "mpy")
    files |= {"boot.py": PLAIN_BOOT, "main.py": PLAIN_MAIN}
    replace_files(board, flash, files)
    plain: Reads = reads_of_a_start(board, flash)
    assert plain.accesses > 2 * saving.accesses, (saving, plain)


def test_an_application_in_romfs_is_read_in_place(board: Board, flash: Path) -> None:
    """Its bytecode is not copied to the heap. The file system has nothing but the two scripts."""
    littlefs = reads_of_a_start(board, flash)
    add_rom(board, flash, build.write_romfs(build.build(board.name)).read_bytes())
    scripts = {name: (ROOT / "firmware" / name).read_bytes() for name in ("boot.py", "main.py")}
    replace_files(board, flash, scripts)
    romfs = reads_of_a_start(board, flash)
    assert romfs.accesses * 5 < littlefs.accesses, (littlefs, romfs)
    assert romfs.free > littlefs.free + 20_000, (littlefs, romfs)
