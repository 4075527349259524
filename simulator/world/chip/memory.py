"""The memory of one node's chip, over all its boots: ESP-IDF's heap, and what the GC heap took."""

from __future__ import annotations

import struct

from simulator.world.chip.idf_heap import SELECT_BYTES, UART_BYTES, HeapPlan, IdfHeap
from simulator.world.protocol import Op, Request

MEMORY_OPS = frozenset({Op.GROW, Op.ALLOCATE, Op.MEMORY, Op.HEAP_INFO})
START_US = 60_000_000  # of a boot: from then on the GC heap should not grow
UART_OWNER = 16  # of ALLOCATE: from here on UARTs, with their receive buffers


class ChipMemory:
    """Serves the memory requests of a node, and keeps the least figures."""

    def __init__(self, plan: HeapPlan) -> None:
        self.plan = plan
        self.heap = IdfHeap(plan)
        self._idf_free_min = self.heap.free
        self._idf_largest_min = self.heap.largest
        self._gc_free_min: int | None = None
        self._growth = 0
        self._booted_us = 0

    def boot(self, now_us: int) -> None:
        self._note()
        self.heap = IdfHeap(self.plan)
        self._booted_us = now_us

    def hello(self) -> str:
        """The node's own figures: the GC heap's first area, what is in it, the stack."""
        return f"{self.plan.area} {self.plan.bare} {self.plan.stack}"

    def serve(self, request: Request) -> tuple[int, bytes | None]:
        if request.op is Op.MEMORY:
            self._note_gc(request)
            return 0, None
        if request.op is Op.GROW:
            size = self._grow(request) if request.a == 0 else 0
            return size, struct.pack("<II", self.heap.largest, SELECT_BYTES)
        if request.op is Op.HEAP_INFO:
            return 0, b"".join(struct.pack("<IIII", *row) for row in self.heap.info())
        extra = (UART_BYTES,) if request.a >= UART_OWNER and request.b else ()
        sizes = (*extra, request.b) if request.b else ()
        return int(self.heap.take(("driver", request.a), *sizes)), b""

    def _grow(self, request: Request) -> int:
        size = self.heap.grow(request.b, int.from_bytes(request.data, "little"))
        if request.now_us - self._booted_us >= START_US and not self.plan.psram:
            self._growth += size
        return size

    def _note_gc(self, request: Request) -> None:
        if request.now_us - self._booted_us < START_US:
            return
        if self._gc_free_min is None or request.b < self._gc_free_min:
            self._gc_free_min = request.b

    def _note(self) -> None:
        self._idf_free_min = min(self._idf_free_min, self.heap.free_min)
        self._idf_largest_min = min(self._idf_largest_min, self.heap.largest_min)

    def figures(self) -> dict[str, int | None]:
        """Bytes. gc_free_min: least free bytes in the GC heap after a collection, from the first
        minute of a boot on, None if nothing was collected by then."""
        self._note()
        return {
            "gc_free_min": self._gc_free_min,
            "idf_free_min": self._idf_free_min,
            "idf_largest_min": self._idf_largest_min,
            "gc_growth_after_60s": self._growth,
        }
