# heap: 512k
"""The code for every frame, edge and passage must not touch the heap."""

from binascii import unhexlify

import micropython

from beam.edges import Beam, EdgeLog
from console.live_view import Live
from console_node import SerialNode
from fake_spi import Bus, Line
from passage.planar_tracker import PlanarTracker
from passage.speed_bursts import SpeedBurstTracker
from passage.tracker import Tracker
from radar import ld2450
from radar.ld2451 import Reports
from radar.lines import Lines
from radar.view import DopplerView, LD2451View, OPS243View
from radio.chip import Chip
from wire.record import MAX_BYTES, Interval


def _one_report():
    frames = Reports()
    data = unhexlify("F4F3F2F1070001018A10011422F8F7F6F5")
    space = frames.space()
    space[: len(data)] = data
    frames.added(len(data))
    return frames


def test_a_radar_frame_is_parsed_and_tracked_without_allocation():
    frames, tracker = _one_report(), Tracker(8)
    micropython.heap_lock()
    try:
        assert frames.next() == 1
        at = frames.at
        buf = frames.buf
        for i in range(12):  # comes from 16 m and crosses the line
            metres, t_ms = buf[at + 1] - i, 1000 + 150 * i
            tracker.detect(metres, 0, buf[at + 3], buf[at] - 128, t_ms, snr=buf[at + 4])
        assert len(tracker.queue) == 1
        tracker.expire(9000)
        tracker.misaligned()
        assert frames.next() == 0
    finally:
        micropython.heap_unlock()


def _given(parser, data):
    space = parser.space()
    space[: len(data)] = data
    parser.added(len(data))


def test_a_frame_beside_a_path_is_parsed_and_tracked_without_allocation():
    frames, tracker = ld2450.Reports(), PlanarTracker()
    _given(frames, unhexlify("AAFF03000E03B186100040010000000000000000000000000000000055CC"))
    micropython.heap_lock()
    try:
        assert frames.next() == 1 and frames.count == 3
        for i in range(14):
            tracker.detect(-900 + 140 * i, 2000, 1000 + 100 * i)
        assert len(tracker.queue) == 1
        tracker.expire(9000)
        tracker.misaligned()
    finally:
        micropython.heap_unlock()


def test_a_line_of_a_doppler_radar_is_parsed_and_followed_without_allocation():
    lines, bursts = Lines(), SpeedBurstTracker()
    _given(lines, b"606.71,-10.90\r\n" * 3)
    micropython.heap_lock()
    try:
        for i in range(3):
            assert lines.next() == 1
            bursts.detect(lines.last // 10, lines.first // 100, 1000 + 156 * i)
        bursts.expire(9000)
        assert len(bursts.queue) == 1
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
        interval.add(1, 2, 503, 12)
        assert interval.pack_into(buf) > 29
    finally:
        micropython.heap_unlock()


def test_a_view_of_a_radar_notes_a_report_without_allocation():
    frames, view = _one_report(), LD2451View(1)
    assert frames.next() == 1
    micropython.heap_lock()
    try:
        view.note(frames)
    finally:
        micropython.heap_unlock()
    assert view.pop_targets() == [{"deg": 10, "m": 16, "near": True, "kmh": 20, "snr": 34}]


def test_a_view_of_a_doppler_radar_notes_a_report_without_allocation():
    lines, line_view, pulse_view = Lines(), OPS243View(), DopplerView()
    _given(lines, b"606.71,-10.90\r\n")
    assert lines.next() == 1
    micropython.heap_lock()
    try:
        line_view.note(lines)
        pulse_view.note(345)
    finally:
        micropython.heap_unlock()
    assert line_view.pop_targets() == [{"kmh": 10.9, "mag": 606, "near": False}]
    assert pulse_view.pop_targets() == [{"kmh": 34.5}]


def test_the_live_view_notes_a_passage_without_allocation():
    node = SerialNode()
    node.board.led = lambda _on: None
    live, passage = Live(node, 1, None), (0, 2, 402, 0, -1, 402)
    micropython.heap_lock()
    try:
        live.passed(passage)
    finally:
        micropython.heap_unlock()
    assert live.passages == 1
