"""`select` in virtual time: waiting is where the node's time passes.

Streams are kept in registration order, never in a dict keyed by address: runs must be repeatable.
Readiness is asked through the stream protocol's `ioctl(3, flags)`. The shims' UART and socket have
it, and asyncio's ThreadSafeFlag.
"""

import seam
from micropython import const

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16
_IOCTL_POLL = const(3)


class Poll:
    def __init__(self):
        self._streams = []  # [stream, flags, its ioctl, (stream, events)], as registered
        self._spare = None  # the entry that was removed last: it is often the next one added
        self._ready = []
        self._woken = self._note_ready

    def _entry(self, stream):
        for entry in self._streams:
            if entry[0] is stream:
                return entry
        return None

    def register(self, stream, flags=POLLIN | POLLOUT):
        entry = self._entry(stream)
        if entry:
            entry[1] = flags
            return
        entry = self._spare
        if entry and entry[0] is stream:
            entry[1] = flags
            self._spare = None
        else:
            entry = [stream, flags, stream.ioctl, (stream, 0)]
        self._streams.append(entry)

    def modify(self, stream, flags):
        entry = self._entry(stream)
        if not entry:
            raise OSError(2)
        entry[1] = flags

    def unregister(self, stream):
        entry = self._entry(stream)
        if entry:
            self._streams.remove(entry)
            self._spare = entry

    def _note_ready(self):
        """Note which streams are ready. True if any."""
        ready = self._ready
        if ready:
            ready.clear()
        for entry in self._streams:
            events = entry[2](_IOCTL_POLL, entry[1])
            if events:
                if entry[3][1] != events:
                    entry[3] = (entry[0], events)
                ready.append(entry[3])
        return ready

    def poll(self, timeout_ms=-1):
        return list(self.ipoll(timeout_ms))

    def ipoll(self, timeout_ms=-1, _flags=0):
        """The ready streams. Loop over them before the next call: the list is used again."""
        seam.spend(seam.POLL_COST_US)
        if timeout_ms == 0:
            self._note_ready()
        else:
            seam.idle(seam.NEVER if timeout_ms < 0 else seam.now + timeout_ms * 1000, self._woken)
        return self._ready


poll = Poll
