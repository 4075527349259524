"""Builds the application for the board of this image, and runs it.

A start that fails ends in a pause and a restart. At the prompt a board would count nothing, so
Ctrl-C is off, as in `boot.py`: MicroPython turns it on for each of the two files. Where the
console is open, `console/reader.py` turns it on again.
"""

import sys

import micropython
import vfs

while True:  # from here on Ctrl-C is a byte like any other: at a prompt a board counts nothing
    try:
        micropython.kbd_intr(-1)
        for _ in "ab":  # a Ctrl-C that came before is raised at the end of a turn
            pass
        break
    except KeyboardInterrupt:
        pass

del micropython, _
import board  # noqa: E402 - a file: a Ctrl-C must not end its import


def built():
    # In a function, whose frame ends: a frame that lasts would keep `build` on the heap.
    global build
    app = build.build_app(hardware)
    build = None
    return app


hardware = board.Board()
try:
    import build

    app = built()
    if sys.path[0] == "/s":  # the search of boot.py leaves the heap
        vfs.umount("/s")
        sys.path[0] = "/a"
    app.start()
except Exception as error:
    try:
        from core.restart import pause

        pause(hardware, error)
    finally:
        hardware.reset()
