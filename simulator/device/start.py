"""Boots a node. Does what the ESP32 port's `_boot.py` does.

The shims are imported first, so that they stand in `sys.modules` when the host's file system gives
way to the LittleFS image on the flash file. From there on the firmware is alone with the image.
"""

import builtins
import io
import random
import sys

import seam
import time  # the shims are loaded while the host's files are in sight
import select  # noqa: F401
import tasks
import socket
import machine
import network  # noqa: F401
import esp32
import ntptime  # noqa: F401
import vfs

_RESET_CAUSES = {"power_on": 1, "hard": 2, "watchdog": 3, "deepsleep": 4, "soft": 5}


def console(*values, sep=" ", end="\n", file=None):
    """`print`: the console is the board's serial port, so its lines go to the world."""
    text = sep.join(str(value) for value in values) + end
    if file is not None:
        file.write(text)
    else:
        seam.send(seam.LOG, 0, 0, text.encode()[:1400])


def mount():
    """Mount the image of the vfs partition as `/`; a damaged one is the end, as on the chip."""
    sys.path[:] = ["", ".frozen", "/lib"]
    vfs.umount("/")
    try:
        flash = esp32.Partition("vfs")
        vfs.mount(vfs.VfsLfs2(flash, readsize=32, progsize=32, lookahead=32), "/")
    except OSError:
        while True:  # the stock firmware prints this for ever
            console("The filesystem appears to be corrupted.")
            time.sleep(3)


def run(name):
    """Run a file of the image; an exception ends in the REPL, which here only waits."""
    try:
        with open(name) as source:
            code = compile(source.read(), name, "exec")
    except OSError:
        return
    try:
        exec(code, {"__name__": "__main__"})
    except SystemExit as end:
        raise end
    except BaseException as error:
        text = io.StringIO()
        sys.print_exception(error, text)
        console(text.getvalue())
        time.sleep(1 << 28)


def main():
    sys.modules["usocket"] = socket  # the old name, by which umqtt.simple 1.3.4 imports it
    sys.modules["_asyncio"] = tasks  # not extensible: the built-in would win over a file
    cause, seed = seam.hello()
    random.seed(seed)  # on the chip the port seeds it from the radio's noise
    machine.set_reset_cause(_RESET_CAUSES[cause])
    time.load_rtc()
    builtins.print = console
    mount()
    run("/boot.py")
    run("/main.py")
    time.sleep(1 << 28)


main()
