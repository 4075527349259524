"""Reads the console: commands of a technician, in the form they have over MQTT.

A line that begins with `{` is a command. Enter alone is answered with a greeting, at most once a
second. Every other line is noise and is dropped. Ctrl-U drops the line as far as it has come, so a
sender begins each command with it. The log goes out on the same port, and none of its lines begins
with `{`.

Where the console is open (setting `console`, or no identity), Ctrl-C ends the firmware and leads
to MicroPython's prompt. Elsewhere it is noise.

This module only waits. `session.py` answers, and is loaded for one line.
"""

import asyncio
import gc

from core.faults import NO_MEMORY
from core.modules import unload_modules
from micropython import const

_LF = const(10)
_CR = const(13)
_CTRL_C = const(3)
_CTRL_U = const(21)
_BRACE = const(123)


async def serve_console(app, console, progress):
    """Read and answer, for ever. console: `board.console()`.

    Reads one byte at a time: a longer read blocks until all of it is there.
    """
    stream, one = asyncio.StreamReader(console), bytearray(1)
    fresh, greeted_s = True, -1
    while True:
        progress.idle()
        if not await stream.readinto(one):
            await asyncio.sleep(1)  # nothing is connected to this port
            continue
        byte = one[0]
        if byte == _CTRL_C and (not app.node or app.config["console"] == "open"):
            raise KeyboardInterrupt  # it came during the start
        if fresh and (byte == _BRACE or byte == _CR and greeted_s != app.uptime_s()):
            greeted_s = app.uptime_s()
            progress.made()
            await _answer(app, console, stream, one)
        else:
            fresh = byte == _CR or byte == _LF or byte == _CTRL_U


async def _answer(app, console, stream, one):
    """Answer a line. The import is bound in the frame of this function and leaves with it."""
    gc.collect()
    try:
        from console.session import answer_line  # 1,800 bytes

        await answer_line(app, console, stream, one)
    except MemoryError:
        app.refused_commands += 1
        console.write(NO_MEMORY)
    finally:
        unload_modules()
