"""Boots a node as the ESP32 port's `_boot.py` and `main.c` do.

The shims are imported first, so that they are in `sys.modules` when the LittleFS image on the
flash file replaces the mounted folders. From there on the firmware is alone with the image. Where
a console is attached, the REPL follows `/main.py`. Otherwise the node waits for ever.
"""

import builtins
import errno
import random
import sys

import seam
import time  # the shims are loaded while their folder is mounted
import select  # noqa: F401
import tasks
import machine
import esp32
import memory
import vfs
import port_console

_RESET_CAUSES = {"power_on": 1, "hard": 2, "watchdog": 3, "deepsleep": 4, "soft": 5}
_CTRL_C = 3
# Imports of a node with Wi-Fi alone. umqtt.simple 1.3.4 says `usocket`.
_LATE = {
    "network": "network", "ntptime": "ntptime", "socket": "socket", "usocket": "socket",
    "ssl": "ssl",
}  # fmt: skip
_FROZEN = ("umqtt", "umqtt.simple")  # in the chip's binary, before /lib on the path
_built_in = {}  # those of `_LATE` that were imported: the firmware may drop a name, not a module
_names = {"__name__": "__main__"}  # the files and the prompt share them


def mount():
    """Mount the image of the vfs partition as `/`. A damaged one is the end, as on the chip."""
    sys.path[:] = ["", ".frozen", "/lib"]
    [esp32.shims] = [system for system, path in vfs.mount() if path == "/rom"]
    vfs.umount("/rom")
    vfs.umount("/")
    try:
        flash = esp32.Partition("vfs")
        vfs.mount(vfs.VfsLfs2(flash, readsize=32, progsize=32, lookahead=32), "/")
    except OSError:
        while True:  # the stock firmware prints this for ever
            port_console.print_text("The filesystem appears to be corrupted.")
            time.sleep(3)


def run(name):
    """Run a file of the image, if it is there. False if it raised. SystemExit is a soft reset."""
    try:
        with open(name) as source:
            code = compile(source.read(), name, "exec")
    except OSError:
        return True
    port_console.kbd_intr(_CTRL_C)
    try:
        exec(code, _names)
    except SystemExit as end:
        if seam.ended:
            raise end
        machine.end_softly()
    except BaseException as error:
        port_console.print_exception(error)
        return False
    finally:
        port_console.kbd_intr(-1)
    return True


def imported(name, *rest):
    """`__import__`, which on the chip finds everything in ROM."""
    name = _LATE.get(name, name)
    if name in _LATE and name not in sys.modules:
        if name not in _built_in:
            _built_in[name] = esp32.late(name)
        sys.modules[name] = _built_in[name]
        return _built_in[name]
    if name in _FROZEN:
        return esp32.late(name, *rest)
    memory.begin_import()
    try:
        return esp32.imported(name, *rest)
    finally:
        memory.end_import()


def start_up():
    """Take over the world's state of the last boot. Return the REPL's mode, the board's
    description and the figures of its memory."""
    text, seed = seam.hello()
    random.seed(seed)  # on the chip the port seeds it from the radio's noise
    text, chip, kind, mac, figures = text.split("\n")
    machine.mac = bytes.fromhex(mac)
    if chip == "esp32c3":
        esp32.has_pulse_counter = False
        machine.UART.ports = (1,)
    cause, _, rest = text.partition(" ")  # "soft", and the state that outlives it
    machine.set_reset_cause(_RESET_CAUSES[cause])
    raw, _, left_ms = rest.partition(" ")
    if left_ms:
        seam.feed(int(left_ms) * 1000)
    time.load_rtc()
    return raw == "raw", kind, figures


def main():
    builtins.__import__ = imported
    sys.modules["_asyncio"] = tasks  # not extensible: the built-in would win over a file
    # The chip's C library is newlib, with other numbers than the host's. Source that is compiled
    # here still gets the host's numbers for `errno.NAME`: the compiler inserts them.
    sys.modules["errno"] = port_console.Module(errno, ETIMEDOUT=116, EINPROGRESS=119)
    raw, kind, figures = start_up()
    port_console.install(kind)
    mount()
    memory.install(*(int(figure) for figure in figures.split(" ")))
    sys.modules["gc"] = memory
    try:
        if run("/boot.py") and not raw:
            run("/main.py")
    except KeyboardInterrupt:
        pass  # it was for a program that has just ended
    if kind:
        esp32.late("repl").run(kind, raw, _names)
    time.sleep(1 << 28)


main()
