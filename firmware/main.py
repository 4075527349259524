"""Builds the application for the board of this image, and runs it."""

import board
import build


def built():
    # A frame that ends: one that lasts would keep `build` on the heap.
    return build.build_app(board.Board())


app = built()
build = None
app.start()
