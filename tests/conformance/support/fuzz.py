"""Random and damaged downlinks, in MicroPython: `fuzz.py NUMBER SEED REGION`.

A frame without the key changes nothing: no event, no counter, no setting. A frame with the key may
ask for anything. The MAC survives it, and its settings stay possible. Prints how many frames were
given to the MAC, or ends with an exception that names the frame.
"""

import random
import sys
from binascii import hexlify

from lorawan_node import (
    ADDR, AS923, REGION, US915, Node, Store, downlink, freq3, identity, join_accept,
)  # fmt: skip

from lorawan.frames import REASONS
from lorawan.session import unpack

SENT, JOIN_FAILED = "sent", "join_failed"
REGIONS = {"EU868": REGION, "US915": US915, "AS923": AS923}
FREQS = (
    0, 863_100_000, 867_100_000, 868_300_000, 868_650_000, 869_525_000, 870_000_000, 902_300_000,
    923_300_000, 923_400_000, 928_000_000,
)  # fmt: skip
PER_SESSION = 400  # frames, then a new node


class Quiet(Store):
    """A store without a history."""

    def write(self, name, data):
        self.items[name] = bytes(data)


def noise(size_max):
    return bytes([random.getrandbits(8) for _ in range(random.randrange(size_max))])


def broken(frame):
    """A frame with a few wrong bits, or a wrong end."""
    data = bytearray(frame)
    how = random.randrange(4)
    if how == 0:
        data = data[: random.randrange(len(data))]
    elif how == 1:
        data += noise(20) + b"\0"
    for _ in range(random.randrange(1, 4)):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def genuine(fcnt):
    """A frame of the network with random contents."""
    how = random.randrange(4)
    options = noise(16) if how < 2 else b""
    port = None if how == 0 else random.choice((0, 0, 1, 223, 224, 255))
    if port == 0:
        options = b""
    payload = commands() if port == 0 else noise(52 if port is not None else 1)
    mhdr = random.choice((0x60, 0xA0, 0x7C))
    control = random.getrandbits(8) & 0xF0
    return downlink(fcnt, port, payload[:51], options=options, control=control, mhdr=mhdr)


def commands():
    """MAC commands of the right lengths with any content. Most frequencies are possible ones."""
    lengths = b"\xff\xff\2\4\1\4\0\5\1\1\4\xff\xff\5"
    data = b""
    while len(data) < 40:
        number = random.choice((2, 3, 3, 3, 4, 5, 6, 7, 7, 8, 9, 10, 13))
        body = bytes([random.getrandbits(8) for _ in range(lengths[number])])
        if number in (5, 7, 10) and random.randrange(4):
            body = body[:1] + freq3(random.choice(FREQS)) + body[4:]
        data += bytes((number,)) + body
    return data[: random.randrange(60)]


def foreign(good, old):
    """A frame without the key. good: a frame that the MAC would accept. old: one that it has
    accepted.
    """
    how = random.randrange(7)
    if how == 0:
        return noise(260)
    if how == 1:  # for this device, by its looks
        return b"\x60" + ADDR.to_bytes(4, "little") + noise(60)
    if how == 2:
        return old
    if how == 3:
        return join_accept(random.getrandbits(24))
    if how == 4:  # for the device, but an uplink
        return b"\x40" + good[1:]
    if how == 5:
        return downlink(0, 1, noise(9), addr=ADDR ^ 1 << random.randrange(32))
    changed = broken(good)
    return changed if changed != good else noise(9)


def state(node):
    return node.mac.session.pack(node.mac.session.fcnt_up, ())


def quiet(node, number):
    """Two frames without the key after one transmission."""
    good = downlink(node.down, 1, b"good")
    first, second = foreign(good, node.old), foreign(good, node.old)
    sent = node.transmit()
    before = state(node)
    try:
        windows = node.listen(sent, first, second)
    except Exception:
        sys.stdout.write("after %d: %s %s\n" % (number, hexlify(first), hexlify(second)))
        raise
    what = (hexlify(first), hexlify(second))
    assert len(windows) == 2, what
    assert state(node) == before, what
    assert [event[0] for event in node.events()] == [SENT], what


def obeyed(node):
    """A genuine frame with any content."""
    frame = genuine(node.down)
    sent = node.transmit()
    try:
        node.listen(sent, frame)
    except Exception:
        sys.stdout.write("genuine: %s\n" % hexlify(frame))
        raise
    node.down += 1
    if node.mac.session.fcnt_down == node.down:  # or it was too long for its data rate
        node.old = frame
    node.events()
    unpack(node.region, state(node))  # ValueError if it has been set to what is not possible
    node.mac.session.max_duty = 0
    node.mac.session.nb_trans = 1


def joining(node):
    """Frames without the key during a join."""
    good = join_accept(5)
    for _ in range(10):
        first, second = broken(good), noise(40)
        if first == good:
            continue
        node.exchange(first, second)
        assert [event[0] for event in node.events()] == [JOIN_FAILED], hexlify(first)
        assert node.mac.session is None, hexlify(first)


def session(frames, region):
    """One node: a join, then frames with and without the key. Returns the number of frames."""
    given = 20
    node = Node(Quiet(), random.getrandbits(30), session=False, region=region)
    node.mac.join(identity(), 0)
    joining(node)
    node = Node(Quiet(), random.getrandbits(30), region=region)
    node.old = downlink(0, 1, b"old")
    node.mac.send(1, b"x", 0)
    node.exchange(node.old)
    node.down = 1
    node.events()
    while given < frames:
        node.mac.send(1, b"x", node.now)
        if (
            random.randrange(6) == 0
            or node.mac.session.answers
            or node.mac.session.adr_ack_count > 50
        ):
            obeyed(node)
            given += 1
        else:
            quiet(node, given)
            given += 2
        node.events()
        node.mac.stop(node.now)
        assert node.mac.wake_us is None, "it neither rests nor can be stopped"
    reasons = set(node.mac.health()["refused"])
    assert reasons <= set(REASONS + ("port",)), reasons
    return given


def main():
    number, seed, region = int(sys.argv[1]), int(sys.argv[2]), REGIONS[sys.argv[3]]
    random.seed(seed)
    given = 0
    while given < number:
        given += session(min(PER_SESSION, max(number - given, 21)), region)
    sys.stdout.write("%d\n" % given)


main()
