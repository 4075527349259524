# heap: 1m
"""Random and damaged bytes for every radar's parser: nothing is raised, nothing stalls, and the
next valid frame is found. `make parsers` gives each a million; in the environment RADAR_FUZZ: so
many frames a parser, RADAR_SEED: drawn from this."""

import os
import random
from binascii import unhexlify

from radar import ld2450, ld2451
from radar.lines import Lines
from sensor_line import fed

NUMBER = int(os.getenv("RADAR_FUZZ") or 4000)
SEED = int(os.getenv("RADAR_SEED") or 11)
ANSWER = unhexlify("FDFCFBFA0800FF0100000100400004030201")
REPORT_2451 = unhexlify("F4F3F2F1070001018A10011422F8F7F6F5")
REPORT_2450 = unhexlify("AAFF03000E03B186100040010000000000000000000000000000000055CC")
# What a damaged length still waits for is at most the longest frame.
LONGEST_2451, LONGEST_2450, LONGEST_LINE = 160, 110, 2


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
    return sum(1 for _ in fed(parser, data))


def _storm(parser, frames, flush):
    random.seed(SEED)
    for i in range(NUMBER):
        _feed(parser, _damaged(frames[i & 1]))
        if i % 50 == 0:
            _feed(parser, b"\n" * flush)
            assert _feed(parser, frames[0]) == 1, (SEED, i)
    assert parser.frames_ok > NUMBER // 8


def test_no_bytes_break_the_parser_of_the_ld2451():
    _storm(ld2451.Reports(), (REPORT_2451, ANSWER), LONGEST_2451)


def test_no_bytes_break_the_parser_of_the_ld2450():
    _storm(ld2450.Reports(), (REPORT_2450, ANSWER), LONGEST_2450)


def test_no_bytes_break_the_parser_of_the_ops243():
    _storm(Lines(), (b"606.71,-10.90\r\n", b'{"Units":"km-per-hr"}\r\n'), LONGEST_LINE)
