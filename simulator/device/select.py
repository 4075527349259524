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
        self._streams = []  # [stream, flags], in the order of registration
        self._ready = []

    def register(self, stream, flags=POLLIN | POLLOUT):
        for entry in self._streams:
            if entry[0] is stream:
                entry[1] = flags
                return
        self._streams.append([stream, flags])

    def modify(self, stream, flags):
        for entry in self._streams:
            if entry[0] is stream:
                entry[1] = flags
                return
        raise OSError(2)

    def unregister(self, stream):
        for i, entry in enumerate(self._streams):
            if entry[0] is stream:
                self._streams.pop(i)
                return

    def _look(self):
        """Note which streams are ready; true if any."""
        ready = None
        for stream, flags in self._streams:
            events = stream.ioctl(_IOCTL_POLL, flags)
            if events:
                if ready is None:
                    ready = []
                ready.append((stream, events))
        self._ready = ready
        return ready is not None

    def poll(self, timeout_ms=-1):
        seam.spend(seam.POLL_COST_US)
        deadline = seam.NEVER if timeout_ms < 0 else seam.now + timeout_ms * 1000
        return self._ready if seam.idle(deadline, self._look) else ()

    def ipoll(self, timeout_ms=-1, _flags=0):
        return iter(self.poll(timeout_ms))


poll = Poll
