"""A passive infrared pair, played with made edges on a virtual clock. Level 1 = active."""

import asyncio

import beam.edges
import beam.pir_pair
from beam.edges import BLOCKED, MISALIGNED, OK
from beam.pir_pair import PirPair
from board_parts import FakePin, beam_settings
from sensor_line import VirtualTime


class Pair:
    def __init__(self):
        self.clock = VirtualTime(beam.pir_pair, beam.edges, now_ms=5000)
        self.pins = (FakePin(0), FakePin(0))
        self.detector = PirPair(*self.pins, beam_settings())
        asyncio.run(self.detector.start())

    def play(self, *edges):
        """edges: (ms from now, sensor 0 or 1, level). Returns direction, class, speed, time."""
        begin_us = self.clock.us
        for t, sensor, level in sorted(edges):
            self.clock.us = begin_us + t * 1000
            self.pins[sensor].set(level)
        self.state_after(3000)
        found = []
        while (passage := self.detector.pop()) is not None:
            found.append(passage[:3] + (passage[3] - begin_us // 1000,))
        return found

    def state_after(self, ms):
        self.clock.us += ms * 1000
        self.detector.tick(self.clock.ticks_ms())
        return self.detector.state


def _body(first, gap_ms, start=0):
    second = 1 - first
    return (
        (start, first, 1), (start + gap_ms, second, 1),
        (start + 900, first, 0), (start + gap_ms + 900, second, 0),
    )  # fmt: skip


def test_the_order_of_the_sensors_is_the_direction():
    pair = Pair()
    assert pair.play(*_body(0, 300)) == [(0, 4, -1, 0)]
    assert pair.play(*_body(1, 300)) == [(1, 4, -1, 0)]
    assert pair.detector.stats()["one_alone"] == 0


def test_two_bodies_apart_are_two_and_close_ones_are_one():
    pair = Pair()
    assert len(pair.play(*_body(0, 300), *_body(0, 300, 2500))) == 2
    merged = ((0, 0, 1), (300, 1, 1), (2000, 0, 0), (2300, 1, 0))
    assert len(pair.play(*merged)) == 1


def test_a_sensor_alone_is_no_passage_and_again_and_again_misaligned():
    pair = Pair()
    for _ in range(15):
        assert pair.play((0, 0, 1), (500, 0, 0)) == []
    assert pair.detector.state == MISALIGNED and pair.detector.stats()["one_alone"] == 15
    for _ in range(5):
        assert len(pair.play(*_body(0, 300))) == 1
    assert pair.detector.state == OK


def test_sensors_that_react_more_than_two_seconds_apart_are_no_pair():
    pair = Pair()
    assert pair.play((0, 0, 1), (500, 0, 0), (2100, 1, 1), (2500, 1, 0)) == []


def test_a_spike_is_not_a_body():
    pair = Pair()
    assert pair.play((0, 0, 1), (3, 0, 0), (300, 1, 1), (900, 1, 0)) == []


def test_a_sensor_that_stays_active_is_blocked_and_recovers():
    pair = Pair()
    pair.play((0, 0, 1))
    assert pair.state_after(61_000) == BLOCKED
    pair.play((0, 0, 0))
    assert pair.state_after(3000) == OK
