"""Detectors with one and two beams, played with made edges on a virtual clock."""

import asyncio

import beam.dual
import beam.edges
import beam.single
from beam.dual import DualBeam
from beam.edges import Beam
from beam.single import SingleBeam
from board_parts import FakePin, beam_settings
from sensor_line import VirtualTime


class Gate:
    """Plays edges at made times into a detector with two beams, or one."""

    def __init__(self, kind=DualBeam, **changes):
        self.clock = VirtualTime(beam.dual, beam.edges, beam.single, now_ms=5000)
        self.a, self.b = FakePin(), FakePin()
        pins = (self.a, self.b) if kind is DualBeam else (self.a,)
        self.detector = kind(*pins, beam_settings(**changes))
        asyncio.run(self.detector.start())

    def play(self, edges):
        """edges: (t in ms from now, 'A' or 'B', level). Returns the passages 3 s later."""
        begin_us = self.clock.us
        for t, name, level in sorted(edges):
            self.clock.us = begin_us + int(t * 1000)
            (self.a if name == "A" else self.b).set(level)
        return self.passages_after(3000)

    def passages_after(self, ms):
        self.tick_after(ms)
        found = []
        while (passage := self.detector.pop()) is not None:
            found.append(passage)
        return found

    def tick_after(self, ms):
        """Let time pass, and return the state after a tick."""
        self.clock.us += ms * 1000
        self.detector.tick(self.clock.ticks_ms())
        return self.detector.state


def _shown(passages):
    """Direction, class and speed of each."""
    return [passage[:3] for passage in passages]


def _body(first, gap_ms, pieces, start=0):
    """Edges of a body made of (from, to) pieces, in ms after its front reaches the beam."""
    order = ("A", "B") if first == "A" else ("B", "A")
    edges = []
    for i, name in enumerate(order):
        for begin, end in pieces:
            edges.append((start + i * gap_ms + begin, name, 0))
            edges.append((start + i * gap_ms + end, name, 1))
    return edges


def test_walkers_in_both_directions_have_speed_and_class():
    for first, direction in (("A", 0), ("B", 1)):
        got = Gate().play(_body(first, 214, [(0, 70), (110, 214)]))
        assert _shown(got) == [(direction, 0, 50)], got


def test_a_bicycle_in_pieces_is_one_bicycle():
    pieces = [(0, 60), (90, 150), (200, 230), (300, 360)]
    got = Gate().play(_body("A", 60, pieces))
    assert _shown(got) == [(0, 1, 180)], got


def test_a_long_body_is_a_car():
    assert Gate().play(_body("A", 40, [(0, 600)]))[0][1] == 2


def test_a_walker_that_turns_back_in_the_gate_does_not_count():
    gate = Gate()
    assert gate.play([(0, "A", 0), (200, "B", 0), (700, "B", 1), (900, "A", 1)]) == []
    assert gate.detector.stats()["turned_back"] == 1


def test_a_break_of_one_beam_alone_does_not_count():
    gate = Gate()
    assert gate.play([(0, "A", 0), (200, "A", 1)]) == []
    assert gate.detector.stats()["one_beam_only"] == 1


def test_walkers_in_single_file_are_counted_one_by_one():
    edges = []
    for i in range(6):
        edges += _body("A", 214, [(0, 210)], i * 700)
    assert len(Gate().play(edges)) == 6


def test_front_and_rear_that_disagree_give_no_speed():
    got = Gate().play([(0, "A", 0), (100, "B", 0), (400, "A", 1), (800, "B", 1)])
    assert _shown(got) == [(0, 4, -1)]


def test_a_lost_edge_is_counted_and_chatter_is_ignored():
    one = Beam(5000, 120_000)
    one.edge(True, 0)
    one.edge(True, 100_000)
    assert one.lost_edges == 1
    one.edge(False, 200_000)
    one.settle(400_000)
    assert one.count == 1
    one.edge(True, 1_000_000)
    one.edge(False, 1_002_000)
    one.settle(2_000_000)
    assert one.count == 1


def test_a_beam_that_stays_broken_is_reported():
    gate = Gate()
    assert gate.detector.state == 1
    gate.a.set(0)
    assert gate.tick_after(0) == 1
    assert gate.tick_after(59_000) == 1
    assert gate.tick_after(2000) == 4
    gate.a.set(1)
    gate.tick_after(0)
    assert gate.tick_after(2500) == 1


def test_beams_that_are_broken_one_at_a_time_are_misaligned_until_both_are_again():
    gate = Gate()
    for _ in range(15):
        assert gate.detector.state == 1
        gate.play([(0, "A", 0), (200, "A", 1)])
    assert gate.detector.state == 5
    for _ in range(5):
        assert gate.detector.state == 5
        gate.play(_body("A", 214, [(0, 210)]))
    assert gate.detector.state == 1


class FakeCounter:
    """A pulse counter that the test sets. It begins again at 0 as on the chip."""

    def __init__(self):
        self.edges = 0

    def value(self):
        return self.edges % 32767


def _dual(counters=None):
    pins = FakePin(), FakePin()
    dual = DualBeam(*pins, beam_settings(), counters)
    asyncio.run(dual.start())
    return dual, pins[0]


def test_the_hardware_counts_every_edge_and_tells_how_many_the_interrupts_missed():
    counters = [FakeCounter(), FakeCounter()]
    dual, pin = _dual(counters)
    for i in range(2000):  # every tenth edge comes in a stall
        counters[0].edges += 1
        pin.level = i & 1
        if i % 10:
            pin.handler(pin)
        if i % 100 == 99:
            dual.tick(0)
    assert (dual.stats()["edges"], dual.stats()["lost_edges"]) == (2000, 200)
    counters[0].edges += 40_000 - 2000
    counters[1].edges += 30_000
    dual.tick(0)
    assert dual.stats()["edges"] == 2000 + 38_000 % 32767 + 30_000


def test_without_hardware_lost_edges_show_as_equal_levels():
    dual, pin = _dual()
    for i in range(200):
        pin.level = i & 1
        if i % 10 != 3:
            pin.handler(pin)
    dual.tick(0)
    stats = dual.stats()
    assert stats["edges"] == 180 and stats["lost_edges"] == 20


def test_a_burst_longer_than_the_buffer_is_reported():
    dual, pin = _dual()
    for i in range(2000):
        pin.set(i & 1)
    dual.tick(0)
    assert dual.stats()["edge_overflow"] == 2000 - 256


def _single(*occlusions):
    """Passages at one beam: (direction, class, speed, ms on the line)."""
    edges = []
    for start, end in occlusions:
        edges += [(start, "A", 0), (end, "A", 1)]
    return [passage[:3] + (passage[4],) for passage in Gate(SingleBeam).play(edges)]


def test_one_beam_counts_and_measures_how_long_it_was_broken():
    assert _single((0, 210)) == [(0, 4, -1, 210)]
    assert _single((0, 70), (150, 210)) == [(0, 4, -1, 210)]
    assert _single((0, 210), (700, 900)) == [(0, 4, -1, 210), (0, 4, -1, 200)]
    assert _single((0, 3)) == []


def test_one_beam_that_stays_broken_is_reported():
    gate = Gate(SingleBeam)
    gate.a.set(0)
    assert gate.tick_after(0) == 1
    assert gate.tick_after(61_000) == 4
