"""Pins, their interrupts, pulse counters. All on two pins that a wire connects."""

import time

import machine
import micropython
from machine import Pin
from prelude import P, Skip, expect, need, raises, truth, until


def _wire():
    out, into = need("pins", "no wire: pins of the wiring file")
    return Pin(out, Pin.OUT, value=0), Pin(into, Pin.IN, Pin.PULL_UP)


def _toggle(out, edges, pause_ms=2):
    for i in range(edges):
        out.value(1 - i % 2)
        time.sleep_ms(pause_ms)


def level_follows_the_wire():
    """An input shows the level of the output that is wired to it: on(), off(), call, value().

    Source: docs/library/machine.Pin.rst, and ports/esp32/machine_pin.c

    Leans: lib/radio/chip.py (BUSY), boards: LED, beams
    """
    out, into = _wire()
    for level in (1, 0, 1, 0):
        out.value(level)
        time.sleep_ms(2)
        expect(into.value(), level)
    out.on()
    time.sleep_ms(2)
    expect((into(), out.value()), (1, 1))
    out.off()
    time.sleep_ms(2)
    expect((into(), out.value()), (0, 0))


def constants_are_the_chips():
    """Modes, pulls and triggers are numbers of the chip's driver. Triggers can be or-ed.

    Source: ports/esp32/machine_pin.c, machine_pin_locals_dict_table, and IDF hal/gpio_types.h

    Leans: boards/
    """
    expect((Pin.IN, Pin.OUT, Pin.OPEN_DRAIN), (1, 3, 7))
    expect((Pin.PULL_DOWN, Pin.PULL_UP), (1, 2))
    expect((Pin.IRQ_RISING, Pin.IRQ_FALLING), (1, 2))


def both_edges_in_order():
    """A handler is called for each edge, in order, with the pin. Its value is the new level.

    Source: docs/reference/isr_rules.rst, and ports/esp32/machine_pin.c, machine_pin_isr_handler

    Leans: lib/beam/edges.py, lib/beam/dual.py, lib/radio/chip.py
    """
    out, into = _wire()
    seen = []
    into.irq(lambda pin: seen.append(pin.value()), Pin.IRQ_RISING | Pin.IRQ_FALLING)
    try:
        _toggle(out, 6)
        until(lambda: len(seen) >= 6, 200)
        expect(seen, [1, 0, 1, 0, 1, 0])
    finally:
        into.irq(None)


def one_edge_alone():
    """IRQ_RISING does not see the falling edges. Afterwards irq(None) ends it.

    Source: docs/library/machine.Pin.rst, Pin.irq, and ports/esp32/machine_pin.c, machine_pin_irq

    Leans: lib/radio/chip.py (DIO lines)
    """
    out, into = _wire()
    seen = []
    into.irq(handler=lambda pin: seen.append(pin.value()), trigger=Pin.IRQ_RISING)
    _toggle(out, 6)
    into.irq(handler=None)
    _toggle(out, 6)
    expect(seen, [1, 1, 1])


def handlers_are_never_hard():
    """There is no hard interrupt: `hard` is no argument, a handler may allocate.

    Source: ports/esp32/machine_pin.c, machine_pin_irq (allowed_args)

    Leans: lib/beam/edges.py: time stamps are the handler's
    """
    out, into = _wire()
    try:
        into.irq(handler=None, trigger=Pin.IRQ_RISING, hard=True)
    except TypeError:
        pass
    else:
        raise AssertionError("irq(hard=True) is taken")
    seen = []
    into.irq(lambda pin: seen.append(bytearray(100)), Pin.IRQ_RISING)
    try:
        _toggle(out, 2)
        expect(len(seen), 1)
    finally:
        into.irq(None)


def an_error_stays_in_the_handler():
    """An error of a handler is printed. The program goes on, and so does the handler.

    Source: py/scheduler.c, mp_handle_pending_tail (mp_call_function_1_protected)

    Leans: lib/beam/edges.py, lib/radio/chip.py: they raise nothing, because no caller would see it
    """
    out, into = _wire()
    seen = []

    def handler(pin):
        seen.append(pin.value())
        raise ValueError("of a check: this is meant to be seen")

    into.irq(handler, Pin.IRQ_RISING)
    try:
        _toggle(out, 4)
        expect(seen, [1, 1])
    finally:
        into.irq(None)


def a_pin_is_one_object():
    """Pin(n) without a mode is the pin as it is: nothing is set up anew.

    Source: ports/esp32/machine_pin.c, mp_pin_make_new (objects are the chip's table)

    Leans: boards/common/esp32_board.py: beams and their counters name the same pins
    """
    out, into = _wire()
    out.value(1)
    again = Pin(P["pins"][0])
    expect(again.value(), 1)
    again.value(0)
    time.sleep_ms(2)
    expect((out.value(), into.value()), (0, 0))


def queue_of_eight_then_silence():
    """While a handler runs 8 more calls wait, the rest is lost without an error.

    Source: py/scheduler.c, and ports/esp32/mpconfigport.h, MICROPY_SCHEDULER_DEPTH 8

    Leans: lib/beam/edges.py: parity of edges, pulse counters beside
    """
    out, into = _wire()
    calls = []

    def handler(pin):
        calls.append(pin.value())
        if len(calls) == 1:
            for i in range(30):
                out.value(i % 2)
                time.sleep_us(200)

    into.irq(handler, Pin.IRQ_RISING | Pin.IRQ_FALLING)
    try:
        out.value(1)
        time.sleep_ms(30)
        expect(len(calls), 9)
    finally:
        into.irq(None)


def schedule_queue_of_eight():
    """micropython.schedule keeps 8 calls and says so when it is full.

    Source: docs/library/micropython.rst, schedule, and py/scheduler.c

    Leans: nothing directly: pin handlers wait in the same queue
    """
    got = []

    def inner(_):
        try:
            for i in range(12):
                micropython.schedule(got.append, i)
        except RuntimeError:
            got.append("full")

    micropython.schedule(inner, None)
    until(lambda: len(got) >= 9, 100)
    expect(got, ["full"] + list(range(8)))


def flag_set_by_an_interrupt():
    """A pin's handler may set a ThreadSafeFlag. The task that waits for it goes on.

    Source: docs/library/asyncio.rst, ThreadSafeFlag, and extmod/asyncio/event.py

    Leans: lib/beam/dual.py, lib/radio/chip.py
    """
    import asyncio

    out, into = _wire()
    flag = asyncio.ThreadSafeFlag()
    into.irq(lambda pin: flag.set(), Pin.IRQ_RISING)

    async def waits():
        rounds = 0
        for _ in range(2):
            out.value(1)
            await asyncio.wait_for_ms(flag.wait(), 1000)
            out.value(0)
            rounds += 1
        try:
            await asyncio.wait_for_ms(flag.wait(), 30)
        except asyncio.TimeoutError:
            return rounds

    try:
        expect(asyncio.run(waits()), 2)
    finally:
        into.irq(None)


def an_erase_loses_edges():
    """While a sector is erased no handler runs: most edges are lost without an error.

    Source: ports/esp32/machine_pin.c (gpio_install_isr_service(0): not in IRAM), and micropython
    issue 3782, and IDF, "Concurrency Constraints for Flash on SPI1"

    Leans: lib/ring: erases ahead, in quiet moments, and lib/beam/edges.py, Hardware
    """
    label = need("scratch", "no partition to write to: --scratch LABEL")
    tx, rx = need("uart", "no wire: uart of the wiring file")
    into = Pin(need("uart_pin", "no wire: uart_pin of the wiring file"), Pin.IN, Pin.PULL_UP)
    from esp32 import Partition

    part = Partition.find(Partition.TYPE_DATA, label=label)[0]
    last = part.ioctl(4, 0) - 1
    kept = bytearray(4096)
    part.readblocks(last, kept)
    uart = machine.UART(1, 9600, tx=tx, rx=rx, txbuf=256, rxbuf=1024)
    seen = [0]

    def handler(_pin):
        seen[0] += 1

    into.irq(handler, Pin.IRQ_RISING | Pin.IRQ_FALLING)
    try:
        uart.write(b"U" * 40)  # 10 edges a byte, 1 ms a byte
        until(lambda: seen[0] >= 100, 200)
        calm = seen[0]
        time.sleep_ms(100)
        seen[0] = 0
        uart.write(b"U" * 40)
        part.ioctl(6, last)
        time.sleep_ms(60)
        lossy = seen[0]
    finally:
        into.irq(None)
        uart.deinit()
        part.writeblocks(last, kept)
    truth(calm >= 100, "only %d edges without an erase" % calm)
    truth(lossy < 300, "%d of 400 edges although a sector was erased" % lossy)


def pulse_counter_counts_both_edges():
    """PCNT counts rising and falling edges in hardware. Reading with value() leaves the count
    alone.

    Source: docs/library/esp32.rst, PCNT, and ports/esp32/esp32_pcnt.c

    Leans: boards/common/esp32_board.py, lib/beam/edges.py
    """
    PCNT = _pcnt()
    out, into = _wire()
    counter = PCNT(0, pin=into, rising=PCNT.INCREMENT, falling=PCNT.INCREMENT, filter=1023)
    before = counter.value()
    counter.start()
    _toggle(out, 10)
    expect((counter.value() - before, counter.value() - before), (10, 10))
    counter.stop()
    _toggle(out, 4)
    expect(counter.value() - before, 10, "stopped")


def pulse_counter_begins_again_at_0():
    """The count after 32766 is 0.

    Source: ports/esp32/esp32_pcnt.c (unit limits -32768, 32767), and IDF: a limit resets the count

    Leans: lib/beam/edges.py, Hardware (modulo 32767)
    """
    PCNT = _pcnt()
    out, into = _wire()
    counter = PCNT(0, pin=into, rising=PCNT.INCREMENT, falling=PCNT.INCREMENT)
    counter.value(0)
    counter.start()
    for _ in range(16390):
        out.value(1)
        out.value(0)
    time.sleep_ms(5)
    got = counter.value()
    counter.stop()
    expect(got, 32780 - 32767)


def _pcnt():
    try:
        from esp32 import PCNT
    except ImportError:
        if P["version"] >= (1, 26) and "C3" not in P["machine"]:
            raise AssertionError("no PCNT in %d.%d" % P["version"][:2])
        raise Skip("no pulse counter: MicroPython before 1.26, or a chip without")
    return PCNT


def unknown_pins_are_refused():
    """A pin that the chip does not have is a ValueError.

    Source: ports/esp32/machine_pin.c, machine_pin_find

    Leans: boards/: a wrong number must not pass
    """
    raises(ValueError, Pin, 99)
