"""`tallypost flash`: refusals, each in one line with the next command."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.boards.flash_board import FlashBoard, table_of
from tests.support.boards.flashing import (
    BOARD,
    IDENTITY,
    LOG,
    NAME,
    NVS,
    RING,
    Say,
    facts,
    whole,
)
from tests.support.boards.mock_board import SECTOR

from tallypost import ports
from tallypost.flashing import flash_plan
from tallypost.hardware import boards
from tallypost.hardware.partitions import TABLE_OFFSET, TABLE_SIZE, pack

pytestmark = pytest.mark.usefixtures("answers")


def refused(answer: tuple[int, str, str], text: str, status: int = 1) -> None:
    assert answer[0] == status and answer[1] == "", answer
    lines = [line for line in answer[2].splitlines() if not line.startswith("note:")]
    assert lines == [f"error: {text}"]


def test_a_wrong_chip_is_refused(file: Path, say: Say) -> None:
    with closing(FlashBoard(NAME, chip="esp32s3")) as other:
        answer = say("--port", other.url, "--micropython", str(file))
    refused(
        answer, f"{other.url}: the chip is an esp32s3, but esp32_generic has an esp32."
        " Name the right board with --board.",
    )  # fmt: skip
    assert other.flash.changed == 0


def test_a_flash_that_is_too_small_is_refused(file: Path, say: Say) -> None:
    with closing(FlashBoard(NAME, cells=b"\xff" * (2 << 20))) as small:
        answer = say("--port", small.url, "--micropython", str(file))
    refused(
        answer, f"{small.url}: the flash has 2 MB, but esp32_generic has 4 MB."
        " Name the right board with --board."
    )  # fmt: skip
    assert small.flash.changed == 0


def test_a_board_without_micropython_is_refused(blank: FlashBoard, say: Say) -> None:
    refused(
        say("--port", blank.url),
        f"{blank.url}: there is no MicroPython on this board. Add --download, or"
        " --micropython FILE with the file ESP32_GENERIC-20260406-v1.28.0.bin.",
    )
    assert blank.flash.changed == 0


def stock(data: bytes) -> bytes:
    """MicroPython as its makers flash it: their table, no ring."""
    flash = bytearray(whole(b"", data))
    table = table_of(NAME, ring=(0, 0), vfs=(0x200000, 0x200000))
    flash[TABLE_OFFSET : TABLE_OFFSET + len(table)] = table
    flash[RING.offset : RING.offset + 9] = b"their own"
    flash[NVS.offset : NVS.offset + 9] = b"their own"
    return bytes(flash)


def test_the_board_of_another_program_is_replaced_only_with_take_over(
    file: Path, say: Say
) -> None:
    with closing(FlashBoard(NAME, cells=stock(file.read_bytes()))) as board:
        refused(
            say("--port", board.url, "--erase-counts"),
            f"{board.url}: the board holds another program (partitions: nvs, phy_init, factory,"
            " vfs). To replace it and lose all its data, add --take-over.",
        )
        assert board.flash.changed == 0
        found = facts(say, "--port", board.url, "--micropython", str(file), "--take-over")
        assert found["first"] and found["kept"] == []
        assert board.at(RING.offset, RING.size) == b"\xff" * RING.size
        assert board.at(NVS.offset, NVS.size) == b"\xff" * NVS.size
        assert facts(say, "--port", board.url)["bytes"] == 0


def test_a_damaged_table_is_refused_like_another_program(
    blank: FlashBoard, file: Path, say: Say
) -> None:
    blank.put(TABLE_OFFSET, b"garbage")
    refused(
        say("--port", blank.url, "--micropython", str(file)),
        f"{blank.url}: the board holds another program (partitions: unreadable). To replace it and"
        " lose all its data, add --take-over.",
    )


def test_a_ring_at_another_place_is_refused(node: FlashBoard, file: Path, say: Say) -> None:
    table = table_of(NAME, vfs=(0x200000, 0x80000), ring=(0x280000, 0x100000))
    node.put(TABLE_OFFSET, table)
    refused(
        say("--port", node.url),
        f"{node.url}: the node has another flash layout (ring: 0x280000, 1048576 bytes); its"
        " counts would be lost. Copy the counts with tallypost pull, then add --erase-counts.",
    )
    found = facts(say, "--port", node.url, "--erase-counts")
    assert found["kept"] == ["nvs"] and node.at(NVS.offset, len(IDENTITY)) == IDENTITY
    assert node.at(TABLE_OFFSET, TABLE_SIZE) == pack(BOARD.partitions)


@pytest.mark.parametrize(
    ("head", "text"),
    (
        (
            b"TPR1\2\0",
            "the counts have format 2, this firmware reads format 1. Copy them with the version of"
            " the tools that wrote them, then add --erase-counts.",
        ),
        (
            b"something",
            "the partition for the counts holds unknown data. To delete this data, add"
            " --erase-counts.",
        ),
    ),
)
def test_a_ring_of_another_format_is_refused(
    head: bytes, text: str, node: FlashBoard, say: Say
) -> None:
    node.put(RING.offset, b"\xff" * len(LOG))
    node.put(RING.offset + SECTOR, head)
    refused(
        say("--port", node.url),
        f"{node.url}: {text}",
    )
    assert node.flash.changed == 0


def test_a_table_that_was_cut_while_written_loses_no_counts(
    node: FlashBoard, file: Path, say: Say
) -> None:
    for rest in (b"\xff" * SECTOR, node.at(TABLE_OFFSET, 40).ljust(SECTOR, b"\xff")):
        node.put(TABLE_OFFSET, rest)
        found = facts(say, "--port", node.url, "--micropython", str(file))
        assert found["kept"] == ["nvs", "ring"]
        assert node.at(RING.offset, len(LOG)) == LOG
        assert node.at(TABLE_OFFSET, TABLE_SIZE) == pack(BOARD.partitions)


def test_a_flash_that_cannot_be_written_is_reported(
    blank: FlashBoard, file: Path, say: Say
) -> None:
    blank.flash.read_only = True
    refused(
        say("--port", blank.url, "--micropython", str(file)),
        f"{blank.url}: the flash does not hold the data that was written. The flash is"
        " write-protected or worn out. Run the same command once more, then use another board.",
    )


def test_a_port_that_cannot_be_opened_is_reported(
    file: Path, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialout = "Run: sudo usermod -aG dialout $USER, then log in again."
    in_use = "in use by another program. Close that program. To find it, run: tallypost doctor"
    refused(
        say("--port", "/dev/ttyNONE0"),
        "/dev/ttyNONE0: no such port. Check the cable, then run: tallypost list",
    )
    refused(
        say("--port", "socket://127.0.0.1:9"),
        "socket://127.0.0.1:9: no program listens there. Start the board or its server, then run"
        " the same command again.",
    )

    def denied(number: int) -> Callable[..., Any]:
        def open_port(*_args: object, **_more: object) -> Any:
            raise OSError(number, "x")

        return open_port

    for number, text in (
        (13, f"permission denied. {dialout}"),
        (16, in_use),
        (11, in_use),
    ):
        monkeypatch.setattr("tallypost.flashing.rom.serial.serial_for_url", denied(number))
        refused(say("--port", "/dev/ttyUSB0"), f"/dev/ttyUSB0: {text}")


def test_a_port_without_an_answer_is_reported(say: Say) -> None:
    """A cable without a board, or a board that does not go into its boot loader."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = f"socket://127.0.0.1:{silent.getsockname()[1]}"
        status, out, err = say("--port", port)
    assert status == 1 and out == "" and err.count("\n") == 1
    assert err.startswith(f"error: {port}: no chip answers (")
    assert err.endswith("release BOOT, then run the same command again.\n")


def test_without_a_port_there_must_be_exactly_one(
    blank: FlashBoard, file: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connected(*devices: str) -> None:
        found = [ports.Port(device, "10c4:ea60", "CP2102", "1") for device in devices]
        monkeypatch.setattr(ports, "usb_ports", lambda: found)

    connected()
    refused(
        say(),
        "No board is connected. Plug one in with a data cable."
        " If it is not found, run: tallypost doctor",
    )
    connected("/dev/ttyUSB0", "/dev/ttyUSB1")
    refused(
        say(), "2 ports are connected: /dev/ttyUSB0, /dev/ttyUSB1. Name one of them with --port."
    )
    connected(blank.url)
    assert facts(say, "--micropython", str(file))["port"] == blank.url


def test_options_that_exclude_each_other_are_wrong_usage(say: Say, file: Path) -> None:
    for words in (
        ("--keep-ring", "--erase-counts"), ("--micropython", str(file), "--download"),
        ("--baud", "fast"),
    ):  # fmt: skip
        assert say(*words)[0] == 2


def test_the_format_of_the_ring_is_that_of_the_firmware() -> None:
    source = (boards.ROOT / "lib" / "ring" / "region.py").read_text()
    assert f"_FORMAT = const({flash_plan.RING_FORMAT})" in source
    ring = (boards.ROOT / "lib" / "ring" / "ring.py").read_text()
    assert all(repr(magic)[1:].strip("'") in ring for magic in (b"TPC1", b"TPR1"))
