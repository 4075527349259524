"""One light barrier: counts what goes through, and for how long it was broken.

It sees neither direction nor speed nor class: everybody counts as forward and unknown. Occlusions
closer than `beam_merge_ms` are one (legs, spokes): who walks slowly may count twice, two who
follow closely once. Known limits are in lib/passage/TRUST.md.
"""

import asyncio
import time

from beam.edges import UNKNOWN as UNKNOWN_STATE
from beam.edges import Beam, EdgeLog, Hardware, Watch
from passage.queue import FORWARD, UNKNOWN, PassageQueue


class SingleBeam:
    """pin: an input with `irq()`, pulled up. counters: of the edges in hardware, see `Hardware`.

    settings: beam_blocked_level, beam_debounce_ms, beam_merge_ms.
    """

    def __init__(self, pin, settings, counters=None):
        self._pin = pin
        self._blocked_level = settings["beam_blocked_level"]
        self._merge_ms = settings["beam_merge_ms"]
        self._beam = Beam(settings["beam_debounce_ms"] * 1000, self._merge_ms * 1000)
        self._log = EdgeLog()
        self._flag = asyncio.ThreadSafeFlag()
        self._queue = PassageQueue()
        self.pop = self._queue.pop
        self._watch = Watch()
        self._hardware = Hardware(counters)
        self._lost = None  # edges, as the hardware has it
        self.state = UNKNOWN_STATE

    async def start(self):
        """Read the level, then listen to the edges."""
        self._beam.blocked = self._pin.value() == self._blocked_level
        self._beam.open = False
        self._pin.irq(handler=self._on_edge, trigger=self._pin.IRQ_FALLING | self._pin.IRQ_RISING)
        self._watch.changed_ms = time.ticks_ms()
        self.state = self._watch.state

    def _on_edge(self, pin):
        # Interrupt: no allocation, no exception, no I/O.
        self._log.store(0, pin.value())
        self._flag.set()

    async def wait(self):
        """Wait for edges and make passages of them."""
        await self._flag.wait()
        self._drain()

    def tick(self, now_ms):
        """Once a second: finish what needs no more edges, notice a blocked beam."""
        self._drain()
        self._watch.look(self._beam.blocked, now_ms)
        self.state = self._watch.state
        self._lost = self._hardware.lost(self._log.seen)
        return False

    def beams(self):
        """As of DualBeam, of one beam."""
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
            self._watch.changed_ms = time.ticks_ms()
            self._note()
        beam.settle(time.ticks_us())
        self._note()

    def _note(self):
        beam = self._beam
        while beam.count:
            ago_ms = time.ticks_diff(time.ticks_us(), beam.first()) // 1000
            on_line_ms = time.ticks_diff(beam.last(), beam.first()) // 1000
            when = time.ticks_add(time.ticks_ms(), -ago_ms)
            self._queue.put(FORWARD, UNKNOWN, -1, when, on_line_ms)
            beam.take()
