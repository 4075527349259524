"""ESP-IDF's heap, against the figures of the genuine binary (v1.25.0 on an emulated ESP32)."""

from __future__ import annotations

import random

import pytest

from simulator.world.chip.idf_heap import (
    NETIF_BYTES, UART_BYTES, WIFI_BYTES, IdfHeap, plan_for,
)  # fmt: skip

CLASSIC = plan_for("esp32")


def test_free_and_largest_block_are_those_of_the_binary_step_by_step() -> None:
    heap = IdfHeap(CLASSIC)
    assert (heap.free, heap.largest) == (142_572, 110_592)
    assert heap.take("uart", 2048, UART_BYTES)
    assert heap.free == pytest.approx(138_864, abs=100)
    assert heap.grow(2000, CLASSIC.area) == CLASSIC.area
    assert (heap.free, heap.largest) == (pytest.approx(81_500, abs=100), 55_296)
    assert heap.take_small("netif", NETIF_BYTES)
    assert heap.free == pytest.approx(77_212, abs=100)
    assert heap.take_small("wifi", WIFI_BYTES)
    assert (heap.free, heap.largest) == (pytest.approx(43_292, abs=200), 40_960)


def test_the_gc_heap_takes_the_last_block_and_wifi_is_left_with_nothing() -> None:
    heap = IdfHeap(CLASSIC)
    area = CLASSIC.area + heap.grow(2000, CLASSIC.area)
    heap.take_small("wifi", WIFI_BYTES + NETIF_BYTES)
    taken = heap.grow(1000, area)
    assert taken < area and heap.largest < 2048
    assert heap.grow(1000, area + taken) == 0
    assert not heap.take("socket", 2048)


def test_a_block_as_large_as_needed_is_taken_when_that_is_more_than_the_heap() -> None:
    heap = IdfHeap(CLASSIC)
    assert heap.grow(100_000, 57_344) == 100_000 + 100_000 * 13 // 512
    assert heap.grow(20_000, 160_000) == 0


def test_all_or_none_of_several_blocks_is_taken() -> None:
    heap = IdfHeap(CLASSIC)
    assert not heap.take("tls", 100_000, 100_000)
    assert (heap.free, heap.largest) == (142_572, 110_592)


def test_everything_given_back_leaves_the_heap_as_it_was() -> None:
    heap, rng = IdfHeap(CLASSIC), random.Random(3)
    for _ in range(500):
        owner = rng.randrange(20)
        if rng.random() < 0.5:
            heap.take(owner, *(rng.randrange(16, 9000) for _ in range(rng.randrange(1, 5))))
        else:
            heap.give_back(owner)
        assert 0 <= heap.largest <= heap.free
    for owner in range(20):
        heap.give_back(owner)
    assert heap.info() == IdfHeap(CLASSIC).info()
    assert heap.free_min < heap.free


def test_packets_are_kept_until_they_are_acknowledged() -> None:
    heap = IdfHeap(CLASSIC)
    free = heap.free
    assert heap.send_packet(0, 1460) and heap.free < free - 1460
    assert heap.send_packet(10_000_000, 10)
    assert heap.free > free - 200


def test_a_board_with_psram_has_megabytes() -> None:
    assert IdfHeap(plan_for("esp32", psram=True)).largest > 3_000_000
    for chip in ("esp32s3", "esp32c3", "esp32"):
        assert IdfHeap(plan_for(chip)).largest > 64_000
