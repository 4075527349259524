"""ESP-IDF's heap: memory of Wi-Fi, sockets, drivers and MicroPython's GC heap.

Regions of RAM, each with free blocks. A request goes to the first region that can serve it, there
to the smallest block. So small pieces of the Wi-Fi driver fill the small regions, and the GC heap
takes its areas from the large one. The largest block is told rounded down to the classes of TLSF
(16 to a power of two), as ESP-IDF does, and only such a size can be had.

The figures of the classic ESP32 are measured: MicroPython 1.25.0 of micropython.org on an emulated
chip (`idf_heap_info` after each step). Those of the other chips are assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

HEADER = 4  # of a block
CLASSES = 16
# Measured: the drop of the free bytes.
UART_BYTES = 1660  # a driver, besides its receive buffer
NETIF_BYTES = 4288  # `import network`: event loop, lwIP's task
WIFI_BYTES = 33_920  # `WLAN()`: the driver, its receive buffers, its task
# Derived: with Wi-Fi up, a UART of 8192 bytes and MQTT connected 28.4 KB are left of 44.4 KB.
STATION_BYTES = 4608  # an association: supplicant, dynamic buffers
SOCKET_BYTES = 1024  # a TCP connection: its control block, its mailboxes
# Measured.
PACKET_BYTES = 120  # of a packet, besides its payload
# Assumed, above the largest block (0.4 KB) with which they failed on the emulated chip.
LOOKUP_BYTES = 448  # `getaddrinfo`, of an address too
SELECT_BYTES = 256  # `select`, which `poll` calls for a socket
_PIECE = 448  # the Wi-Fi driver's allocations are many and small
_PACKET_US = 200_000  # a sent packet is kept until it is acknowledged


@dataclass(frozen=True)
class HeapPlan:
    """free: free bytes of each region at the prompt, in ESP-IDF's order. area: the GC heap's first
    area. bare: bytes that MicroPython's own start leaves in it. stack: of the main task, what
    MicroPython lets a program use."""

    free: tuple[int, ...]
    area: int
    bare: int = 3808
    stack: int = 15_360

    @property
    def psram(self) -> bool:
        """There is memory outside of the chip, of which Wi-Fi and sockets need none."""
        return self.free[-1] >= PSRAM_BYTES


_CLASSIC = HeapPlan((4, 4, 4356, 10_584, 14_656, 112_968), 57_344)
PLANS = {
    "esp32": _CLASSIC,
    "esp32s3": HeapPlan((21_000, 32_000, 150_000), 65_536),  # assumed
    "esp32c3": HeapPlan((8_000, 110_000), 65_536),  # assumed
}
PSRAM_BYTES = 4_000_000  # assumed: of a module with 4 MB, less what is in use


def plan_for(chip: str, psram: bool = False) -> HeapPlan:
    plan = PLANS.get(chip, _CLASSIC)
    return HeapPlan((*plan.free, PSRAM_BYTES), plan.area) if psram else plan


class IdfHeap:
    """A heap of `HeapPlan.free`. Owners are names: a later request of one replaces its earlier."""

    def __init__(self, plan: HeapPlan) -> None:
        self._plan = plan
        self._spans = _laid_out(plan)  # per region: free (start, size), by address
        self._held: dict[object, list[tuple[int, int, int]]] = {}
        self._packets: list[tuple[int, object]] = []  # (due, owner)
        self._number = 0
        self.free_min = self.free
        self.largest_min = self.largest

    @property
    def free(self) -> int:
        return sum(size for spans in self._spans for _, size in spans)

    @property
    def largest(self) -> int:
        """The largest block that can be had."""
        return max((_class(size) for spans in self._spans for _, size in spans), default=0)

    def info(self) -> list[tuple[int, int, int, int]]:
        """Of each region as `idf_heap_info`: size, free, largest block, least free. The size is
        what was free at the prompt, and the least is that of now: nothing relies on them."""
        rows = []
        for size, spans in zip(self._plan.free, self._spans, strict=True):
            free = sum(length for _, length in spans)
            rows.append((size, free, max((_class(n) for _, n in spans), default=0), free))
        return rows

    def start_wifi(self) -> bool:
        """Memory of the driver, once a boot. False if there is no room."""
        return self._once("netif", NETIF_BYTES) and self._once("wifi", WIFI_BYTES)

    def join_wifi(self) -> bool:
        """Memory of an association, once a boot. False if there is no room."""
        return self._once("station", STATION_BYTES)

    def _once(self, owner: str, total: int) -> bool:
        return owner in self._held or self.take_small(owner, total)

    def take(self, owner: object, *sizes: int) -> bool:
        """Allocate blocks of these sizes, all or none. False if there is no room."""
        self.give_back(owner)
        blocks: list[tuple[int, int, int]] = []
        for size in sizes:
            block = self._place(size)
            if block is None:
                for at in blocks:
                    self._return(at)
                return False
            blocks.append(block)
        if blocks:
            self._held[owner] = blocks
            self.free_min = min(self.free_min, self.free)
            self.largest_min = min(self.largest_min, self.largest)
        return True

    def take_small(self, owner: object, total: int) -> bool:
        """Allocate many small blocks."""
        pieces, rest = divmod(total, _PIECE)
        return self.take(owner, *[_PIECE - HEADER] * pieces, *([rest] if rest > HEADER else []))

    def give_back(self, owner: object) -> None:
        for block in self._held.pop(owner, ()):
            self._return(block)

    def grow(self, needed: int, total: int) -> int:
        """A new area of the GC heap, for ever: its size, 0 if there is none (py/gc.c,
        gc_try_add_heap). As large as the heap is now, but not larger than the largest block."""
        wanted = needed + max(2048, needed * 13 // 512)
        largest = self.largest
        if largest < wanted:
            return 0
        size = min(max(total, wanted), largest)
        self._number += 1
        self.take(("gc", self._number), size)
        return size

    def send_packet(self, now_us: int, size: int) -> bool:
        """Keep a packet until the other side has it. False if there is no room."""
        while self._packets and self._packets[0][0] <= now_us:
            self.give_back(self._packets.pop(0)[1])
        self._number += 1
        owner = ("packet", self._number)
        self._packets.append((now_us + _PACKET_US, owner))
        return self.take(owner, size + PACKET_BYTES)

    def _place(self, size: int) -> tuple[int, int, int] | None:
        for region, spans in enumerate(self._spans):
            fitting = [(length, at) for at, length in spans if _class(length) >= size]
            if fitting:
                length, at = min(fitting)
                used = min(length, size + HEADER + 3 & ~3)
                i = spans.index((at, length))
                spans[i : i + 1] = [(at + used, length - used)] if length > used else []
                return region, at, used
        return None

    def _return(self, block: tuple[int, int, int]) -> None:
        region, at, size = block
        merged: list[tuple[int, int]] = []
        for start, length in sorted([*self._spans[region], (at, size)]):
            if merged and sum(merged[-1]) == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + length)
            else:
                merged.append((start, length))
        self._spans[region][:] = merged


def _laid_out(plan: HeapPlan) -> list[list[tuple[int, int]]]:
    return [[(0, size)] for size in plan.free]


def _class(size: int) -> int:
    """The largest request that a free block of this size serves."""
    size = max(size - HEADER, 0)
    step = 1 << max(2, size.bit_length() - 5)
    return size // step * step
