"""Builds the application for the board of this image, and runs it.

A start that fails ends in a pause and a restart. At the prompt a board would count nothing.
"""

import sys

import board
import vfs


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
