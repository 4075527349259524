"""Records, frames and JSON stay what they are: backends and logs of other versions read them.

CRCs over what becomes of made-up records, for every tenth of the way. A change of a form changes
them. Then it needs a new version of the form, and a word in the CHANGELOG.
"""

import io
import random
import struct
from binascii import crc32

from wire import downlink, note
from wire.frame import Frame
from wire.jsonform import CLOSE, open_counts, write_interval
from wire.merge import can_merge, merge
from wire.record import MAX_BYTES, Interval

UTC = 1_800_000_000
RECORDS = """
d745b3ab 1ad5f45f ab9a6e9a 7edbc9e8 8aef0e2c
6dd2cf62 093333d6 6f701aa8 6b744279 f09055ae
"""
TEXTS = """
c378c125 b319dce4 f8ec0451 7a5a723d 1f0d2e9b
904d51d0 24ae5db1 e22213d0 26abaa15 01b145b6
"""
FRAMES = """
5661f0b7 448ab0fa a2458312 cdd81595 9c0bfc08
b2afd6ca 8a6b44dd cf7cf378 c3c1976d 227a321e
"""
MERGES = """
91534f82 20757fbc dc60f3b5 c48dfafb fbc10356
ab499d1c 726bddc4 dcd88b8e d26b57a5 de470344
"""
NOTES = """
90a1e995 67c07a92 2cac36f0 1bed7fc2 f66bde39
02d94b93 e5e70529 b28bdf6e aab4a025 d41f6317
"""
DOWNLINKS = """
15ff2648 2e9d5f6c 3f627e64 0ff72412 8515aa3c
a991ae2f 27cd8a04 1bbab0ed 94694c78 5d58bcb9
"""


def _numbers(*limits):
    return [random.randrange(limit) for limit in limits]


def _record(i, start):
    """Record number i, with everything that a node counts. Some fields are at their limits."""
    rec = Interval()
    rec.reset(start if random.randrange(8) else 0, random.randrange(1 << 20))
    rec.seq = i
    rec.length = (60, 300, 900, 900, 1800, 3600, 717)[random.randrange(7)]
    rec.coverage = rec.length - random.randrange(rec.length) * (random.randrange(3) == 0)
    rec.why, rec.boot, rec.supply_mv = _numbers(256, 65536, 5000)
    rec.why *= random.randrange(2)
    rec.time_source, rec.detector, rec.reset_cause = _numbers(5, 7, 6)
    rec.sync_age, rec.config_hash = random.randrange(65536), random.getrandbits(24) * 250
    rec.temp_c = random.randrange(-128, 128)
    for _ in range(random.randrange(60)):
        direction, cls, dkmh = _numbers(2, 5, 1500)
        rec.add(direction, cls, dkmh - 100, random.randrange(40) if i % 3 else 0)
        if i % 2:
            headway = random.randrange(-1, 90_000)
            rec.add_headway(direction, headway, headway // 2, random.randrange(-1, 3000))
    if i % 7 == 0:
        rec.counts[random.randrange(10)] = (0xFFFF, 1000, 20_000)[random.randrange(3)]
        rec.totals[random.randrange(10)] = random.getrandbits(24) * 64
    return rec


def _said(call, *args):
    """What a call returns, or the text of its refusal."""
    try:
        return call(*args)
    except ValueError as error:
        return "refused", error.args


def _shown(rec):
    out = io.StringIO()
    open_counts(out, "n1", 0xC0FFEE)
    write_interval(out, rec)
    out.write(CLOSE)
    return out.getvalue()


def _packed(rec):
    buf = bytearray(MAX_BYTES)
    return buf[: rec.pack_into(buf)]


def _damaged(data):
    """A record with wrong bytes, cut or longer than it was."""
    data = bytearray(data) + bytes(random.randrange(2))
    for _ in range(random.randrange(3)):
        data[random.randrange(len(data))] = random.getrandbits(8)
    return data[: random.randrange(len(data)) + 1] if random.randrange(3) == 0 else data


def _crcs(parts, count):
    """A CRC of all that parts() yields, at each tenth of `count` turns."""
    crc, got = 0, []
    for i in range(1, count + 1):
        random.seed(i)
        for part in parts(i):
            crc = crc32(part if isinstance(part, (bytes, bytearray)) else repr(part).encode(), crc)
        if i % (count // 10) == 0:
            got.append("%08x" % crc)
    return got


def _same(parts, count, wanted):
    got = _crcs(parts, count)
    assert got == wanted.split(), " ".join(got)


def _records(i):
    rec, copy = _record(i, UTC + 900 * i), Interval()
    data = _packed(rec)
    copy.unpack(data, len(data))
    assert _packed(copy) == data
    yield data
    hurt = _damaged(data)
    yield _said(copy.unpack, hurt, len(hurt))
    yield _packed(copy) if not isinstance(_said(copy.unpack, hurt, len(hurt)), tuple) else b""


def _texts(i):
    yield _shown(_record(i, UTC + 900 * i)).encode()


def _frames(i):
    buf = bytearray(115)
    frame = Frame(buf)
    frame.begin(random.getrandbits(24), random.randrange(24, 116), random.randrange(5))
    seq, start = random.choice((40, 3000, 17_000, 200_000, 3_000_000)), UTC + 300 * i
    for _ in range(6):
        rec = _record(seq, start)
        span = random.randrange(1, 70) if random.randrange(4) == 0 else 1
        yield _said(frame.add, rec, span)
        seq -= span + random.randrange(5) // 4
        start -= (rec.length, 900)[random.randrange(2)]
    yield frame.is_long, frame.records
    yield buf[: frame.end()]


def _merges(i):
    rec, older = _record(200 + i, UTC + 900 * i), _record(199 + i, 0)
    older.seq -= random.randrange(6) // 5
    older.start = rec.start - older.length + random.randrange(6) // 5
    rec.start = rec.start and older.start + older.length
    can = can_merge(rec, older, 1, (1800, 3600)[i & 1])
    yield can
    if can:
        merge(rec, older)
        yield _packed(rec), rec.seq


def _notes(i):
    buf = bytearray(note.MAX_BYTES)
    event = random.choice((
        {"event": "start", "reset": "watchdog", "boot": i * 300, "dropped": i, "version": "0.2.0"},
        {"event": "start", "reset": "none", "boot": i, "dropped": i},
        {"event": "detector", "was": i % 7, "state": i % 5}, {"event": "detector", "was": 1},
        {"event": "clock_step", "seconds": random.randrange(-90_000, 90_000)},
        {"event": "fault", "code": i * 100, "reason": "text"}, {"event": "x" * i},
        {"event": "anchor", "boot": i, "uptime": i * 900, "source": 3},
        {"event": "gone", "from": i, "to": i * i}, {"event": "caf\u00e9"},
        {"event": "gone", "from": -1, "to": 2}, {"event": "fault", "code": "text"},
    ))  # fmt: skip
    n = note.write(3, buf, random.getrandbits(24), i, UTC + i, event)
    yield bytes(buf[:n])
    values = _numbers(9999, 9999, 65536, 6, 7, 5, 1 << 20, 5000, 100, 300, 256)
    n = note.write(4, buf, random.getrandbits(24), values)
    yield bytes(buf[:n])
    n = note.write(5, buf, i & 255, i % 7, "reason " * (i % 9))
    yield bytes(buf[:n])


def _parsed(parse, payload):
    try:
        return parse(payload)
    except downlink.Refusal as error:
        return error.name, error.code, error.args


def _downlinks(i):
    for parse, form in (
        (downlink.parse_ack, ">BHI"), (downlink.parse_command, ">BBBHII"),
        (downlink.parse_command, ">BBB"), (downlink.parse_config, ">BB" + "Bh" * (i % 10)),
    ):  # fmt: skip
        size = struct.calcsize(form) + random.randrange(8) // 7
        payload = bytearray([random.getrandbits(8) for _ in range(size)])
        if random.randrange(6):
            payload[0] = 1
        if size > 2 and random.randrange(6):
            payload[2] = random.randrange(6)
        for at in range(2, size, 3):
            payload[at] %= 19
        found = _parsed(parse, bytes(payload))
        if isinstance(found[1], dict):
            found = found[0], sorted(found[1].items())
        yield found


def test_records():
    _same(_records, 500, RECORDS)


def test_texts():
    _same(_texts, 300, TEXTS)


def test_frames():
    _same(_frames, 400, FRAMES)


def test_merges():
    _same(_merges, 400, MERGES)


def test_notes():
    _same(_notes, 300, NOTES)


def test_downlinks():
    _same(_downlinks, 400, DOWNLINKS)
