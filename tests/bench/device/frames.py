"""Measures the cost of a radar frame, for our drivers and for a published one.

It runs inside MicroPython. All get the same number of frames, three at a time, from a stream in
memory. It prints JSON: microseconds and bytes allocated a frame. Garbage collection is off
meanwhile.
"""

import gc
import io
import json
import time
from binascii import unhexlify

from ld2410 import LD2410
from radar import ld2450, ld2451
from radar.lines import Lines

_ROUNDS = 100
_TIMES = 15  # the fastest counts: other work of the machine only makes a run slower
_AT_ONCE = 3
_FRAMES = {
    "ld2410": "F4F3F2F10D0002AA0251000000003B00005500F8F7F6F5",
    "ld2451": "F4F3F2F1070001018A10011422F8F7F6F5",
    "ld2450": "AAFF03000E03B18610004001" + "00" * 16 + "55CC",
}


def _published(stream):
    driver = LD2410(stream)

    def three():
        for _ in range(_AT_ONCE):
            driver.read_presence()

    return three


def _ours(frames, size):
    def make(stream):
        def three():
            frames.added(stream.readinto(frames.space()))
            buf = frames.buf
            while frames.next():
                at = frames.at
                for i in range(at, at + size):
                    _value = buf[i]

        return three

    return make


def _of_lines(lines):
    def make(stream):
        def three():
            lines.added(stream.readinto(lines.space()))
            while lines.next():
                _magnitude = lines.first
                _speed = lines.last

        return three

    return make


def _cost(make, frame):
    stream = io.BytesIO(frame * _AT_ONCE)
    three = make(stream)
    stream.seek(0)
    three()
    gc.collect()
    gc.disable()
    before, best = gc.mem_alloc(), 1 << 29
    for _ in range(_TIMES):
        began = time.ticks_us()
        for _ in range(_ROUNDS):
            stream.seek(0)
            three()
        best = min(best, time.ticks_diff(time.ticks_us(), began))
    after = gc.mem_alloc()
    gc.enable()
    frames = _ROUNDS * _AT_ONCE
    return {"us": best / frames, "bytes": round((after - before) / frames / _TIMES)}


def main():
    makers = {
        "ld2410": _published,
        "ld2451": _ours(ld2451.Reports(), 5),
        "ld2450": _ours(ld2450.Reports(), 24),
        "ops243": _of_lines(Lines()),
    }
    frames = {name: unhexlify(text) for name, text in _FRAMES.items()}
    frames["ops243"] = b"606.71,-10.90\r\n"
    print(json.dumps({name: _cost(makers[name], frames[name]) for name in makers}))


main()
