"""The kernel: one node's virtual clock, its events, and the world's end of the seam.

The node runs ahead alone for as long as time is granted. A grant ends at the next thing that could
happen to the node: a packet, a power cut, the end of the run. The detector's inputs up to then are
sent along with the grant. So a node-day of 200,000 radar frames needs only some thousand round
trips.

A node cannot influence another node, because the broker keeps each one inside its own topics. So
every node has a clock of its own and nodes run in parallel. A node sees the same on every run.
"""

from __future__ import annotations

import heapq
import random
import struct
from bisect import bisect_right
from functools import partial
from operator import itemgetter
from typing import Callable

from simulator.world.chip.devices import Storage, WifiStation
from simulator.world.chip.flash import Flash
from simulator.world.chip.idf_heap import plan_for
from simulator.world.chip.memory import MEMORY_OPS, ChipMemory
from simulator.world.chip.peripheral import NoPeripheral, Peripheral, bus_answer
from simulator.world.chip.process import NodeEnded, NodeHung, NodeProcess, PowerCut, Reset
from simulator.world.protocol import (
    IS_ANSWER, ONE_WAY, PORT_CONSOLE, PORT_PIN, REPLY, VOID_INPUTS, Input, Op, Request,
    fit_in_reply, pack_inputs,
)  # fmt: skip
from simulator.world.spec import WINDOW_US, Console, Detector, NodeSpec, Observer

WINDOW_INPUTS = 80  # in one grant
REBOOT_US = 350_000  # ROM and second-stage loader, interpreter start
SENSOR_WINDOW_US = 2_000_000  # shorter grants while the node talks to the sensor


class Node:
    """Runs one node. `run()` may be called again with a later time."""

    def __init__(
        self, spec: NodeSpec, network: object, detector: Detector, observer: Observer
    ) -> None:
        self.spec = spec
        self.now_us = 0
        self.requests = 0
        self._detector = detector
        self.peripheral: Peripheral = NoPeripheral()
        self.console: Console | None = None
        self.halted = False
        self._observer = observer
        self._rng = random.Random(f"{spec.seed}/{spec.name}/kernel")
        self.flash = Flash(spec.flash_path, self._rng)
        self.storage = Storage(self.flash, spec.drift_ppb, spec.storage_faults)
        self.memory = ChipMemory(plan_for(spec.chip, spec.psram))
        self._radio = WifiStation(self, network)
        self._cuts = sorted(spec.power_cuts)
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._event_number = 0
        self._immediate: list[Input] = []
        self._granted_us = 0  # the node has the detector's inputs up to here
        self._pregenerated: list[Input] = []  # inputs after that time
        self._pregenerated_us = 0  # and the time up to which they are generated
        self._short_grants_until_us = 0  # the node talked to the sensor
        self._process: NodeProcess | None = None
        self._first_request = 0
        self._reset_cause = "power_on"
        self._until_us = 0
        for start_us, length_us in spec.power_off:
            self.call_at(start_us, partial(self._cut_power, length_us))
        for step_us, seconds in spec.rtc_steps:
            self.call_at(step_us, partial(self._step_rtc, seconds))

    def call_at(self, t_us: int, function: Callable[[], None]) -> None:
        """Run `function` when the node's time reaches `t_us`."""
        self._event_number += 1
        heapq.heappush(self._events, (max(t_us, self.now_us), self._event_number, function))

    def deliver(self, port: int, data: bytes) -> None:
        """Hand an input to the node now; only from within a `call_at` function."""
        self._immediate.append((self.now_us, port, data))

    def edge(self, gpio: int, level: int) -> None:
        """A pin has changed its level. Call it from a `call_at` function or from the
        peripheral."""
        self.deliver(PORT_PIN, bytes([gpio, level]))

    def _cut_power(self, length_us: int) -> None:
        raise PowerCut(length_us)

    def _step_rtc(self, seconds: int) -> None:
        self.storage.step_rtc(seconds)
        raise Reset("hard")

    def observe(self, kind: str, data: bytes | str = b"") -> None:
        self._observer.on(kind, self.now_us, data)

    def run(self, until_us: int, progress: Callable[[int], None] = lambda _t: None) -> None:
        """Run until `until_us`. The process stays alive, so a later `run()` continues it."""
        self._until_us = until_us
        while self.now_us < until_us and not self.halted:
            try:
                self._run_boot(progress)
            except PowerCut as cut:
                self._go_down("cut", "power_on")
                self.storage.power_lost()
                self.flash.age(*self.spec.rot)
                self._detector.power(self.now_us, False)
                self.peripheral.power(False)
                self._pass_time(self.now_us + cut.off_us)
            except Reset as reset:
                self._go_down(f"reset:{reset}", str(reset))
            except (NodeEnded, NodeHung) as error:
                if self.requests == self._first_request and not self.halted:
                    raise  # the firmware has never run: the shims are broken
                self._go_down(f"exit:{type(error).__name__}", "watchdog")

    def halt(self) -> None:
        """End `run` at once, whatever the node is doing. May be called from another thread."""
        self.halted = True
        if process := self._process:
            process.abort()

    def stop(self) -> None:
        """Switch the board off for good."""
        if self._process:
            self._process.kill()
            self._process = None
        self.flash.close()

    def _go_down(self, kind: str, cause: str) -> None:
        self.observe(kind)
        if self._process:
            self._process.kill()
            self._process = None
        self._radio.drop_all()
        self._immediate.clear()
        self._reset_cause = cause

    def _pass_time(self, until_us: int) -> None:
        """Let time pass without a node. Events still happen, but no further power cut can."""
        while self._events and self._events[0][0] <= until_us:
            t_us, _, function = heapq.heappop(self._events)
            self.now_us = max(self.now_us, t_us)
            try:
                function()
            except PowerCut as cut:
                until_us = max(until_us, self.now_us + cut.off_us)
        self._immediate.clear()
        self.now_us = until_us

    def _run_boot(self, progress: Callable[[int], None]) -> None:
        if self._process is None:
            self._power_up()
        while self.now_us < self._until_us and not self.halted:
            assert self._process
            request = self._process.receive()
            self.requests += request.op is not Op.MEMORY  # a report: no cut could hit it
            self.now_us = max(self.now_us, request.now_us)
            if self._cuts and self.requests >= self._cuts[0]:
                self._cuts.pop(0)
                self.storage.tear(request, self.observe)
                raise PowerCut(self.spec.cut_off_us)
            self._handle(request)
            if request.op is Op.WAIT:
                progress(self.now_us)

    def _power_up(self) -> None:
        self._pass_time(self.now_us + REBOOT_US)
        if self._reset_cause == "power_on":
            self._detector.power(self.now_us, True)
            self.peripheral.power(True)
        self._discard_pregenerated()
        self.observe("boot", self._reset_cause)
        self.memory.boot(self.now_us)
        self._first_request = self.requests + 1  # its first request introduces it
        self._process = NodeProcess(self.spec.flash_path, self.spec.heap, self.console)
        self.peripheral.on_start()

    def _handle(self, request: Request) -> None:
        value, answer, flags = self._serve(request)
        if request.op in ONE_WAY:
            return
        assert self._process
        if answer is not None:
            head = REPLY.pack(0, flags | IS_ANSWER, len(answer), value, self._horizon())
            self._process.reply(head + answer)
            return
        self._grant(value, flags, request.op is Op.WAIT or bool(flags & VOID_INPUTS))

    def _serve(self, request: Request) -> tuple[int, bytes | None, int]:
        """Carry out a request. Return (value, answer or None, flags)."""
        op = request.op
        if op is Op.WAIT:
            if self.console:
                self._read_console(self.console, bool(request.a))
            self._run_due()
            return 0, None, 0
        if op is Op.HELLO:
            chip = self.spec.chip
            kind = f"virtual {self.console.name} with {chip.upper()}" if self.console else ""
            lines = self._reset_cause, chip, kind, self.spec.mac.hex(), self.memory.hello()
            answer = struct.pack("<Q", self.now_us) + "\n".join(lines).encode()
            return self._rng.getrandbits(30), answer, 0
        if op is Op.LOG:
            self._write_console(request)
        elif op is Op.RESET:
            raise Reset(request.data.decode())
        elif op is Op.UART_WRITE:
            return self._to_sensor(request)
        elif op in (Op.WIFI, Op.RESOLVE, Op.OPEN, Op.SEND, Op.CLOSE, Op.UDP):
            return (*self._radio.serve(request), 0)
        elif op in (Op.SPI, Op.I2C):
            return (*bus_answer(self.peripheral, self._detector, request), 0)
        elif op is Op.PIN_WRITE:
            self.peripheral.pin(request.a, request.b)
        else:
            return (*self._serve_chip(request), 0)
        return 0, None, 0

    def _serve_chip(self, request: Request) -> tuple[int, bytes | None]:
        if request.op in MEMORY_OPS:
            return self.memory.serve(request)
        return self.storage.serve(request, self.observe)

    def _read_console(self, console: Console, at_prompt: bool) -> None:
        if typed := console.wait(self.now_us, at_prompt):
            self.deliver(PORT_CONSOLE, typed)

    def _write_console(self, request: Request) -> None:
        """Write to the console: text (a = 0) or bytes (a = 1). a = 2 sets the interrupt
        character."""
        data = request.data
        if request.a == 2 and self.console:
            return self.console.set_interrupt_char(request.b)
        self.observe("log", data.decode(errors="replace"))
        if self.console:
            self.console.write(data if request.a else data.replace(b"\n", b"\r\n"))

    def _to_sensor(self, request: Request) -> tuple[int, bytes | None, int]:
        """Hand bytes to the sensor. Its later inputs are generated again."""
        if not request.data:
            return 0, None, 0  # the UART was set up
        self._short_grants_until_us = self.now_us + 2 * SENSOR_WINDOW_US
        for t_us, port, data in self._detector.write(self.now_us, request.data):
            self.call_at(t_us, partial(self.deliver, port, data))
        self._discard_pregenerated()
        return 0, None, VOID_INPUTS

    def _run_due(self) -> None:
        while self._events and self._events[0][0] <= self.now_us:
            _, _, function = heapq.heappop(self._events)
            function()

    def _horizon(self) -> int:
        """The time before which nothing can happen to the node that it does not know yet."""
        if self._immediate or self._granted_us <= self.now_us:
            return self.now_us
        return min(self._target(), self._granted_us)

    def _grant(self, value: int, flags: int, may_generate: bool) -> None:
        """Reply with the inputs that happen now. If the node has used up its inputs, generate new
        ones."""
        inputs = fit_in_reply(self._immediate)
        immediate = len(inputs)
        del self._immediate[:immediate]
        if may_generate and not self._immediate and self._granted_us <= self.now_us:
            inputs += self._next_inputs(sum(len(data) + 11 for _, _, data in inputs))
        body = pack_inputs(inputs)
        head = REPLY.pack(immediate, flags, len(body), value, self._horizon())
        assert self._process
        self._process.reply(head + body)
        if (
            may_generate and len(self._pregenerated) < WINDOW_INPUTS
        ):  # while the node is busy with these
            self._pregenerate(self._granted_us + WINDOW_US)

    def _next_inputs(self, used: int) -> list[Input]:
        """The detector's next inputs: as many as may be granted and fit behind `used` bytes."""
        target = self._target()
        if len(self._pregenerated) < WINDOW_INPUTS:
            self._pregenerate(target)
        due = bisect_right(self._pregenerated, target, key=itemgetter(0))
        granted = fit_in_reply(self._pregenerated[:due], used)
        del self._pregenerated[: len(granted)]
        rest_us = self._pregenerated[0][0] - 1 if self._pregenerated else self._pregenerated_us
        self._granted_us = min(target, rest_us)
        return granted

    def _pregenerate(self, until_us: int) -> None:
        """Generate inputs up to a time, or until the window is full."""
        if until_us <= self._pregenerated_us:
            return
        made = self._detector.generate(self._pregenerated_us, until_us, WINDOW_INPUTS)
        self._pregenerated += made
        self._pregenerated_us = made[-1][0] if len(made) == WINDOW_INPUTS else until_us

    def _discard_pregenerated(self) -> None:
        """Drop inputs that are not valid any more: the sensor got bytes, or the power was off."""
        self._pregenerated.clear()
        self._granted_us = self._pregenerated_us = self.now_us

    def _target(self) -> int:
        """The latest time that may be granted, as far as the world knows."""
        target = min(self._until_us, self.now_us + self.spec.window_us)
        if self.now_us < self._short_grants_until_us:
            target = min(target, self.now_us + SENSOR_WINDOW_US)
        if self._events:
            target = min(target, max(self._events[0][0], self.now_us))
        if self.console:
            target = min(target, self.console.horizon_us(self.now_us))
        return target
