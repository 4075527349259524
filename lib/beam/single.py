"""One light barrier: counts the passages, and the time that it was broken.

It knows neither direction nor speed nor class: all passages are forward and unknown. Occlusions
closer than `beam_merge_ms` are one (legs, spokes). A slow walker may therefore count twice, and
two road users who follow closely count once. Known limits are in lib/passage/TRUST.md.
"""

import asyncio
import time

from beam.edges import UNKNOWN as UNKNOWN_STATE
from beam.edges import Beam, EdgeLog, Hardware, Monitor
from passage.queue import FORWARD, UNKNOWN, PassageQueue


class SingleBeam:
    """pin: an input with `irq()`, pulled up. counters: see `Hardware`.

    settings: beam_blocked_level, beam_debounce_ms, beam_merge_ms.
    """

    def __init__(self, pin, settings, counters=None):
        self._pin = pin
        self._blocked_level = settings["beam_blocked_level"]
        self._beam = Beam(settings["beam_debounce_ms"] * 1000, settings["beam_merge_ms"] * 1000)
        self._log = EdgeLog()
        self._flag = asyncio.ThreadSafeFlag()
        self._queue = PassageQueue()
        self.pop = self._queue.pop
        self._monitor = Monitor()
        self._hardware = Hardware(counters)
        self._lost = None  # edges that the interrupts missed, by the hardware
        self.state = UNKNOWN_STATE

    async def start(self):
        """Read the level, then listen to the edges."""
        self._beam.blocked = self._pin.value() == self._blocked_level
        self._beam.open = False
        self._pin.irq(handler=self._on_edge, trigger=self._pin.IRQ_FALLING | self._pin.IRQ_RISING)
        self._monitor.changed_ms = time.ticks_ms()
        self.state = self._monitor.state

    def _on_edge(self, pin):
        # Interrupt: no allocation, no exception, no I/O.
        self._log.store(0, pin.value())
        self._flag.set()

    async def wait(self):
        """Wait for edges and make passages of them."""
        await self._flag.wait()
        self._drain()

    def tick(self, now_ms):
        """Call once a second: finishes occlusions, notices a blocked beam."""
        self._drain()
        self._monitor.update(self._beam.blocked, now_ms)
        self.state = self._monitor.state
        self._lost = self._hardware.lost(self._log.seen)
        return False

    def beams(self):
        """As `DualBeam.beams`, for one beam."""
        return [(self._beam.blocked, self._log.seen[0])]

    def stats(self):
        return {
            "edges": sum(self._hardware.edges or self._log.seen),
            "hardware": len(self._hardware.edges),  # pulse counters, 0 = interrupts alone
            "lost_edges": self._beam.lost_edges if self._lost is None else self._lost,
            "edge_overflow": self._log.overflow,
            "refused": self._queue.refused,
        }

    def _drain(self):
        log, beam = self._log, self._beam
        while log.next():
            beam.edge(log.level == self._blocked_level, log.when)
            self._monitor.changed_ms = time.ticks_ms()
            self._count()
        beam.settle(time.ticks_us())
        self._count()

    def _count(self):
        beam = self._beam
        while beam.count:
            ago_ms = time.ticks_diff(time.ticks_us(), beam.front()) // 1000
            on_line_ms = time.ticks_diff(beam.rear(), beam.front()) // 1000
            when = time.ticks_add(time.ticks_ms(), -ago_ms)
            self._queue.push(FORWARD, UNKNOWN, -1, when, on_line_ms)
            beam.pop()
