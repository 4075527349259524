"""The dual beam on made edges: walkers, bicycles with spokes, turn-backs, blocked, lost edges."""

import time

from beam.dual import DualBeam
from beam.edges import Beam
from fakes import FakePin, beam_settings


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
    import asyncio

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
