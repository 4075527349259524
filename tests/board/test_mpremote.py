"""Unmodified mpremote against the running image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.boards.bench import Listener, Make, mpremote, run, until

from simulator.board.life import Environment
from simulator.run.processes.observer import NodeObserver
from tallypost.hardware import boards
from tallypost.provisioning.provision import Identity, provision


def test_files_are_copied_both_ways_and_survive_a_reset(tmp_path: Path, make: Make) -> None:
    board = make()
    listing = mpremote(board, "fs", "ls", "/a").out
    assert "node.mpy" in listing and "board.mpy" in listing
    there, back = tmp_path / "there.bin", tmp_path / "back.bin"
    there.write_bytes(bytes(range(256)) * 40)
    assert mpremote(board, "cp", there, ":note.bin").status == 0
    assert mpremote(board, "reset").status == 0
    assert mpremote(board, "cp", ":note.bin", back).status == 0
    assert back.read_bytes() == there.read_bytes()
    assert "note.bin" in mpremote(board, "rm", ":note.bin", "+", "fs", "ls", "/a").out
    assert "No such file" in mpremote(board, "cat", ":note.bin").out


def test_programs_run_and_their_errors_are_shown(tmp_path: Path, make: Make) -> None:
    board = make()
    script = tmp_path / "long.py"
    script.write_text("import time\nfor i in range(3):\n    print(i)\n" + "# filler\n" * 2000)
    assert mpremote(board, "run", script).out == "0\n1\n2\n"
    failed = mpremote(board, "exec", "print('before'); 1/0")
    assert failed.status == 1 and "before" in failed.out and "ZeroDivisionError" in failed.out
    assert mpremote(board, "eval", "2**70").out.strip() == str(2**70)


def test_resume_keeps_the_interpreter_and_a_soft_reset_does_not(make: Make) -> None:
    board = make()
    assert mpremote(board, "exec", "kept = 5").status == 0
    assert mpremote(board, "resume", "exec", "print(kept)").out.strip() == "5"
    assert mpremote(board, "soft-reset").status == 0
    assert "NameError" in mpremote(board, "resume", "exec", "print(kept)").out
    cause = "import machine; print(machine.reset_cause())"
    assert mpremote(board, "resume", "exec", cause).out.strip() == "5"
    assert mpremote(board, "reset").status == 0
    assert mpremote(board, "resume", "exec", cause).out.strip() == "2"
    assert board.resets == 1  # a reset by the chip itself shows at no line


def test_ctrl_c_reaches_a_program_that_never_waits(make: Make) -> None:
    board = make()
    busy = "i = 0\nwhile True:\n    i += 1\n"
    assert mpremote(board, "exec", "--no-follow", busy).status == 0
    assert mpremote(board, "resume", "eval", "i > 1000").out.strip() == "True"


def test_mpremote_works_over_the_network(make: Make) -> None:
    board = make()
    assert "main.py" in run("mpremote", "connect", board.url, "fs", "ls").out


def test_running_firmware_stops_at_ctrl_c_and_counts_again_after_ctrl_d(
    tmp_path: Path, make: Make
) -> None:
    ring = boards.load("esp32_generic").partition("ring")
    observer = NodeObserver((ring.offset, ring.size))
    board = make()
    board.unplug()
    config = {"detector": "beam", "mqtt_host": "broker", "console": "open"}
    provision(board.flash, Identity("n1", config, wifi_ssid="street", wifi_pass="of-the-test"))
    board.environment = replace(Environment(), observer=observer)
    board.plug()
    with Listener(board.path) as somebody:
        somebody.read_until(b"n1 ")
        until(lambda: len(observer.passages) >= 1)
        somebody.write(b"\x03")
        stopped = somebody.read_until(b">>> ")
        assert b"KeyboardInterrupt: \r\nMicroPython v1." in stopped
        counted = len(observer.passages)
        somebody.write(b"\x04")
        assert b" on esp32_generic\r\n" in somebody.read_until(b" bytes free\r\n")
        until(lambda: len(observer.passages) > counted)
    assert observer.faults == [] or all("KeyboardInterrupt" in text for text in observer.faults)
