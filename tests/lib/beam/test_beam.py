"""The dual beam on made edges: walkers, bicycles with spokes, turn-backs, blocked, lost edges."""

import asyncio
import time

from beam.dual import DualBeam
from beam.edges import Beam
from beam.single import SingleBeam
from board_parts import FakePin, beam_settings


class Gate:
    """Plays edges with made times into a DualBeam."""

    def __init__(self, **changes):
        self.a, self.b = FakePin(), FakePin()
        self.dual = DualBeam(self.a, self.b, beam_settings(**changes))
        self.now = 5_000_000
        self.real_us, self.real_ms = time.ticks_us, time.ticks_ms

    def play(self, edges):
        """edges: (t in ms from now, 'A' or 'B', level)"""
        dual, base = self.dual, self.now
        for t, beam, level in sorted(edges):
            self.now = base + int(t * 1000)
            index = 0 if beam == "A" else 1
            dual._beams[index].edge(level == 0, self.now)
            dual._pair(self.now)
        self.now += 3_000_000
        for beam in dual._beams:
            beam.settle(self.now)
        dual._pair(self.now)
        found = []
        while True:
            passage = dual.pop()
            if passage is None:
                return found
            found.append(passage[:3])


def _body(first, gap_ms, pieces, start=0):
    """Edges of something made of (from, to) pieces, in ms after its front reaches the beam."""
    order = ("A", "B") if first == "A" else ("B", "A")
    edges = []
    for i, beam in enumerate(order):
        for begin, end in pieces:
            edges.append((start + i * gap_ms + begin, beam, 0))
            edges.append((start + i * gap_ms + end, beam, 1))
    return edges


def test_walkers_both_ways_have_speed_and_class():
    for first, direction in (("A", 0), ("B", 1)):
        got = Gate().play(_body(first, 214, [(0, 70), (110, 214)]))
        assert got == [(direction, 0, 50)], got


def test_a_bicycle_in_pieces_is_one_bicycle():
    pieces = [(0, 60), (90, 150), (200, 230), (300, 360)]
    got = Gate().play(_body("A", 60, pieces))
    assert got == [(0, 1, 180)], got


def test_a_car_is_long():
    assert Gate().play(_body("A", 40, [(0, 600)]))[0][1] == 2


def test_turning_back_in_the_gate_does_not_count():
    gate = Gate()
    assert gate.play([(0, "A", 0), (200, "B", 0), (700, "B", 1), (900, "A", 1)]) == []
    assert gate.dual.turned_back == 1


def test_one_beam_alone_does_not_count():
    gate = Gate()
    assert gate.play([(0, "A", 0), (200, "A", 1)]) == []
    assert gate.dual.one_beam_only == 1


def test_walkers_in_single_file_are_counted_one_by_one():
    edges = []
    for i in range(6):
        edges += _body("A", 214, [(0, 210)], i * 700)
    assert len(Gate().play(edges)) == 6


def test_front_and_rear_that_disagree_give_no_speed():
    got = Gate().play([(0, "A", 0), (100, "B", 0), (400, "A", 1), (800, "B", 1)])
    assert got == [(0, 4, -1)]


def test_a_lost_edge_is_counted_and_chatter_is_ignored():
    beam = Beam(5000, 120_000)
    beam.edge(True, 0)
    beam.edge(True, 100_000)
    assert beam.lost_edges == 1
    beam.edge(False, 200_000)
    beam.settle(400_000)
    assert beam.count == 1
    beam.edge(True, 1_000_000)
    beam.edge(False, 1_002_000)
    beam.settle(2_000_000)
    assert beam.count == 1


def test_a_beam_that_stays_broken_is_reported():
    gate = Gate()
    asyncio.run(gate.dual.start())
    assert gate.dual.state == 1
    gate.a.set(0)
    gate.dual.tick(time.ticks_ms())
    assert gate.dual.state == 1
    gate.dual.tick(time.ticks_add(time.ticks_ms(), 61_000))
    assert gate.dual.state == 4
    gate.a.set(1)
    gate.dual.tick(time.ticks_ms())
    gate.dual.tick(time.ticks_add(time.ticks_ms(), 2_500))
    assert gate.dual.state == 1


def test_beams_that_are_broken_one_at_a_time_are_misaligned_until_both_are_again():
    gate = Gate()
    for _ in range(15):
        assert gate.dual._watch.state == 1
        gate.play([(0, "A", 0), (200, "A", 1)])
    assert gate.dual._watch.state == 5
    for _ in range(5):
        assert gate.dual._watch.state == 5
        gate.play(_body("A", 214, [(0, 210)]))
    assert gate.dual._watch.state == 1


class FakeCounter:
    """Counts what it is told, and begins again at 0 as the chip does."""

    def __init__(self):
        self.edges = 0

    def value(self):
        return self.edges % 32767


def test_the_hardware_counts_every_edge_and_tells_what_the_interrupts_missed():
    counters = [FakeCounter(), FakeCounter()]
    pins = FakePin(), FakePin()
    dual = DualBeam(*pins, beam_settings(), counters)
    asyncio.run(dual.start())
    for i in range(2000):  # of the edges of a second, every tenth comes in a stall
        counters[0].edges += 1
        pins[0].level = i & 1
        if i % 10:
            pins[0].handler(pins[0])
        if i % 100 == 99:
            dual._drain()
    dual.tick(time.ticks_ms())
    assert (dual.stats()["edges"], dual.stats()["lost_edges"]) == (2000, 200)
    counters[0].edges += 40_000 - 2000
    counters[1].edges += 30_000
    dual.tick(time.ticks_ms())
    assert dual.stats()["edges"] == 2000 + 38_000 % 32767 + 30_000


def test_without_hardware_lost_edges_show_as_equal_levels():
    pins = FakePin(), FakePin()
    dual = DualBeam(*pins, beam_settings())
    asyncio.run(dual.start())
    for i in range(200):
        pins[0].level = i & 1
        if i % 10 != 3:
            pins[0].handler(pins[0])
    dual.tick(time.ticks_ms())
    stats = dual.stats()
    assert stats["edges"] == 180 and stats["lost_edges"] == 20


def test_a_burst_longer_than_the_buffer_is_reported():
    pins = FakePin(), FakePin()
    dual = DualBeam(*pins, beam_settings())
    asyncio.run(dual.start())
    for i in range(2000):
        pins[0].set(i & 1)
    dual.tick(time.ticks_ms())
    assert dual.stats()["edge_overflow"] == 2000 - 256


class Single:
    """Plays edges into a SingleBeam."""

    def __init__(self):
        self.pin = FakePin()
        self.single = SingleBeam(self.pin, beam_settings())
        asyncio.run(self.single.start())

    def play(self, occlusions, lag_us=3_000_000):
        beam = self.single._beam
        now = 5_000_000
        for start, end in occlusions:
            now = 5_000_000 + end * 1000
            beam.edge(True, 5_000_000 + start * 1000)
            beam.edge(False, now)
            self.single._note()
        beam.settle(now + lag_us)
        self.single._note()
        found = []
        while len(self.single._queue):
            passage = self.single.pop()
            found.append(passage[:3] + (passage[4],))
        return found


def test_one_beam_counts_and_says_how_long_it_was_broken():
    assert Single().play([(0, 210)]) == [(0, 4, -1, 210)]
    assert Single().play([(0, 70), (150, 210)]) == [(0, 4, -1, 210)]
    assert Single().play([(0, 210), (700, 900)]) == [(0, 4, -1, 210), (0, 4, -1, 200)]
    assert Single().play([(0, 3)]) == []


def test_one_beam_that_stays_broken_is_reported():
    gate = Single()
    gate.pin.set(0)
    gate.single.tick(time.ticks_ms())
    gate.single.tick(time.ticks_add(time.ticks_ms(), 61_000))
    assert gate.single.state == 4
