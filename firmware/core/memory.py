"""Watches the two heaps of a node: MicroPython's own, and the system's beside it.

Wi-Fi, sockets and TLS take their memory from the system's heap. On a chip without PSRAM
MicroPython's heap grows out of the same memory, and gives back only an area that is wholly empty.
A node whose system heap has no large block left counts, but can never connect again. Only a
restart helps. With PSRAM the heap may grow.
"""

import gc

from core.modules import unload_modules
from micropython import const

COLLECT_BYTES_MIN, COLLECT_BYTES_MAX = 4096, 65_536  # allocated between two collections
CONNECTION_BYTES = 4096  # one block: a TCP connection with its buffers
TLS_CONNECTION_BYTES = 17_000  # one block: a TLS record of 16 KiB, and its header
_PSRAM_BYTES = const(400_000)  # no chip has such a block of its own
# This long without a link and without such a block: restart. If this start never had a link, the
# next one may have none either, and each costs the counting some seconds.
STARVED_S = const(180)
NEVER_UP_S = const(600)


class Memory:
    """system_heap: function() -> (free bytes, largest block, fewest free bytes), of the board.

    free_min: fewest bytes that MicroPython found free since the start, with the block that its
    heap could grow by. size: bytes of its heap when `look` was called last.
    """

    def __init__(self, system_heap, log):
        self.system_heap = system_heap
        self._log = log
        self.free_min = 1 << 30
        self.size = 0
        self._starving_s = 0  # uptime at which memory was first too small, 0 = it is not
        self._bound_s = NEVER_UP_S

    def room(self):
        """Bytes free in MicroPython's heap as it is, with PSRAM also what it can grow by.

        The port's own figure has the block that the heap would grow by in it.
        """
        beside = self.system_heap()[1]
        return gc.mem_free() - (beside if beside < _PSRAM_BYTES else 0)

    def need(self, size):
        """Collect garbage. Raises MemoryError without room for `size` bytes.

        Without it the heap would grow, and take from the network what it seldom gives back.
        """
        gc.collect()
        if self.room() < size:
            raise MemoryError

    def look(self):
        """Collect garbage, note the free bytes and return them. Call it in quiet moments."""
        unload_modules()
        gc.collect()
        free = gc.mem_free()
        size = gc.mem_alloc() + self.room()
        if self.size and size > self.size:
            self._log.warn("heap: grew to %d bytes; %d free in blocks of at most %d beside it",
                           size, *self.system_heap()[:2])  # fmt: skip
        self.size = size
        self.free_min = min(self.free_min, free)
        return free

    def starved(self, uptime, is_up, bytes_min):
        """The reason for a restart, None without one. Call it once a minute.

        is_up: of the link. bytes_min: the block that a connection needs.
        """
        largest = self.system_heap()[1]
        if is_up:
            self._bound_s = STARVED_S
        if is_up or largest >= bytes_min:
            self._starving_s = 0
        elif not self._starving_s:
            self._starving_s = uptime
        elif uptime - self._starving_s >= self._bound_s:
            return "block of %d bytes, a connection needs %d" % (largest, bytes_min)
        return None
