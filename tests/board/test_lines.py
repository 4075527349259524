"""DTR and RTS in the auto-reset circuit of the DevKit, and over the network."""

from __future__ import annotations

import time

import pytest
from tests.support.boards.bench import Listener, Make, until

from simulator.board.lines import HOLD_S, AutoReset

BOOTS, LOADS = b"SPI_FAST_FLASH_BOOT", b"waiting for download"


def test_the_lines_set_en_and_io0_as_in_the_table_of_the_circuit() -> None:
    levels = {}
    for dtr, rts in ((False, False), (True, True), (True, False), (False, True)):
        lines = AutoReset()
        lines.set(dtr, rts)
        levels[dtr, rts] = (lines.en, lines.io0)
    assert levels == {
        (False, False): (True, True), (True, True): (True, True),
        (True, False): (True, False), (False, True): (False, True),
    }  # fmt: skip


def test_the_capacitor_keeps_en_low_between_reset_and_loader() -> None:
    lines = AutoReset()
    for dtr, rts in ((False, True), (True, True)):
        lines.set(dtr, rts)
    assert not lines.en and 0 < lines.settle() <= HOLD_S
    lines.set(True, False)
    assert lines.en and not lines.strap and lines.settle() == 0
    lines.set(False, False)
    assert lines.en and not lines.strap


def test_with_both_lines_asserted_for_longer_the_flash_boots(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    lines = AutoReset()
    lines.set(False, True)
    lines.set(True, True)
    clock[0] += HOLD_S + 0.01
    assert lines.settle() == 0 and lines.en and lines.strap


def test_a_terminal_program_resets_and_loads_over_the_network(make: Make) -> None:
    board = make(terminal=False)
    with Listener(board.url) as somebody:
        somebody.lines(dtr=False, rts=True)
        somebody.lines(dtr=False, rts=False)
        somebody.read_until(BOOTS)
        somebody.lines(dtr=False, rts=True)
        somebody.lines(dtr=True, rts=True)
        somebody.lines(dtr=True, rts=False)
        assert BOOTS not in somebody.read_until(LOADS)
        somebody.lines(dtr=False, rts=False)
        somebody.lines(dtr=False, rts=True)
        somebody.lines(dtr=False, rts=False)
        somebody.read_until(BOOTS)
    resets = board.resets
    with Listener(board.url) as somebody:  # opening and closing is no reset
        somebody.write(b"\x03")
        somebody.read_until(b">>> ")
    with Listener(board.url) as somebody:
        somebody.write(b"\r")
        somebody.read_until(b">>> ")
    until(lambda: board.resets == resets)
