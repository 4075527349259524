"""`tallypost flash` on a board behind a port: what is written, what stays, what is refused."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flash_board import FlashBoard, table_of
from genuine import genuine, made_up
from littlefs import LittleFS
from mock_board import SECTOR, own_answers

from tools import boards, build, flash, flash_plan, image, micropython, ports
from tools.partitions import TABLE_OFFSET, TABLE_SIZE, pack
from tools.tallypost import main

NAME = "esp32_generic"
BOARD = boards.load(NAME)
VFS, RING, NVS = (BOARD.partition(label) for label in ("vfs", "ring", "nvs"))
LIMIT = 200_000
LOG = b"TPC1" + (1).to_bytes(2, "little") + b"counts of ours" * 9
IDENTITY = b"identity of ours"
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with own_answers():
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mp.bin"
    path.write_bytes(made_up(BOARD))
    return path


@pytest.fixture
def blank() -> Iterator[FlashBoard]:
    board = FlashBoard(NAME)
    yield board
    board.close()


def whole(vfs: bytes, data: bytes) -> bytes:
    return image.flash(BOARD, vfs, data)


def built_vfs() -> bytes:
    return (build.build(NAME).folder / "vfs.bin").read_bytes()


@pytest.fixture
def node(file: Path) -> Iterator[FlashBoard]:
    """A board that has been flashed, provisioned, and has counted."""
    board = FlashBoard(NAME, cells=whole(built_vfs(), file.read_bytes()))
    board.put(NVS.offset, IDENTITY)
    board.put(RING.offset, LOG)
    yield board
    board.close()


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main(["flash", *words])
        except SystemExit as end:
            status = int(str(end.code))
        out, err = capsys.readouterr()
        return status, out, err

    return run


def facts(say: Say, *words: str) -> dict[str, Any]:
    status, out, err = say(*words, "--json")
    assert status == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def files_of(vfs: bytes) -> dict[str, bytes]:
    fs = LittleFS(block_size=SECTOR, block_count=len(vfs) // SECTOR, mount=False)
    fs.context.buffer[:] = vfs
    fs.mount()
    found = {}
    for folder, _, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as file:
                found[path.lstrip("/")] = file.read()
    return found


def release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, bytes]) -> bytes:
    """What `flash` finds built from now on: other files."""
    vfs = image.file_system(files, VFS.size)
    folder = tmp_path / "release"
    folder.mkdir(exist_ok=True)
    (folder / "vfs.bin").write_bytes(vfs)
    monkeypatch.setattr(flash, "build", lambda _name: build.Built(folder, {}, True))
    return vfs


# --- what is written


def test_a_blank_board_gets_everything(blank: FlashBoard, file: Path, say: Say) -> None:
    status, out, err = say("--port", blank.url, "--micropython", str(file))
    assert status == 0 and "written and compared" in out and "tallypost provision" in err
    wanted = whole(built_vfs(), file.read_bytes())
    assert blank.at(0, VFS.offset) == wanted[: VFS.offset]
    assert files_of(blank.at(VFS.offset, VFS.size)) == files_of(built_vfs())
    assert blank.at(RING.offset, RING.size) == b"\xff" * RING.size
    status, out, _ = say("--port", blank.url)
    assert status == 0 and "nothing to write: all is there; identity and counts kept" in out


def test_the_genuine_file_goes_on_as_it_is(blank: FlashBoard, say: Say) -> None:
    data = genuine().read_bytes()
    status, _, err = say("--port", blank.url, "--micropython", str(genuine()))
    assert status == 0 and "note: MicroPython 1.25.0 has no pulse counter" in err
    at = BOARD.loader_offset
    assert blank.at(at, TABLE_OFFSET - at) == data[: TABLE_OFFSET - at]
    assert blank.at(0x10000, len(data) - 0xF000) == data[0xF000:]
    assert blank.at(TABLE_OFFSET, TABLE_SIZE) == pack(BOARD.partitions)


def test_an_update_of_a_module_writes_little_and_keeps_the_rest(
    node: FlashBoard, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_of(built_vfs())
    for name in ("a/counting.mpy", "a/version.mpy"):
        files[name] = files[name][:-9] + b"new build"
    vfs = release(monkeypatch, tmp_path, files)
    found = facts(say, "--port", node.url)
    assert found["kept"] == ["nvs", "ring"] and not found["first"]
    assert found["bytes"] == sum(one["bytes"] for one in found["writes"]) <= LIMIT
    assert len(set(node.flash.sectors)) * SECTOR <= LIMIT and node.flash.wire <= LIMIT
    assert files_of(node.at(VFS.offset, VFS.size)) == files == files_of(vfs)
    assert node.at(NVS.offset, len(IDENTITY)) == IDENTITY
    assert node.at(RING.offset, len(LOG)) == LOG


def test_an_update_of_every_file_stays_below_the_limit_on_the_wire(
    node: FlashBoard, say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        name: data[:-1] + bytes([data[-1] ^ 1]) if data else data
        for name, data in files_of(built_vfs()).items()
    }
    vfs = release(monkeypatch, tmp_path, files)
    status, _, err = say("--port", node.url)
    assert status == 0, err
    assert 0 < node.flash.wire <= LIMIT
    programmed = sum(len(part) - part.count(0xFF) for _, part in flash_plan.used(vfs))
    assert programmed <= LIMIT
    assert files_of(node.at(VFS.offset, VFS.size)) == files


def test_what_is_not_used_may_hold_anything() -> None:
    """The blocks that are not written: LittleFS reads none of them."""
    vfs = built_vfs()
    garbage = bytearray(random.Random(1).randbytes(len(vfs)))
    for start, part in [(0, vfs[: 2 * SECTOR]), *flash_plan.used(vfs)]:
        garbage[start : start + len(part)] = part
    assert garbage != vfs and files_of(bytes(garbage)) == files_of(vfs)


def test_a_dry_run_tells_and_writes_nothing(blank: FlashBoard, file: Path, say: Say) -> None:
    words = ("--port", blank.url, "--micropython", str(file), "--dry-run")
    status, out, _ = say(*words)
    assert status == 0 and "would be written" in out and "0x010000" in out
    assert blank.flash.changed == 0
    found = facts(say, *words)
    assert found["dry_run"] and found["first"] and found["bytes"] > 400_000
    names = [one["what"] for one in found["writes"]]
    assert names[-2:] == ["partition table", "loader"]


def test_counts_go_only_when_that_is_asked_for(node: FlashBoard, say: Say) -> None:
    assert facts(say, "--port", node.url, "--keep-ring")["kept"] == ["nvs", "ring"]
    assert node.at(RING.offset, len(LOG)) == LOG
    found = facts(say, "--port", node.url, "--erase-counts")
    assert found["kept"] == ["nvs"]
    assert node.at(RING.offset, RING.size) == b"\xff" * RING.size
    assert node.at(NVS.offset, len(IDENTITY)) == IDENTITY


def test_the_board_s_own_micropython_stays_when_no_file_is_there(
    node: FlashBoard, say: Say
) -> None:
    before = node.at(0, VFS.offset)
    assert facts(say, "--port", node.url)["micropython"] is None
    assert node.at(0, VFS.offset) == before


def test_the_cached_file_of_the_board_is_used(say: Say, tmp_path: Path, file: Path) -> None:
    board = boards.load("esp32c3_rak3172")
    named = tmp_path / board.micropython.file
    named.write_bytes(made_up(board))
    micropython.add(named, board)
    blank = FlashBoard(board.name)
    try:
        found = facts(say, "--board", board.name, "--port", blank.url)
    finally:
        blank.close()
    assert found["micropython"] == "1.28.0" and found["first"]
    assert blank.at(0, 3) == named.read_bytes()[:3]


@pytest.mark.parametrize("name", boards.names())
def test_every_board_can_be_flashed(name: str, say: Say, tmp_path: Path) -> None:
    board = boards.load(name)
    path = tmp_path / "mp.bin"
    path.write_bytes(made_up(board))
    blank = FlashBoard(name)
    try:
        found = facts(say, "--board", name, "--port", blank.url, "--micropython", str(path))
    finally:
        blank.close()
    assert found["chip"] == board.chip and found["flash_mb"] == board.flash_size >> 20
    data = path.read_bytes()
    split = TABLE_OFFSET - board.loader_offset
    assert blank.at(board.loader_offset, 100) == data[:100]
    assert blank.at(TABLE_OFFSET, TABLE_SIZE) == pack(board.partitions)
    assert blank.at(0x10000, 100) == data[split + 0x8000 :][:100]


# --- what is refused, in one line


def refused(answer: tuple[int, str, str], text: str, status: int = 1) -> None:
    assert answer[0] == status and answer[1] == "", answer
    lines = [line for line in answer[2].splitlines() if not line.startswith("note:")]
    assert lines == [f"error: {text}"]


def test_the_wrong_chip(file: Path, say: Say) -> None:
    other = FlashBoard(NAME, chip="esp32s3")
    try:
        answer = say("--port", other.url, "--micropython", str(file))
    finally:
        other.close()
    refused(
        answer, f"{other.url}: the chip is an esp32s3, esp32_generic has an esp32."
        " name the right --board",
    )  # fmt: skip
    assert other.flash.changed == 0


def test_a_flash_that_is_too_small(file: Path, say: Say) -> None:
    small = FlashBoard(NAME, cells=b"\xff" * (2 << 20))
    try:
        answer = say("--port", small.url, "--micropython", str(file))
    finally:
        small.close()
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
    board = FlashBoard(NAME, cells=stock(file.read_bytes()))
    try:
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
    finally:
        board.close()


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
        monkeypatch.setattr("tools.rom.serial.serial_for_url", denied(number))
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
        monkeypatch.setattr(ports, "found", lambda: found)

    connected()
    refused(
        say(), "no board is connected. plug one in with a data cable; tallypost doctor knows more"
    )
    connected("/dev/ttyUSB0", "/dev/ttyUSB1")
    refused(say(), "2 ports: /dev/ttyUSB0, /dev/ttyUSB1. name one with --port")
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
