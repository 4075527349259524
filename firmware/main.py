"""Builds the application for the board of this image, and runs it."""

import sys

import board
import build
import vfs


def built():
    # In a function, whose frame ends: a frame that lasts would keep `build` on the heap.
    global build
    app = build.build_app(board.Board())
    build = None
    return app


app = built()
if sys.path[0] == "/s":  # the search of boot.py leaves the heap
    vfs.umount("/s")
    sys.path[0] = "/a"
app.start()
