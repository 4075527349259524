"""The serial desk: commands of a technician on the console, in the form they have over MQTT.

A line that begins with `{` is a command. Enter alone is answered with what this node is, once a
second at most; anything else is noise and is dropped. Ctrl-U drops what has come of a line: who
sends a command begins with it. The log goes out on the same line; none of it begins with `{`.

What a line leads to is in serial_line.py, which is imported for it and let go: here is only what
waits.
"""

import asyncio

from core.health import let_go
from micropython import const

_LF = const(10)
_CR = const(13)
_CTRL_U = const(21)
_BRACE = const(123)
FULL = b'\r\n{"v":1,"id":null,"ok":false,"error":"no memory"}\r\n'


async def attend(app, console):
    """Read and answer, for ever. console: `board.console()`; read one byte at a time, when it is
    there, for a longer read blocks until all of it is.
    """
    stream, one = asyncio.StreamReader(console), bytearray(1)
    fresh, greeted_s = True, -1
    while True:
        if not await stream.readinto(one):
            await asyncio.sleep(1)  # nobody will ever send anything on this line
            continue
        byte = one[0]
        if fresh and (byte == _BRACE or byte == _CR and greeted_s != app.uptime_s()):
            greeted_s = app.uptime_s()
            await _answer(app, console, stream, one)
        else:
            fresh = byte == _CR or byte == _LF or byte == _CTRL_U


async def _answer(app, console, stream, one):
    """Answer a line. Its own function: what it has imported goes with its frame."""
    try:
        from console.session import serve  # large, and seldom needed

        await serve(app, console, stream, one)
    except MemoryError:
        app.refused_commands += 1
        console.write(FULL)
    finally:
        let_go("console.session", "commands.registry")
