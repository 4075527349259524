"""Two pyroelectric sensors one behind the other: direction by the order in which they react.

Each looks across the path through a slit. Its output is high while a warm body moves there, and
for its hold time after that. If B becomes active within 2 s after A, a road user has passed
forward. While an output stays active it cannot show another road user, so a group is one.

There is no speed and no class. A sensor that is active alone, again and again, is misaligned or
dead. One that is active for a minute without a pause is blocked: the sun, warm air, or a person
who stands there.

Wiring: outputs that are high while active, on the inputs of the beams, A first for `forward`.
Sensors with a hold time above a second do not suit.
"""

import asyncio
import time

from micropython import const

from beam.edges import UNKNOWN as UNKNOWN_STATE
from beam.edges import EdgeLog, Monitor
from passage.queue import BACKWARD, FORWARD, UNKNOWN, PassageQueue

_APART_MAX_US = const(2_000_000)


class PirPair:
    """pin_a, pin_b: inputs with `irq()`. Forward passages reach A first.

    settings: beam_debounce_ms, the shortest time that an output must be active. counters: not
    used, a sensor has no bursts of edges.
    """

    def __init__(self, pin_a, pin_b, settings, _counters=None):
        self._pins = (pin_a, pin_b)
        self._debounce_us = settings["beam_debounce_ms"] * 1000
        self._log = EdgeLog()
        self._flag = asyncio.ThreadSafeFlag()
        self._queue = PassageQueue()
        self.pop = self._queue.pop
        self._monitor = Monitor()
        self._active = bytearray(2)
        self._rose_us = [0, 0]
        self._waiting = bytearray(2)  # active once, and without a partner yet
        self.state = UNKNOWN_STATE
        self.one_alone = 0

    async def start(self):
        """Read the levels, then listen to the edges."""
        for i, pin in enumerate(self._pins):
            self._active[i] = pin.value()
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

    def tick(self, now_ms):
        """Call once a second: forgets a sensor that was active alone, notices a blocked one."""
        self._drain()
        now_us = time.ticks_us()
        for i in (0, 1):
            if self._waiting[i] and time.ticks_diff(now_us, self._rose_us[i]) > _APART_MAX_US:
                self._forget(i)
        self._monitor.update(self._active[0] or self._active[1], now_ms)
        self.state = self._monitor.state
        return False

    def beams(self):
        """As `DualBeam.beams`: (active, edges so far) of each sensor."""
        return [(bool(self._active[i]), self._log.seen[i]) for i in (0, 1)]

    def stats(self):
        return {
            "edges": sum(self._log.seen),
            "edge_overflow": self._log.overflow,
            "one_alone": self.one_alone,
            "refused": self._queue.refused,
        }

    def _drain(self):
        log = self._log
        while log.next():
            self._monitor.changed_ms = time.ticks_ms()
            if log.level != self._active[log.beam]:
                self._active[log.beam] = log.level
                self._changed(log.beam, log.level, log.when)

    def _changed(self, i, is_active, when_us):
        if not is_active:
            if time.ticks_diff(when_us, self._rose_us[i]) < self._debounce_us:
                self._waiting[i] = 0  # a spike
            return
        other = 1 - i
        if self._waiting[i]:
            self._forget(i)
        self._rose_us[i] = when_us
        apart = time.ticks_diff(when_us, self._rose_us[other])
        if not self._waiting[other] or apart > _APART_MAX_US:
            self._waiting[i] = 1
            return
        self._waiting[other] = 0
        self._monitor.note(True)
        ago_ms = time.ticks_diff(time.ticks_us(), self._rose_us[other]) // 1000
        when = time.ticks_add(time.ticks_ms(), -ago_ms)
        self._queue.push(FORWARD if i else BACKWARD, UNKNOWN, -1, when, -1)

    def _forget(self, i):
        self._waiting[i] = 0
        self.one_alone += 1
        self._monitor.note(False)
