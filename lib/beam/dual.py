"""Two light barriers one behind the other give direction, speed and length of a passage.

An occlusion of beam A and one of beam B make a passage if they begin within 1.5 s of each other,
and in the same order as they end. A road user that breaks A, then B, clears B and clears A last
has turned back. Front and rear each give a speed (gap / time between the beams). If these differ
by more than 30 %, the passage counts without a speed, and so without a class.

`beam_merge_ms` merges the spokes of a wheel and the legs of a brisk walker. The legs of a slow
walker are further apart in time, but not in space. So a second occlusion within 150 mm of the
first, on both beams, at the speed of the first, belongs to the same walker.
"""

import asyncio
import time

from micropython import const

from beam.edges import UNKNOWN as UNKNOWN_STATE
from beam.edges import Beam, EdgeLog, Hardware, Monitor
from passage.queue import (
    BACKWARD, BICYCLE, CAR, FORWARD, HEAVY, PEDESTRIAN, UNKNOWN, PassageQueue,
)  # fmt: skip

_APART_MAX_US = const(1_500_000)
_APART_MIN_US = const(2_000)
_LEGS_MAX_MM = const(150)  # 120 ms at a usual walk of 1.3 m/s; walkers in a queue keep more


class DualBeam:
    """pin_a, pin_b: inputs with `irq()`, pulled up. Forward passages break A first.

    settings: beam_gap_mm, beam_blocked_level, beam_debounce_ms, beam_merge_ms,
    class_ped_max_kmh, class_bike_min_mm, class_car_min_mm, class_heavy_min_mm (lengths).
    counters: see `Hardware`.
    """

    def __init__(self, pin_a, pin_b, settings, counters=None):
        self._pins = (pin_a, pin_b)
        self._gap_mm = settings["beam_gap_mm"]
        self._blocked_level = settings["beam_blocked_level"]
        self._ped_max = settings["class_ped_max_kmh"] * 10
        self._bike_mm = settings["class_bike_min_mm"]
        self._car_mm = settings["class_car_min_mm"]
        self._heavy_mm = settings["class_heavy_min_mm"]
        debounce_us = settings["beam_debounce_ms"] * 1000
        merge_us = settings["beam_merge_ms"] * 1000
        self._beams = (Beam(debounce_us, merge_us), Beam(debounce_us, merge_us))
        self._log = EdgeLog()
        self._flag = asyncio.ThreadSafeFlag()
        self._queue = PassageQueue()
        self.pop = self._queue.pop
        self._monitor = Monitor()
        self._hardware = Hardware(counters)
        self._lost = None  # edges that the interrupts missed, by the hardware
        self.state = UNKNOWN_STATE
        self.turned_back = 0
        self.one_beam_only = 0
        self.no_speed = 0

    async def start(self):
        """Read the levels, then listen to the edges."""
        for i, pin in enumerate(self._pins):
            beam = self._beams[i]
            beam.blocked = pin.value() == self._blocked_level
            beam.open = False
            pin.irq(handler=self._on_edge, trigger=pin.IRQ_FALLING | pin.IRQ_RISING)
        self._monitor.changed_ms = time.ticks_ms()
        self.state = self._monitor.state

    def _on_edge(self, pin):
        # Interrupt: no allocation, no exception, no I/O.
        self._log.store(0 if pin is self._pins[0] else 1, pin.value())
        self._flag.set()

    async def wait(self):
        """Wait for edges and make passages of them."""
        await self._flag.wait()
        self._drain()
        self._settle()

    def tick(self, now_ms):
        """Call once a second: finishes occlusions, notices a blocked beam."""
        self._drain()
        a, b = self._beams
        if a.open or b.open or a.count or b.count:
            self._settle()
        self._monitor.update(a.blocked or b.blocked, now_ms)
        self.state = self._monitor.state
        self._lost = self._hardware.lost(self._log.seen)
        return False

    def beams(self):
        """(blocked, edges seen so far) of each beam."""
        a, b = self._beams
        seen = self._log.seen
        return [(a.blocked, seen[0]), (b.blocked, seen[1])]

    def stats(self):
        a, b = self._beams
        return {
            "edges": sum(self._hardware.edges or self._log.seen),
            "hardware": len(self._hardware.edges),  # pulse counters, 0 = interrupts alone
            "lost_edges": a.lost_edges + b.lost_edges if self._lost is None else self._lost,
            "edge_overflow": self._log.overflow,
            "turned_back": self.turned_back,
            "one_beam_only": self.one_beam_only,
            "no_speed": self.no_speed,
            "refused": self._queue.refused,
        }

    def _drain(self):
        log = self._log
        if not log.next():
            return
        while True:
            self._beams[log.beam].edge(log.level == self._blocked_level, log.when)
            self._pair(log.when)
            if not log.next():
                break
        self._monitor.changed_ms = time.ticks_ms()

    def _settle(self):
        now_us = time.ticks_us()
        self._beams[0].settle(now_us)
        self._beams[1].settle(now_us)
        self._pair(now_us)

    def _pair(self, now_us):
        """Match finished occlusions of A and B, oldest first."""
        a, b = self._beams
        while a.count and b.count:
            apart = time.ticks_diff(b.front(), a.front())
            if apart > _APART_MAX_US:
                self._drop(a)
            elif apart < -_APART_MAX_US:
                self._drop(b)
            elif not self._legs(apart, time.ticks_diff(b.rear(), a.rear()), now_us):
                self._passage(apart, time.ticks_diff(b.rear(), a.rear()))
                a.pop()
                b.pop()
            elif a.count > 1 and b.count > 1:
                a.merge()
                b.merge()
            else:
                return  # the second leg is in the beam, or may yet come
        self._drop_late(a, b, now_us)
        self._drop_late(b, a, now_us)

    def _legs(self, front_us, rear_us, now_us):
        """True if the next occlusions follow, or may yet follow, as close as legs do."""
        if (front_us > 0) != (rear_us > 0):
            return False
        speed = self._speed(abs(front_us), abs(rear_us))
        if speed <= 0:
            return False
        legs_us = _LEGS_MAX_MM * 36_000 // speed
        a, b = self._beams
        return a.gap(now_us) <= legs_us and b.gap(now_us) <= legs_us

    def _drop_late(self, beam, other, now_us):
        """Drop an occlusion of one beam alone: an arm, a branch, a walker that turned back."""
        if not beam.count or other.count or other.open:
            return
        if time.ticks_diff(now_us, beam.rear()) > _APART_MAX_US:
            self._drop(beam)

    def _drop(self, beam):
        beam.pop()
        self.one_beam_only += 1
        self._monitor.note(False)

    def _passage(self, front_us, rear_us):
        if (front_us > 0) != (rear_us > 0):
            self.turned_back += 1
            return
        self._monitor.note(True)
        direction = FORWARD if front_us > 0 else BACKWARD
        front_us, rear_us = abs(front_us), abs(rear_us)
        beam = self._beams[1 if direction == FORWARD else 0]
        speed = self._speed(front_us, rear_us)
        cls = UNKNOWN
        if speed < 0:
            self.no_speed += 1
        else:
            length_mm = speed * time.ticks_diff(beam.rear(), beam.front()) // 36_000
            cls = self._class(speed, length_mm)
        on_line_ms = time.ticks_diff(beam.rear(), beam.front()) // 1000
        ago_ms = time.ticks_diff(time.ticks_us(), beam.front()) // 1000
        when = time.ticks_add(time.ticks_ms(), -ago_ms)
        self._queue.push(direction, cls, speed, when, on_line_ms)

    def _speed(self, front_us, rear_us):
        """0.1 km/h from the times of front and rear between the beams, -1 = unusable."""
        if front_us < _APART_MIN_US or rear_us < _APART_MIN_US:
            return -1
        if abs(front_us - rear_us) * 10 > 3 * max(front_us, rear_us):
            return -1
        return self._gap_mm * 72_000 // (front_us + rear_us)

    def _class(self, speed, length_mm):
        if length_mm < self._bike_mm:
            return PEDESTRIAN
        if length_mm < self._car_mm:
            return BICYCLE if speed > self._ped_max // 2 else UNKNOWN
        return HEAVY if length_mm >= self._heavy_mm else CAR
