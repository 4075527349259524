"""`tallypost provision` refuses a wrong board, a foreign table and a dead port, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.boards.mock_board import MockBoard
from tests.tools.provisioning.test_provision_board import Call, board, call, image, state

from tallypost.hardware import boards
from tallypost.hardware.partitions import pack

__all__ = ("board", "call", "image", "state")


@pytest.mark.parametrize(
    ("name", "chip", "text"),
    (
        (
            "esp32_generic",
            "esp32s3",
            "the chip is an esp32s3, but esp32_generic has an esp32. Name",
        ),
        (
            "heltec_wifi_lora_32_v3",
            "esp32s3",
            "the flash has 4 MB, but heltec_wifi_lora_32_v3 has 8 MB",
        ),
    ),
)
def test_the_wrong_board_is_refused(name: str, chip: str, text: str, call: Call) -> None:
    board = MockBoard("esp32_generic", chip=chip)
    try:
        status, out, err = call(board.url, "--board", name)
    finally:
        board.close()
    assert (status, out) == (1, "") and text in err and err.count("\n") == 1
    assert board.flash.changed == 0


@pytest.mark.parametrize(
    ("table", "text"),
    (
        (b"\xff" * 0xC00, "there is no partition table. Write the image first: tallypost flash"),
        (pack(boards.load("esp32_generic").partitions[1:]), "has no 'nvs'"),
        (pack(boards.load("lilygo_t3_v1_6_1").partitions[:-1]), "has no 'ring'"),
    ),
)
def test_a_foreign_table_is_refused(table: bytes, text: str, call: Call, board: MockBoard) -> None:
    board.flash.data[0x8000:0x8C00] = table
    status, out, err = call(board.url)
    assert (status, out) == (1, "") and text in err and err.count("\n") == 1
    assert board.flash.changed == 0


def test_a_table_that_differs_from_the_boards_is_refused(call: Call, board: MockBoard) -> None:
    parts = list(boards.load("esp32_generic").partitions)
    parts[0] = type(parts[0])("nvs", 1, 2, 0x9000, 0x5000)
    board.flash.data[0x8000:0x8C00] = pack(tuple(parts))
    status, _, err = call(board.url)
    assert (
        status == 1
        and "the partition table is not that of the board. Write the image first" in err
    )


def test_a_port_without_a_board_is_reported_in_one_line(call: Call, tmp_path: Path) -> None:
    for port, text in (
        (str(tmp_path / "ttyUSB7"), "no such port. Check the cable, then run: tallypost list"),
        ("socket://127.0.0.1:1", "no program listens there"),
        ("/dev/null", "/dev/null: "),
        ("carrier://pigeon", "carrier://pigeon: "),
    ):
        status, out, err = call(port)
        assert (status, out) == (1, "") and text in err and err.count("\n") == 1, err
