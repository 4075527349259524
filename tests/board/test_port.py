"""The serial port itself: one client, gone with the cable, output without a client is lost."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
import serial
from tests.support.boards.bench import Listener, Make, mpremote, run, until

from simulator.board.__main__ import main as board_main
from simulator.board.board import VirtualBoard
from simulator.board.stock import blank, flashed
from tallypost.faults import ToolError
from tallypost.hardware import boards


def test_a_second_client_is_refused(make: Make) -> None:
    board = make(terminal=False)
    with Listener(board.url) as first:
        with pytest.raises(OSError):
            serial.serial_for_url(board.url)
        first.write(b"\x03")
        first.read_until(b">>> ")


def test_without_the_cable_there_is_no_port(make: Make) -> None:
    board = make()
    url, path = board.url, board.path
    assert path.exists()
    board.unplug()
    with pytest.raises(serial.SerialException):
        serial.serial_for_url(url)
    assert mpremote(board, "fs", "ls").status != 0
    board.plug()
    assert board.url == url
    assert mpremote(board, "exec", "print(1)").out.endswith("1\n")
    board.unplug()
    assert not path.exists()


@pytest.mark.parametrize("address", ["url", "path"])
def test_output_without_a_client_is_lost(address: str, make: Make) -> None:
    board = make()
    board.send(b"lost" * 30_000)
    with Listener(getattr(board, address)) as later:
        later.write(b"\x03")
        later.read_until(b">>> ")
        board.send(b"found")
        assert b"lost" not in later.read_until(b"found")


def test_a_link_to_the_terminal_exists_while_the_board_is_plugged(
    tmp_path: Path, make: Make
) -> None:
    link = tmp_path / "ttyV0"
    board = make(terminal=link)
    assert board.path == link and link.is_symlink()
    assert run("mpremote", "connect", link, "exec", "print(7)").out == "7\n"
    board.unplug()
    assert not link.is_symlink()


def test_every_board_has_a_mac_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    board = boards.load("esp32_generic")
    one, two = (VirtualBoard(board.name, blank(board, tmp_path / name)) for name in ("a", "b"))
    assert one.mac != two.mac and len(one.mac) == 6
    assert one.mac == VirtualBoard(board.name, tmp_path / "a").mac


def test_a_file_of_another_size_or_a_busy_port_is_refused(tmp_path: Path) -> None:
    short = tmp_path / "short.bin"
    short.write_bytes(b"\xff" * 4096)
    with pytest.raises(ToolError, match="4096 bytes, esp32_generic has 4194304"):
        VirtualBoard("esp32_generic", short).__enter__()
    with socket.socket() as taken, pytest.raises(OSError):
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        flash = blank(boards.load("esp32_generic"), tmp_path / "flash.bin")
        VirtualBoard("esp32_generic", flash, number=taken.getsockname()[1]).__enter__()


def test_a_board_may_be_closed_at_any_moment_of_its_start(tmp_path: Path) -> None:
    flash = flashed(boards.load("esp32_generic"), tmp_path / "flash.bin")
    for wait_s in (0, 0.01, 0.1, 0.2, 0.3, 0.4, 0.6):
        with VirtualBoard("esp32_generic", flash, terminal=True) as board:
            time.sleep(wait_s)
        assert board.error is None


def test_the_board_starts_again_after_every_plug(make: Make) -> None:
    board = make()
    for count in (1, 2, 3):
        until(lambda: board.resets == count)  # noqa: B023
        board.unplug()
        board.plug()


def test_a_second_board_on_the_same_flash_file_is_refused_until_the_first_is_gone(
    tmp_path: Path, make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    first = make(is_blank=True)
    with pytest.raises(ToolError, match="another virtual board uses this flash file"):
        VirtualBoard("esp32_generic", first.flash).__enter__()
    before = first.flash.read_bytes()
    assert board_main(["--flash", str(first.flash), "--blank", "--broker", "127.0.0.1:1"]) == 2
    assert "another virtual board uses this flash file" in capsys.readouterr().err
    assert first.flash.read_bytes() == before
    other = blank(boards.load("esp32_generic"), tmp_path / "again.bin")
    for _ in range(2):
        with VirtualBoard("esp32_generic", other):
            pass
