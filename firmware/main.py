"""Builds the application for the board of this image, and runs it."""

import board
import build


def built():
    # In a function, whose frame ends: a frame that lasts would keep `build` on the heap.
    global build
    app = build.build_app(board.Board())
    build = None
    return app


app = built()
app.start()
