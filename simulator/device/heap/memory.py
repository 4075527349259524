"""`gc` as the ESP32 port has it: a small heap that grows out of ESP-IDF's, and never shrinks.

The interpreter here has words of 64 bits and one large heap. heap_walk.py computes what the chip
would need for the same objects. If a collection leaves more than the chip's heap, the world gives
an area out of ESP-IDF's heap, or there is a MemoryError.

The shims look when modules have been loaded, when much was allocated in a short time, and every
ten minutes. Not modelled: a peak between two requests to the world that is gone by then, and free
memory in pieces too small for a request. So the chip may grow a little earlier.
"""

import gc
import struct
import sys

import seam
import uctypes
from micropython import const

try:
    from heap_walk import chip_bytes  # machine code: not for every processor
except ImportError:
    chip_bytes = None

_BLOCK = const(32)  # of the heap here
_MARK = const(0x5A5A5)  # a threshold in blocks, found again in the interpreter's state
_STATE = const(0x13_0000_0000)  # its address, told by simulator/world/chip/process.py
_STATE_BYTES = const(4096)
_STACK_LIMIT = const(80_000)  # of the interpreter
# One level of recursion takes 400 bytes of stack here and 288 on a genuine binary (v1.25.0).
_STACK_HERE = const(25)
_STACK_CHIP = const(18)
_STACK_SHIMS = const(7168)  # shims are C on the chip, and on top of the firmware's calls here
_RATIO = const(180)  # 256ths of the bytes here that the chip needs, in the mean
_USABLE_NUM = const(125)  # of an area: the rest is the allocation table
_USABLE_DEN = const(128)
_ROOM_MIN = const(512)  # less than this between two collections is a full heap
_PERIOD_US = const(600_000_000)
_BURST_MIN = const(12_288)  # bytes here: more than that, or than the usual garbage, is a burst
_US_A_BYTE = const(64)  # the usual garbage: 16 KB a second at most

_size = 0  # bytes that the chip's heap can hold
_bare = 0  # of them, what MicroPython's own start leaves
_area = 0  # bytes that it has taken from ESP-IDF
_outside = 0  # bytes in this heap, in the chip's measure, that the chip has in ROM
_blocks = None  # the interpreter's counter of allocated blocks
_stack = None  # and its limit of the stack
_heap = (0, 0, 0)  # its allocation table, its first block, the number of blocks
_stack_bytes = 0
_importing = 0
_modules = 0
_full = 0  # blocks allocated between two collections of the chip
_seen = 0  # blocks allocated since the last collection, when last looked at
_seen_us = 0
_due_us = 0
_looking = False
_wanted = -1  # the firmware's threshold
starved = False  # ESP-IDF has no block for another system call


def install(area, bare, stack):
    """Take over the chip's figures, and find the interpreter's own. Not before the shims are
    loaded."""
    global _area, _size, _bare, _outside, _stack_bytes
    _find_state()
    _stack_bytes = stack * _STACK_HERE // _STACK_CHIP + _STACK_SHIMS
    _stack.limit = _stack_bytes
    _area, _bare = area, bare
    _size = area * _USABLE_NUM // _USABLE_DEN
    seam.look = look
    gc.collect()
    _outside = _in_use()
    _set_threshold(_bare)


def _find_state():
    """Find parts of `mp_state_ctx` by their values: the layout differs between builds."""
    global _blocks, _stack, _heap
    address = struct.unpack("<Q", uctypes.bytearray_at(_STATE, 8))[0]
    gc.threshold(_MARK * _BLOCK)
    words = struct.unpack(
        "<%dQ" % (_STATE_BYTES // 8), uctypes.bytearray_at(address, _STATE_BYTES)
    )
    here = uctypes.LITTLE_ENDIAN
    at = address + words.index(_MARK) * 8 - 8
    _blocks = uctypes.struct(at, {"count": 0 | uctypes.UINT32}, here)
    at = address + words.index(_STACK_LIMIT) * 8
    _stack = uctypes.struct(at, {"limit": 0 | uctypes.UINT32}, here)
    i = 0  # py/mpstate.h: table, its length, finaliser table, pool from, pool to
    while not 0 < words[i] < words[i + 3] == words[i + 4] - words[i + 1] * 4 * _BLOCK:
        i += 1
    _heap = (words[i], words[i + 3], words[i + 1] * 4)


def _in_use():
    """Bytes of this heap, in the chip's measure."""
    if chip_bytes:
        return chip_bytes(*_heap)
    return gc.mem_alloc() * _RATIO >> 8


def used():
    """Bytes in use on the chip, garbage included."""
    return _bare + _in_use() - _outside


def _set_threshold(now_used):
    """Set the firmware's threshold, in the measure of this heap."""
    global _full
    room = max(_size - now_used, _ROOM_MIN)
    if 0 <= _wanted < room:
        room = _wanted
    here = room * 256 // _RATIO
    _full = here // _BLOCK
    gc.threshold(here if _wanted >= 0 else -1)


def look(_op):
    """Called by the shims with each request: looks now and then, and when much was allocated in a
    short time. Each look costs as much as a second of a waiting node."""
    global _seen, _seen_us
    if _blocks is None or _looking:
        return
    count = _blocks.count
    now = seam.now
    if count < _seen:  # the interpreter has collected
        _seen = 0
        _seen_us = now
    burst = (count - _seen) * _BLOCK > _BURST_MIN + (now - _seen_us) // _US_A_BYTE
    if burst or now >= _due_us:
        _look()


def _look():
    global _looking, _seen, _seen_us, _due_us
    if _looking:
        return
    _looking = True
    _seen_us = seam.now
    _due_us = _seen_us + _PERIOD_US
    try:
        _after_collection()
    finally:
        _looking = False
        _seen = _blocks.count


def _after_collection():
    if _blocks.count >= _full:
        gc.collect()
    now_used = used()
    if now_used + _ROOM_MIN > _size:
        gc.collect()
        now_used = used()
        while now_used + _ROOM_MIN > _size:
            if not _grow(now_used + _ROOM_MIN - _size):
                if now_used > _size:
                    raise MemoryError("memory allocation failed")
                break
    _set_threshold(now_used)
    seam.send(seam.MEMORY, 0, max(_size - now_used, 0))


def _grow(needed):
    """Take an area from ESP-IDF. False if there is none."""
    global _area, _size
    taken, body = seam.request(seam.GROW, 0, needed, struct.pack("<I", _area))
    _note_largest(body)
    _area += taken
    _size += taken * _USABLE_NUM // _USABLE_DEN
    return taken > 0


def _note_largest(body):
    global starved
    largest, select_bytes = struct.unpack("<II", body)
    starved = largest < select_bytes
    return largest


def idf_largest():
    """The largest block of ESP-IDF's heap."""
    return _note_largest(seam.request(seam.GROW, 1)[1])


def allocate(owner, size):
    """Memory of a driver, in ESP-IDF's heap, instead of what `owner` has. Raises OSError."""
    if not seam.request(seam.ALLOCATE, owner, size)[0]:
        raise OSError(12)  # ENOMEM
    idf_largest()


def in_use_now():
    gc.collect()
    return _in_use()


def not_on_chip(before):
    """What was allocated since `in_use_now()` was `before` is in ROM on the chip."""
    global _outside
    _outside += in_use_now() - before


def begin_import():
    """An import here keeps paths of 4 KB on the stack, so the chip's limit cannot hold in it."""
    global _importing
    _importing += 1
    if _stack:
        _stack.limit = _STACK_LIMIT


def end_import():
    global _importing, _modules
    _importing -= 1
    if not _stack:
        return
    if not _importing:
        _stack.limit = _stack_bytes
    if len(sys.modules) != _modules:
        _modules = len(sys.modules)
        _look()


# --- what the firmware sees

enable = gc.enable
disable = gc.disable
isenabled = gc.isenabled


def collect():
    gc.collect()
    _look()


def mem_alloc():
    return used()


def mem_free():
    """What is free in the heap, and the largest block that it could take (py/modgc.c)."""
    return max(_size - used(), 0) + idf_largest()


def threshold(size=None):
    global _wanted
    if size is None:
        return _wanted
    _wanted = size
    _set_threshold(used())
