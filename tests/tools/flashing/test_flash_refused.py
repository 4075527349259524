"""`tallypost flash`: what is refused, in one line that says what to do."""

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


def test_the_wrong_chip(file: Path, say: Say) -> None:
    with closing(FlashBoard(NAME, chip="esp32s3")) as other:
        answer = say("--port", other.url, "--micropython", str(file))
    refused(
        answer, f"{other.url}: the chip is an esp32s3, esp32_generic has an esp32."
        " name the right --board",
    )  # fmt: skip
    assert other.flash.changed == 0


def test_a_flash_that_is_too_small(file: Path, say: Say) -> None:
    with closing(FlashBoard(NAME, cells=b"\xff" * (2 << 20))) as small:
        answer = say("--port", small.url, "--micropython", str(file))
    refused(
        answer, f"{small.url}: a flash of 2 MB, esp32_generic has 4 MB. name the right --board"
    )  # fmt: skip
    assert small.flash.changed == 0


def test_no_micropython_anywhere(blank: FlashBoard, say: Say) -> None:
    refused(
        say("--port", blank.url),
        f"{blank.url}: no MicroPython on this board yet. give ESP32_GENERIC-20260406-v1.28.0.bin"
        " with --micropython FILE, or --download",
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


def test_another_program_s_board_is_told_and_taken_over_only_when_asked(
    file: Path, say: Say
) -> None:
    with closing(FlashBoard(NAME, cells=stock(file.read_bytes()))) as board:
        refused(
            say("--port", board.url, "--erase-counts"),
            f"{board.url}: another program's board (partitions: nvs, phy_init, factory, vfs)."
            " --take-over replaces it, and all its data is lost",
        )
        assert board.flash.changed == 0
        found = facts(say, "--port", board.url, "--micropython", str(file), "--take-over")
        assert found["first"] and found["kept"] == []
        assert board.at(RING.offset, RING.size) == b"\xff" * RING.size
        assert board.at(NVS.offset, NVS.size) == b"\xff" * NVS.size
        assert facts(say, "--port", board.url)["bytes"] == 0


def test_a_damaged_table_is_another_program_s(blank: FlashBoard, file: Path, say: Say) -> None:
    blank.put(TABLE_OFFSET, b"garbage")
    refused(
        say("--port", blank.url, "--micropython", str(file)),
        f"{blank.url}: another program's board (partitions: unreadable). --take-over replaces it,"
        " and all its data is lost",
    )


def test_a_ring_elsewhere_is_told(node: FlashBoard, file: Path, say: Say) -> None:
    table = table_of(NAME, vfs=(0x200000, 0x80000), ring=(0x280000, 0x100000))
    node.put(TABLE_OFFSET, table)
    refused(
        say("--port", node.url),
        f"{node.url}: a node with another layout (ring is at 0x280000, 1048576 bytes): its counts"
        " would be lost. pull them first (tallypost pull), then --erase-counts",
    )
    found = facts(say, "--port", node.url, "--erase-counts")
    assert found["kept"] == ["nvs"] and node.at(NVS.offset, len(IDENTITY)) == IDENTITY
    assert node.at(TABLE_OFFSET, TABLE_SIZE) == pack(BOARD.partitions)


@pytest.mark.parametrize(
    ("head", "text"),
    (
        (b"TPR1\2\0", "the ring holds counts of format 2, this firmware has format 1"),
        (b"something", "the ring holds something that is no log, this firmware has format 1"),
    ),
)
def test_a_ring_of_another_format_is_told(
    head: bytes, text: str, node: FlashBoard, say: Say
) -> None:
    node.put(RING.offset, b"\xff" * len(LOG))
    node.put(RING.offset + SECTOR, head)
    refused(
        say("--port", node.url),
        f"{node.url}: {text}. pull the counts with the tools that wrote them, then --erase-counts",
    )
    assert node.flash.changed == 0


def test_a_table_that_was_cut_in_the_writing_costs_no_counts(
    node: FlashBoard, file: Path, say: Say
) -> None:
    for rest in (b"\xff" * SECTOR, node.at(TABLE_OFFSET, 40).ljust(SECTOR, b"\xff")):
        node.put(TABLE_OFFSET, rest)
        found = facts(say, "--port", node.url, "--micropython", str(file))
        assert found["kept"] == ["nvs", "ring"]
        assert node.at(RING.offset, len(LOG)) == LOG
        assert node.at(TABLE_OFFSET, TABLE_SIZE) == pack(BOARD.partitions)


def test_a_flash_that_takes_nothing(blank: FlashBoard, file: Path, say: Say) -> None:
    blank.flash.read_only = True
    refused(
        say("--port", blank.url, "--micropython", str(file)),
        f"{blank.url}: the flash does not hold what was written. write-protected, or worn out:"
        " repeat once, then take another board",
    )


def test_ports_that_cannot_be_used(
    file: Path, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialout = "sudo usermod -aG dialout $USER, then log in again"
    refused(
        say("--port", "/dev/ttyNONE0"),
        "/dev/ttyNONE0: no such port. tallypost list shows the ports; is the cable in?",
    )
    refused(
        say("--port", "socket://127.0.0.1:9"),
        "socket://127.0.0.1:9: nobody answers there. is the board, or its server, running?",
    )

    def denied(number: int) -> Callable[..., Any]:
        def open_port(*_args: object, **_more: object) -> Any:
            raise OSError(number, "x")

        return open_port

    for number, text in (
        (13, f"no permission. {dialout}"),
        (16, "in use by another program. close it; tallypost doctor finds it"),
        (11, "in use by another program. close it; tallypost doctor finds it"),
    ):
        monkeypatch.setattr("tallypost.flashing.rom.serial.serial_for_url", denied(number))
        refused(say("--port", "/dev/ttyUSB0"), f"/dev/ttyUSB0: {text}")


def test_nobody_answers_at_the_port(say: Say) -> None:
    """A cable without a board, or a board that does not go into its boot loader."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = f"socket://127.0.0.1:{silent.getsockname()[1]}"
        status, out, err = say("--port", port)
    assert status == 1 and out == "" and err.count("\n") == 1
    assert err.startswith(f"error: {port}: no chip answers (")
    assert err.endswith("hold BOOT, press RESET, let BOOT go, then repeat; is it a data cable?\n")


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


def test_what_excludes_each_other_is_wrong_usage(say: Say, file: Path) -> None:
    for words in (
        ("--keep-ring", "--erase-counts"), ("--micropython", str(file), "--download"),
        ("--baud", "fast"),
    ):  # fmt: skip
        assert say(*words)[0] == 2


def test_the_format_of_the_ring_is_the_firmware_s() -> None:
    source = (boards.ROOT / "lib" / "ring" / "region.py").read_text()
    assert f"_FORMAT = const({flash_plan.RING_FORMAT})" in source
    ring = (boards.ROOT / "lib" / "ring" / "ring.py").read_text()
    assert all(repr(magic)[1:].strip("'") in ring for magic in (b"TPC1", b"TPR1"))
