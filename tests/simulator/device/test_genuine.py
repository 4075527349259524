"""Details in which the first shims differed from a genuine binary (v1.25.0, emulated ESP32)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.boards.seam_board import board


def test_sleep_us_floors_by_a_microsecond(tmp_path: Path) -> None:
    script = """
import time
time.sleep_ms(10)  # the start is over
a = time.ticks_us()
time.sleep_us(300)
b = time.ticks_us()
time.sleep_ms(2)
print(b - a, time.ticks_us() - b)
"""
    log, _ = board(tmp_path, script)
    assert log.lines() == ["299 2001"]


def test_a_function_that_calls_itself_gets_the_levels_of_the_chip(tmp_path: Path) -> None:
    script = """
def deeper(level):
    try:
        return deeper(level + 1)
    except RuntimeError:
        return level
print(deeper(0))
"""
    log, _ = board(tmp_path, script)
    assert 44 <= int(log.lines()[0]) <= 52  # 48, measured


def test_reads_of_the_flash_take_time(tmp_path: Path) -> None:
    script = """
import esp32, time
ring = esp32.Partition.find(1, label="ring")[0]
buf = bytearray(32)
start = time.ticks_us()
for _ in range(1000):
    ring.readblocks(0, buf, 0)
time.sleep_ms(1)
print(time.ticks_us() - start)
"""
    log, _ = board(tmp_path, script)
    assert int(log.lines()[0]) == pytest.approx(51_000, abs=1000)


def test_the_frozen_umqtt_stands_before_lib(tmp_path: Path) -> None:
    script = """
import gc
gc.collect()
before = gc.mem_alloc()
from umqtt import simple
import umqtt.simple
gc.collect()
print(simple.__file__.startswith("/lib"), simple is umqtt.simple, gc.mem_alloc() - before < 500)
"""
    log, _ = board(tmp_path, script)
    assert log.lines() == ["False True True"]


def test_a_key_too_long_is_refused_when_written_and_cut_when_read(tmp_path: Path) -> None:
    script = """
from esp32 import NVS
nvs = NVS("x")
nvs.set_i32("k" * 15, 7)
print(nvs.get_i32("k" * 16))
for call in (lambda: nvs.set_i32("k" * 16, 1), lambda: nvs.set_i32("n", -(2**31))):
    try:
        call()
    except (OSError, OverflowError) as error:
        print(type(error).__name__)
"""
    log, _ = board(tmp_path, script)
    assert log.lines() == ["7", "OSError", "OverflowError"]
