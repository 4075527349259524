"""After a reset: the state that is left. `P["kind"]`: hard, soft, watchdog. `P["cause"]`: the
value of `reset_cause()` before the interpreter started afresh for this.
"""

import os
import time

import machine
from esp32 import NVS
from prelude import P, Skip, expect, truth

_CAUSES = {"hard": 2, "watchdog": 3, "soft": 5}


def the_cause_is_told():
    """reset_cause(): 2 after machine.reset(), 3 after the watchdog, 5 after a soft reset.

    Source: ports/esp32/modmachine.c, machine_reset_cause (esp_reset_reason)

    Leans: firmware/app.py, hello, and lib/wire/record.py
    """
    expect(P["cause"], _CAUSES[P["kind"]])


def rtc_memory_is_kept():
    """RTC.memory outlives the reset.

    Source: docs/library/machine.RTC.rst, memory, and machine_rtc.c (RTC_NOINIT_ATTR)

    Leans: firmware/counting/recovery.py: the open interval
    """
    if P["counting"]:
        raise Skip("a node that counts has written its own there")
    expect(machine.RTC().memory(), b"left before " + P["kind"].encode())


def the_clock_goes_on():
    """The real-time clock goes on from the time before the reset.

    Source: IDF, "System Time" (the RTC timer keeps the time over any reset but power-on)

    Leans: firmware/core/clock.py, source RTC
    """
    passed = time.time() - NVS("tpconform").get_i32("clock")
    truth(0 <= passed <= 60, "%d s have passed" % passed)


def nvs_is_kept():
    """Committed values are there.

    Source: docs/library/esp32.rst, NVS.commit

    Leans: firmware/build.py, firmware/config/settings.py
    """
    buf = bytearray(8)
    n = NVS("tpconform").get_blob("kind", buf)
    expect(bytes(buf[:n]), P["kind"].encode())


def files_are_kept():
    """A closed file is there.

    Source: littlefs, DESIGN.md (a closed file is committed)

    Leans: updates, and provisioning
    """
    with open("/tpconform.kept") as file:
        expect(file.read(), P["kind"])


def everything_is_put_away():
    """The scratch file and the keys can be removed.

    Source: docs/library/os.rst, remove, and docs/library/esp32.rst, NVS.erase_key

    Leans: this run: it leaves nothing behind
    """
    os.remove("/tpconform.kept")
    nvs = NVS("tpconform")
    for key in ("clock", "kind"):
        nvs.erase_key(key)
    nvs.commit()
    if not P["counting"]:
        machine.RTC().memory(b"")
