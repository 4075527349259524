# heap: 1m
"""Random and damaged bytes for every radar's parser: nothing is raised, nothing stalls, and the
next valid frame is found. RADAR_FUZZ in the environment: so many frames a parser."""

import os
import random
from binascii import unhexlify

from radar import ld2450, ld2451
from radar.lines import Lines

NUMBER = int(os.getenv("RADAR_FUZZ") or 4000)
ANSWER = unhexlify("FDFCFBFA0800FF0100000100400004030201")
PARSERS = (
    (ld2451.Reports, (unhexlify("F4F3F2F1070001018A10011422F8F7F6F5"), ANSWER), 160),
    (
        ld2450.Reports,
        (unhexlify("AAFF03000E03B186100040010000000000000000000000000000000055CC"), ANSWER),
        110,
    ),
    (Lines, (b"606.71,-10.90\r\n", b'{"Units":"km-per-hr"}\r\n'), 2),
)


def _damaged(frame):
    """As a bad line gives it: cut, with wrong bits, with rubbish, or nothing but rubbish."""
    kind = random.getrandbits(3)
    if kind == 0:
        return frame[: random.randrange(len(frame))]
    if kind == 1:
        return bytes([random.getrandbits(8) for _ in range(random.randrange(40))])
    if kind == 2:
        return bytes([random.getrandbits(8) for _ in range(random.randrange(1, 9))]) + frame
    data = bytearray(frame)
    for _ in range(random.randrange(1, 4)):
        data[random.randrange(len(data))] ^= 1 << random.getrandbits(3)
    return bytes(data)


def _feed(parser, data):
    found = 0
    view = memoryview(data)
    while len(view):
        space = parser.space()
        n = min(len(space), len(view))
        space[:n] = view[:n]
        parser.added(n)
        view = view[n:]
        while parser.next():
            found += 1
    return found


def test_no_bytes_break_a_parser_and_the_next_frame_is_found():
    random.seed(11)
    for make, frames, flush in PARSERS:
        parser = make()
        for i in range(NUMBER):
            _feed(parser, _damaged(frames[i & 1]))
            if i % 50 == 0:
                # What a damaged length still waits for is at most the longest frame.
                before = _feed(parser, b"\n" * flush)
                assert _feed(parser, frames[0]) == 1, (make, i, before)
        assert parser.frames_ok > NUMBER // 8
