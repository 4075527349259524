"""`select` in virtual time: waiting is where the node's time passes.

Streams are kept in registration order, never in a dict keyed by address: runs must be repeatable.
Readiness is asked through the stream protocol's `ioctl(3, flags)`, which the shims' UART and
socket, and asyncio's ThreadSafeFlag, all have.
"""

import seam

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16
_IOCTL_POLL = 3


class Poll:
    def __init__(self):
        self._streams = []  # [stream, flags, its ioctl], in the order of registration
        self._ready = ()
        self._woken = self._look

    def _entry(self, stream):
        for entry in self._streams:
            if entry[0] is stream:
                return entry
        return None

    def register(self, stream, flags=POLLIN | POLLOUT):
        entry = self._entry(stream)
        if entry:
            entry[1] = flags
        else:
            self._streams.append([stream, flags, stream.ioctl])

    def modify(self, stream, flags):
        entry = self._entry(stream)
        if not entry:
            raise OSError(2)
        entry[1] = flags

    def unregister(self, stream):
        entry = self._entry(stream)
        if entry:
            self._streams.remove(entry)

    def _look(self):
        """Note which streams are ready; true if any."""
        ready = None
        for entry in self._streams:
            events = entry[2](_IOCTL_POLL, entry[1])
            if events:
                if ready is None:
                    ready = []
                ready.append((entry[0], events))
        self._ready = ready or ()
        return ready is not None

    def poll(self, timeout_ms=-1):
        seam.spend(seam.POLL_COST_US)
        if timeout_ms == 0:
            self._look()
        else:
            seam.idle(seam.NEVER if timeout_ms < 0 else seam.now + timeout_ms * 1000, self._woken)
        return self._ready

    def ipoll(self, timeout_ms=-1, _flags=0):
        return iter(self.poll(timeout_ms))


poll = Poll
