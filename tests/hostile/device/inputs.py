"""Feeds inputs to one target, on the C stack of the chip, and says what became of them."""

import gc
import json
import random
import sys
import time

_LEVELS = 41  # of the frames counted here. A function that calls itself gets about 48, as there
_DOUBLED_MAX = 8192  # bytes
_SAMPLES = 10  # of the memory, in the first tenth of the inputs and in the last


def chance(parts):
    """True once in `parts`."""
    return random.randrange(parts) == 0


def pick(values):
    return values[random.randrange(len(values))]


def damaged(data):
    """Some bytes changed, removed or doubled."""
    data = bytearray(data)
    for _ in range(pick((0, 1, 1, 2, 6))):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(4)
        if kind == 0:
            data = data[:at]
        elif kind == 1 and at < len(data):
            data[at] = random.getrandbits(8)
        elif kind == 2:
            data = data[:at] + bytes([random.getrandbits(8)]) + data[at:]
        elif len(data) < _DOUBLED_MAX:
            data = data[:at] + data[at // 2 :]
    return bytes(data)


def _feed(target, n, found):
    step = max(1, n // (10 * _SAMPLES))
    first, last = [], []
    for i in range(n):
        found["inputs"] = i
        target.feed(i)
        if i % step == 0 and (i < n // 10 or i >= n - n // 10):
            target.last = b""  # an input is long or short
            gc.collect()
            (first if i < n // 10 else last).append(gc.mem_alloc())
    found["inputs"] = n
    found["memory_bytes"] = [max(first), max(last)]


def _guarded(new_target, n, found):
    target = None
    try:
        target = new_target()
        _feed(target, n, found)
    except BaseException as error:
        sys.print_exception(error)
        found["error"] = repr(error)[:200]
        found["input"] = repr(target and target.last)[:2000]
    if target:
        found.update(target.figures)


def _depth(level):
    try:
        return _depth(level + 1)
    except RuntimeError:
        return level


def _below(levels, work):
    if levels > 0:
        _below(levels - 1, work)
    else:
        work()


def main(new_target):
    """Run `FILE N SEED`: prints one line of JSON. new_target() -> feed(i), last, figures."""
    n, seed = int(sys.argv[1]), int(sys.argv[2])
    random.seed(seed)

    def work():
        start_ms = time.ticks_ms()
        found = {"seed": seed, "levels": _depth(0)}
        _guarded(new_target, n, found)
        found["seconds"] = time.ticks_diff(time.ticks_ms(), start_ms) // 1000
        print(json.dumps(found))

    _below(_depth(0) - _LEVELS, work)
