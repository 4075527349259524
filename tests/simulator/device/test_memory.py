"""The two heaps of the simulated chip, as a program on it sees them."""

from __future__ import annotations

from pathlib import Path

from tests.support.boards.seam_board import board

HEAPS = """
import esp32, gc
def idf():
    rows = esp32.idf_heap_info(esp32.HEAP_DATA)
    return sum(row[1] for row in rows), max(row[2] for row in rows)
"""


def test_a_fresh_board_has_the_figures_of_the_binary(tmp_path: Path) -> None:
    log, _ = board(tmp_path, HEAPS + "gc.collect()\nprint(gc.mem_alloc(), gc.mem_free(), *idf())")
    used, free, idf_free, largest = map(int, log.lines()[0].split())
    assert 3_800 <= used < 6_000  # 3808 at the prompt, and the script
    assert used + free == 56_000 + 110_592
    assert (idf_free, largest) == (142_572, 110_592)


def test_the_heap_grows_by_its_own_size_and_never_shrinks(tmp_path: Path) -> None:
    script = (
        HEAPS
        + """
kept = [bytearray(1000) for _ in range(70)]
gc.collect()
print(gc.mem_alloc(), *idf())
kept = None
gc.collect()
print(gc.mem_alloc(), *idf())
"""
    )
    log, _ = board(tmp_path, script)
    full, empty = ([int(text) for text in line.split()] for line in log.lines())
    assert full[0] > 57_000 and empty[0] < 10_000
    assert full[1:] == empty[1:] == [142_572 - 57_348, 55_296]


def test_more_than_both_heaps_is_a_memory_error(tmp_path: Path) -> None:
    script = """
kept = []
try:
    while True:
        kept.append(bytearray(1000))
        print(len(kept))
except MemoryError:
    kept = None
    print("refused")
"""
    log, _ = board(tmp_path, script)
    assert log.lines()[-1] == "refused"
    assert 120 < int(log.lines()[-2]) < 260


def test_garbage_does_not_grow_the_heap(tmp_path: Path) -> None:
    script = (
        HEAPS
        + """
import time
for _ in range(3000):
    bytearray(1000)
    time.sleep_ms(10)
print(*idf())
"""
    )
    log, node = board(tmp_path, script, seconds=120)
    assert log.lines()[0] == "142572 110592"
    assert node.memory.figures()["gc_growth_after_60s"] == 0


def test_growth_in_service_and_the_least_figures_are_reported(tmp_path: Path) -> None:
    script = """
import gc, time
time.sleep(70)
gc.collect()
time.sleep(1)
kept = [bytearray(1000) for _ in range(70)]
gc.collect()
"""
    _, node = board(tmp_path, script, seconds=80)
    figures = node.memory.figures()
    assert figures["gc_growth_after_60s"] == 57_344
    assert figures["idf_largest_min"] == 55_296
    assert figures["gc_free_min"] is not None and figures["gc_free_min"] < 50_000


def test_the_network_is_dead_when_esp_idf_has_no_block_left(tmp_path: Path) -> None:
    """-203 is lwIP's EAI_MEMORY, and `select` of ESP-IDF allocates as well."""
    script = """
import gc, machine, network, select, socket, time
wlan = network.WLAN(network.STA_IF)
one = socket.socket()
poll = select.poll()
poll.register(one)
print(len(socket.getaddrinfo("192.0.2.7", 80)), poll.poll(0))
time.sleep(6)
gc.mem_free()
for call in (
    lambda: socket.getaddrinfo("192.0.2.7", 80),
    lambda: one.connect(("192.0.2.7", 80)),
    lambda: poll.poll(0),
    lambda: machine.UART(1, 9600, rxbuf=8192),
    lambda: wlan.active(True),
):
    try:
        call()
        print("none")
    except OSError as error:
        print(error.errno)
"""
    log, _ = board(tmp_path, script, seconds=20, starved_s=5)
    assert log.lines() == ["1 []", "-203", "12", "5", "12", "257"]


def test_a_drivers_buffer_is_taken_and_given_back(tmp_path: Path) -> None:
    script = (
        HEAPS
        + """
import machine
before = idf()[0]
uart = machine.UART(1, 9600, rxbuf=4096)
print(before - idf()[0])
uart.init(9600, rxbuf=256)
print(before - idf()[0])
uart.deinit()
print(before - idf()[0])
"""
    )
    log, _ = board(tmp_path, script)
    large, small, none = map(int, log.lines())
    assert 5_700 < large < 5_800 and 1_900 < small < 1_950 and none == 0  # measured: 5756, 1916


TLS = (
    HEAPS
    + """
import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.verify_mode = ssl.CERT_NONE
def session():
    return context.wrap_socket(socket.socket(), False, False, "broker")
"""
)


def test_a_tls_session_takes_its_memory_from_esp_idf_and_gives_it_back(tmp_path: Path) -> None:
    script = (
        TLS
        + """
before = idf()[0]
stream = session()
print(before - idf()[0])
stream.close()
print(before - idf()[0])
"""
    )
    log, _ = board(tmp_path, script)
    assert 24_000 < int(log.lines()[0]) < 27_000 and int(log.lines()[1]) == 0


def test_without_a_block_for_a_record_there_is_no_session(tmp_path: Path) -> None:
    script = (
        TLS
        + """
from machine import UART
uart = UART(1, 9600, rxbuf=100_000)
free = idf()[0]
try:
    session()
except OSError as error:
    print(error.errno, free - idf()[0])
"""
    )
    log, _ = board(tmp_path, script)
    assert log.lines()[-1] == "12 0"
