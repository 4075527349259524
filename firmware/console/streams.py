"""Commands on the console that are answered by more than a line: aim, records.

They are answered at once; lines with their id follow, the last of them has `end`. One runs at a
time. When the heap is full they give up, and nobody else: a line without an id says so.
"""

import gc

from core.faults import CommandError
from core.health import let_go
from console.reader import FULL

_SPARE = 10_000  # bytes of heap: what counts and delivers has to find room meanwhile


def begin(app, steps, name, out):
    """Start to stream; whatever does so already ends. steps: a coroutine that writes lines to
    `out` and returns what the last one says, a dict; None for nothing new. name: the command's id.

    Raises CommandError when the heap has no room for it.
    """
    if app.streaming:
        app.streaming.cancel()
        app.streaming = None
    if not steps:
        return
    gc.collect()
    if gc.mem_free() < _SPARE:
        raise CommandError("no memory to spare: %d bytes free" % gc.mem_free())
    app.streaming = app.spawn(_stream(app, steps, name, out), "stream")


async def _stream(app, steps, name, out):
    try:
        last = await steps
        last["id"], last["end"] = name, True
        out.line(last)
    except MemoryError:
        out.write_whole(FULL)
    finally:
        let_go("radar.view")
        if not app.link:  # with MQTT it is in use
            let_go("wire.jsonform")
    app.streaming = None
