"""The chip, the heap, the interpreter."""

import gc
import io
import sys

import machine
import micropython
from prelude import expect, raises, truth


def it_is_an_esp32():
    """sys.platform is "esp32" on every chip of the family.

    Source: ports/esp32/mpconfigport.h, MICROPY_PY_SYS_PLATFORM, and docs/library/sys.rst,
    implementation._machine ("... with ESP32")

    Leans: tools and technicians, and firmware/ does not look
    """
    expect(sys.platform, "esp32")
    expect(sys.implementation.name, "micropython")
    name = sys.implementation._machine
    truth("ESP32" in name, name)


def identity_of_six_bytes():
    """unique_id is the MAC address: six bytes, the same each time.

    Source: docs/library/machine.rst, unique_id, and ports/esp32/modmachine.c (esp_efuse_mac)

    Leans: tools: which board this is
    """
    got = machine.unique_id()
    truth(isinstance(got, bytes), "not bytes")
    expect((len(got), machine.unique_id()), (6, got))


def clock_of_the_core():
    """freq() is one of the chip's clocks, in hertz.

    Source: docs/esp32/quickref.rst, machine.freq, and ports/esp32/modmachine.c,
    mp_machine_get_freq

    Leans: budgets of time are for 240 MHz (160 on a C3)
    """
    truth(machine.freq() in (80_000_000, 160_000_000, 240_000_000), machine.freq())


def reset_causes_are_numbers():
    """PWRON 1, HARD 2, WDT 3, DEEPSLEEP 4, SOFT 5. The value of reset_cause() is one of them.

    Source: docs/library/machine.rst, "Reset causes", and ports/esp32/modmachine.c, reset_reason_t

    Leans: firmware/app.py, _RESET_CAUSES, and lib/wire/record.py
    """
    names = ("PWRON_RESET", "HARD_RESET", "WDT_RESET", "DEEPSLEEP_RESET", "SOFT_RESET")
    expect([getattr(machine, name) for name in names], [1, 2, 3, 4, 5])
    truth(machine.reset_cause() in (1, 2, 3, 4, 5), machine.reset_cause())


def one_watchdog_that_does_not_stop():
    """Only WDT(0) exists, its time is positive, and it cannot be stopped.

    Source: docs/library/machine.WDT.rst, and ports/esp32/machine_wdt.c

    Leans: boards/common/esp32_board.py, firmware/app.py
    """
    raises(ValueError, machine.WDT, 1)
    raises(ValueError, machine.WDT, 0, 0)
    truth(hasattr(machine.WDT, "feed"), "no feed")
    for name in ("stop", "deinit", "disable"):
        truth(not hasattr(machine.WDT, name), name)


def no_second_clock_or_bus():
    """RTC(), SPI(1) and UART exist under the numbers that the boards use.

    Source: docs/esp32/quickref.rst, "Hardware SPI bus", "Real time clock (RTC)"

    Leans: boards/
    """
    truth(callable(machine.RTC().datetime), "RTC")
    expect(machine.SPI.MSB, 0)
    raises(ValueError, machine.SPI, 9)


def heap_is_told_in_bytes():
    """mem_free falls when something is kept, and comes back with collect().

    Source: docs/library/gc.rst, and py/modgc.c

    Leans: firmware/core/health.py
    """
    gc.collect()
    before = gc.mem_free()
    kept = bytearray(4000)
    truth(before - gc.mem_free() >= 4000, "4000 bytes are not missing")
    del kept
    gc.collect()
    truth(abs(gc.mem_free() - before) < 2000, "they do not come back")


def threshold_is_set_and_read():
    """gc.threshold(n) is read back rounded down to blocks. A value of -1 switches it off.

    Source: docs/library/gc.rst, threshold, and py/modgc.c

    Leans: firmware/boot.py, firmware/app.py
    """
    was = gc.threshold()
    try:
        gc.threshold(4096)
        expect(gc.threshold(), 4096)
        gc.threshold(-1)
        expect(gc.threshold(), -1)
    finally:
        gc.threshold(was)


def a_locked_heap_gives_nothing():
    """Under heap_lock an allocation is a MemoryError, small numbers and views in place are none.

    Source: docs/library/micropython.rst, heap_lock

    Leans: tests/alloc: interrupt handlers of lib/beam and lib/radio
    """
    buf = bytearray(8)
    failed = False
    micropython.heap_lock()
    try:
        for i in range(8):
            buf[i] = i * 3
        bytearray(4)
    except MemoryError:
        failed = True
    finally:
        micropython.heap_unlock()
    truth(failed, "bytearray(4) under a locked heap")
    expect(buf[7], 21)


def memory_errors_are_caught():
    """Asking for too much memory is a MemoryError, and the program goes on.

    Source: docs/reference/constrained.rst, and py/malloc.c

    Leans: firmware/core/clock.py, lib/names/query.py
    """
    raises(MemoryError, bytearray, 1 << 26)
    expect(len(bytearray(1000)), 1000)


def modules_are_let_go():
    """A module taken out of sys.modules is loaded again at the next import.

    Source: docs/library/sys.rst, modules, and py/objmodule.c, py/builtinimport.c

    Leans: firmware/core/modules.py, unload
    """
    name = "tpconform_none"
    sys.modules[name] = sys
    truth(__import__(name) is sys, "sys.modules is not looked at")
    expect(sys.modules.pop(name, None), sys)
    raises(ImportError, __import__, name)


def tracebacks_go_where_told():
    """sys.print_exception writes to a stream that has write().

    Source: docs/library/sys.rst, print_exception

    Leans: boards/common/esp32_board.py, firmware/core/log.py
    """
    out = io.StringIO()
    try:
        raise ValueError("of a check")
    except ValueError as error:
        sys.print_exception(error, out)
    truth("ValueError: of a check" in out.getvalue(), out.getvalue())


def random_bits():
    """getrandbits gives as many bits as asked for, up to 32, and they differ.

    Source: docs/library/random.rst, and extmod/modrandom.c

    Leans: boards/common/esp32_board.py, random
    """
    import random

    got = set(random.getrandbits(24) for _ in range(8))
    truth(all(0 <= value < 1 << 24 for value in got), "beyond 24 bits")
    truth(len(got) > 4, "they repeat")
    raises(ValueError, random.getrandbits, 33)


def frozen_umqtt_stands_before_lib():
    """umqtt.simple is frozen into the binary: not a file of /lib, whatever lies there.

    Source: ports/esp32/boards/manifest.py of MicroPython, and sys.path (".frozen" before "/lib")

    Leans: lib/mqtt/capture.py builds its packets with umqtt.simple
    """
    from umqtt import simple

    truth(not simple.__file__.startswith("/lib"), simple.__file__)
    for name in ("umqtt.simple", "umqtt"):
        sys.modules.pop(name, None)


def recursion_ends_after_some_dozen_levels():
    """The stack of the main task has 15 KiB. A function that calls itself in a `try` gets 48
    levels (measured, v1.25.0), then RuntimeError.

    Source: ports/esp32/mphalport.h, MICROPY_TASK_STACK_SIZE (16 KiB, 1 KiB of reserve)

    Leans: firmware/: no deep calls
    """

    def deeper(level):
        try:
            return deeper(level + 1)
        except RuntimeError:
            return level

    depth = deeper(0)
    truth(25 <= depth <= 75, depth)


def both_heaps_tell_their_free_memory():
    """idf_heap_info(HEAP_DATA) has (size, free, largest block, least free) of each region.
    gc.mem_free() has the largest block in it, by which the GC heap could grow.

    Source: docs/library/esp32.rst, idf_heap_info, and py/modgc.c, gc_mem_free (max_new_split)

    Leans: firmware/core/health.py
    """
    import esp32

    rows = esp32.idf_heap_info(esp32.HEAP_DATA)
    truth(rows and all(size >= free >= largest for size, free, largest, _ in rows), rows)
    gc.collect()
    truth(gc.mem_free() >= max(row[2] for row in rows) // 2, gc.mem_free())
