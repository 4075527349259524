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
        assert self.detector.tick(self.clock.ticks_ms()) is False, "wait need not run anew"
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


def test_the_legs_of_a_slow_walker_are_one_walker_and_two_in_a_queue_are_two():
    """At 0.8 m/s. The second occlusion begins 128 mm behind the first, or 184 mm."""
    for second_ms, count in ((310, 1), (380, 2)):
        for first in ("A", "B"):
            got = Gate().play(_body(first, 375, [(0, 150), (second_ms, second_ms + 150)]))
            assert len(got) == count, (second_ms, got)
            assert all(passage[1:3] == (0, 28) for passage in got), got
            assert got[0][4] == (second_ms + 150 if count == 1 else 150), "time on the line"


def test_a_passage_is_dated_to_its_front_at_the_second_beam():
    gate = Gate()
    begin_ms = gate.clock.ticks_ms()
    (passage,) = gate.play(_body("A", 214, [(0, 210)], start=1000))
    assert (passage[3], passage[4]) == (begin_ms + 1214, 210)
    assert passage[5] == passage[2], "beams look across: there is no angle to correct"


def test_a_break_of_one_beam_long_after_the_other_is_no_passage():
    for first, second in (("A", "B"), ("B", "A")):
        for apart, lone in ((1400, 0), (1600, 2)):
            gate = Gate()
            got = gate.play(
                [(0, first, 0), (200, first, 1), (apart, second, 0), (apart + 200, second, 1)]
            )
            assert gate.detector.stats()["one_beam_only"] == lone, apart
            assert len(got) == (0 if lone else 1)


def test_the_class_follows_from_length_and_speed():
    for length_mm, kmh, cls in (
        (400, 5, 0), (990, 20, 0), (1010, 18, 1), (2900, 18, 1), (1010, 3.8, 4), (3100, 30, 2),
        (6900, 50, 2), (7100, 50, 3),
    ):  # fmt: skip
        ms_a_mm = 3.6 / kmh
        got = Gate().play(_body("A", 300 * ms_a_mm, [(0, length_mm * ms_a_mm)]))
        assert [passage[1] for passage in got] == [cls], (length_mm, kmh, got)


def test_breaks_too_close_to_tell_the_time_between_count_without_a_speed():
    for apart_ms, no_speed in ((1, 1), (3, 0)):
        gate = Gate()
        got = gate.play(_body("A", apart_ms, [(0, 300)]))
        assert len(got) == 1 and (got[0][2] == -1) == bool(no_speed)
        assert gate.detector.stats()["no_speed"] == no_speed


def test_a_waiting_detector_wakes_with_an_edge_and_counts():
    for kind in (DualBeam, SingleBeam):
        gate = Gate(kind)

        async def main(gate=gate):
            passages = []
            for t, pin, level in ((0, gate.a, 0), (50, gate.b, 0), (200, gate.a, 1),
                                  (250, gate.b, 1), (700, gate.a, 0)):  # fmt: skip
                gate.clock.us = (5000 + t) * 1000
                if pin.handler:
                    pin.set(level)
                    await asyncio.wait_for_ms(gate.detector.wait(), 500)
                passages += [1] if gate.detector.pop() else [0]
            return passages

        assert asyncio.run(main()) == [0, 0, 0, 0, 1], "once the beam was clear for long enough"


def test_what_came_before_the_start_is_forgotten():
    gate = Gate()
    gate.a.set(0)
    gate.tick_after(100)
    asyncio.run(gate.detector.start())
    assert gate.detector.beams() == [(True, 1), (False, 0)]
    assert gate.play([(0, "A", 1)]) == [], "an occlusion whose begin was not seen"


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


def test_one_beam_reports_what_it_saw():
    gate = Gate(SingleBeam)
    gate.play([(0, "A", 0), (210, "A", 1), (900, "A", 0)])
    gate.a.handler(gate.a)  # the edge before it was lost
    gate.tick_after(0)
    assert gate.detector.beams() == [(True, 4)]
    assert gate.detector.stats() == {
        "edges": 4, "hardware": 0, "lost_edges": 1, "edge_overflow": 0, "refused": 0
    }  # fmt: skip


def test_one_beam_with_a_counter_knows_how_many_edges_it_missed():
    clock = VirtualTime(beam.edges, beam.single, now_ms=5000)
    counter, pin = FakeCounter(), FakePin()
    single = SingleBeam(pin, beam_settings(), [counter])
    asyncio.run(single.start())
    counter.edges = 10
    pin.set(0)
    single.tick(clock.ticks_ms())
    stats = single.stats()
    assert (stats["edges"], stats["hardware"], stats["lost_edges"]) == (10, 1, 9)


def test_one_beam_that_stays_broken_is_reported():
    gate = Gate(SingleBeam)
    gate.a.set(0)
    assert gate.tick_after(0) == 1
    assert gate.tick_after(61_000) == 4
