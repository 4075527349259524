"""What runs for every frame, edge and passage must not touch the heap."""

from binascii import unhexlify

import micropython

from aiming import Live
from beam.edges import Beam, EdgeLog
from fake_spi import Bus, Line
from passage.tracker import Tracker
from radar.ld2451 import Reports
from radar.view import Along
from radio.chip import Chip
from serial_node import SerialNode
from wire.record import MAX_BYTES, Interval


def test_a_radar_frame_is_parsed_and_tracked_without_allocation():
    frames, tracker = Reports(), Tracker(8)
    data = unhexlify("F4F3F2F1070001018A10011422F8F7F6F5")
    space = frames.space()
    space[: len(data)] = data
    frames.added(len(data))
    micropython.heap_lock()
    try:
        assert frames.next() == 1
        at = frames.at
        buf = frames.buf
        tracker.detect(buf[at + 1], 0, buf[at + 3], buf[at] - 128, 1000)
        tracker.detect(buf[at + 1] - 1, 0, buf[at + 3], buf[at] - 128, 1100)
        tracker.expire(1100)
        assert frames.next() == 0
    finally:
        micropython.heap_unlock()


def test_an_edge_is_stored_without_allocation():
    log, beam = EdgeLog(), Beam(5000, 120_000)
    micropython.heap_lock()
    try:
        log.store(1, 0)
        assert log.next() and log.beam == 1
        beam.edge(True, 1000)
        beam.edge(False, 50_000)
        beam.settle(400_000)
        assert beam.count == 1
    finally:
        micropython.heap_unlock()


def test_an_interrupt_of_a_radio_allocates_nothing():
    bus = Bus()
    dio = Line()
    chip = Chip(bus, bus.cs, Line(), (dio, None))
    chip._arm()
    micropython.heap_lock()
    try:
        dio.handler(dio)
        dio.handler(dio)
    finally:
        micropython.heap_unlock()
    assert chip.irq_us is not None


def test_a_passage_is_counted_without_allocation():
    interval, buf = Interval(), bytearray(MAX_BYTES)
    interval.start = 1_000_000
    micropython.heap_lock()
    try:
        interval.add(1, 2, 503)
        assert interval.pack_into(buf) > 29
    finally:
        micropython.heap_unlock()


def test_who_watches_a_radar_takes_its_report_without_allocation():
    frames, view = Reports(), Along(1)
    data = unhexlify("F4F3F2F1070001018A10011422F8F7F6F5")
    space = frames.space()
    space[: len(data)] = data
    frames.added(len(data))
    assert frames.next() == 1
    micropython.heap_lock()
    try:
        view.note(frames)
    finally:
        micropython.heap_unlock()
    assert view.take() == [{"deg": 10, "m": 16, "near": True, "kmh": 20, "snr": 34}]


def test_who_watches_passages_is_told_without_allocation():
    node = SerialNode()
    node.board.led = lambda _on: None
    live, passage = Live(node, 1, None), (0, 2, 402, 0, -1, 402)
    micropython.heap_lock()
    try:
        live.passed(passage)
    finally:
        micropython.heap_unlock()
    assert live.passages == 1
