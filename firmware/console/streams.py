"""Streams of the console: commands that are answered by more than one line (aim, records).

The reply comes at once. Lines with the command's id follow, the last of them has `end`. One stream
runs at a time. When the heap is full only the stream ends, with a line without an id.
"""

import gc

from core.faults import NO_MEMORY, CommandError
from core.modules import unload_modules

_ROOM_BYTES_MIN = 3000  # beside the modules of the command: some 5,000 bytes, which then leave


def begin(app, steps, name, out):
    """Begin a stream and end the one that runs. name: the command's id.

    steps: a coroutine that writes lines to `out` and returns the last one, a dict. None for no new
    stream. Raises CommandError when the heap has no room for it.
    """
    if app.streaming:
        app.streaming.cancel()
        app.streaming = None
    if not steps:
        return
    gc.collect()
    room = app.memory.room()
    if room < _ROOM_BYTES_MIN:
        raise CommandError("no memory to spare: %d bytes free" % room)
    app.streaming = app.supervisor.spawn(_stream(app, steps, name, out), "stream")


async def _stream(app, steps, name, out):
    try:
        last = await steps
        last["id"], last["end"] = name, True
        out.line(last)
    except MemoryError:
        out.write_whole(NO_MEMORY)
    finally:
        unload_modules()
    app.streaming = None
