"""The same network hears the same frames with every version: what is on the air is certified.

Lives of devices are made of seeded noise: joins, losses, MAC commands of all kinds, resets. Each
list has a CRC of everything that happened so far, for every 20 frames. A change of the behaviour
changes a list from one place on. Then it is made anew, with the reason in the CHANGELOG.
"""

import struct
from binascii import crc32

from lorawan_node import (
    AS923, REGION, US915, Node, Store, freq3, generator, identity, join_accept,
)  # fmt: skip

from lorawan.mac import NotReady
from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK

FREQS = {
    REGION: (867_100_000, 867_300_000, 868_800_000, 869_525_000, 863_000_000, 915_000_000),
    US915: (923_300_000, 925_100_000, 927_500_000, 915_000_000, 868_100_000, 0),
    AS923: (923_200_000, 922_000_000, 924_600_000, 927_000_000, 868_100_000, 0),
}


class Life:
    """A device and its network, both by the numbers of one generator."""

    def __init__(self, region, seed):
        self._rng = generator(seed)
        self._region = region
        self.store = Store()
        self.node = Node(self.store, seed=seed, region=region)
        self.crc = 0

    def pick(self, *choices):
        return choices[self._rng(16) % len(choices)]

    def note(self, *what):
        self.crc = crc32(repr(what).encode(), self.crc)

    def _command(self):
        freq = freq3(self.pick(*FREQS[self._region]))
        byte = self._rng(8)
        return self.pick(
            struct.pack("<BBHB", 3, byte, self.pick(7, 0xFF00, 3, 0xFFFF, 0), self._rng(7)),
            struct.pack("<BBHB", 3, 0x51 & byte, self.pick(7, 0x00FF), self.pick(1, 0x61, 2)),
            b"\4" + bytes((byte & 3,)), b"\5" + bytes((byte & 0x7F,)) + freq, b"\6",
            b"\7" + bytes((byte & 15,)) + freq + self.pick(b"\x50", b"\x30", b"\x05", b"\x77"),
            b"\x08" + bytes((byte & 15,)), b"\x09" + bytes((byte & 0x3F,)),
            b"\x0a" + bytes((byte & 7,)) + freq, b"\2\x0a\2", b"\x0d\x10\x27\0\0\x40",
            b"\x3f",
        )  # fmt: skip

    def _answer(self):
        """A downlink of any kind, or None."""
        node = self.node
        if self.pick(0, 1, 2) == 0 or node.mac.session is None:
            return None
        options = b""
        for _ in range(self.pick(0, 0, 1, 1, 2)):
            options += self._command()
        more = {"control": self.pick(0, 0, 0x20, 0x10), "mhdr": self.pick(0x60, 0x60, 0xA0)}
        if self.pick(0, 1, 2) == 0:
            more["port"], more["payload"] = self.pick(1, 99, 223, 224, 226), bytes(self._rng(5))
        elif options and self.pick(0, 1, 2, 3) == 0:
            more["port"], more["payload"], options = 0, options, b""
        frame = node.downlink(options=options[:15], **more)
        if self.pick(*range(12)) == 0:
            return frame[:-1] + bytes((frame[-1] ^ 1,))
        return frame

    def _restart(self):
        recent = self.node.mac.snapshot() if self.pick(0, 1) else None
        down, now = self.node.down, self.node.now
        self.node = Node(self.store, seed=self._rng(8), region=self._region, session=False)
        self.node.down, self.node.now = down, now
        self.note("restart", self.node.mac.restore(now, recent))

    def _accept(self):
        lists = (b"", b"".join([freq3(freq) for freq in FREQS[self._region][:5]]) + b"\0",
                 b"\xff" * 9 + bytes(6) + b"\1", bytes(16))  # fmt: skip
        return join_accept(
            self._rng(8), settings=self._rng(7), delay=self._rng(4), cf_list=self.pick(*lists)
        )

    def step(self):
        """One frame, or what takes its place."""
        node = self.node
        mac = node.mac
        if mac.session is None or mac.joining():
            rx1, rx2 = self.pick((None, None), (self._accept(), None), (None, self._accept()))
        else:
            if self.pick(*range(30)) == 0:
                self._restart()
                node = self.node
                mac = node.mac
            if self.pick(*range(9)) == 0:
                mac.queue_request(self.pick(LINK_CHECK, DEVICE_TIME))
            if self.pick(*range(25)) == 0:
                mac.set_adr(bool(self.pick(0, 1, 1)), self.pick(2, 3, 4))
            rx1, rx2 = self.pick((self._answer(), None), (None, self._answer()), (None, None))
            try:
                size = min(self.pick(0, 3, 24, 51, 115, 200), mac.max_payload())
                mac.send(self.pick(1, 2, 223) if size else None, bytes(size), node.now,
                         self.pick(False, False, True))  # fmt: skip
            except (ValueError, NotReady) as error:  # a repetition is still due
                self.note(error.args)
        sent = node.transmit()
        if sent:
            windows = [vars_of(window) for window in node.listen(sent, rx1, rx2)]
            self.note(sent.begin, sent.freq, sent.sf, sent.bw, sent.dbm, sent.data, windows)
        self.note(node.events(), mac.wake_us, mac.pending, mac.wants_uplink())
        health = mac.health()
        self.note(sorted(health.pop("refused").items()), sorted(health.items()))
        if mac.session:
            self.note(mac.snapshot())


def vars_of(window):
    return window.open, window.symbols, window.freq, window.sf, window.bw


def _same(life, wanted):
    got = []
    for number in range(1, 201):
        life.step()
        if number % 20 == 0:
            got.append("%08x" % life.crc)
    assert got == wanted.split(), " ".join(got)


def _joining(region, seed):
    """A device that joins, and joins again after every 20 frames."""
    life = Life(region, seed)
    step, frames = life.step, []

    def joins():
        if len(frames) % 20 == 0:
            life.node.mac.join(identity(), life.node.now)
        frames.append(1)
        step()

    life.step = joins
    return life


EU868 = """
a8aad87f 5b5bebb4 c563e5f0 980179f7 c4d0b7c1
f4b394ad ab5106aa 5b36d72d 233bcc5c 39eaaf0b
"""
EU868_AGAIN = """
ce2ef079 155be6ec b87af175 fae71cea a5794b2e
a60f7d29 abd34052 c190f518 db61aa9b 3fb0a493
"""
US915_AIR = """
3bed2c5e 85f016f0 4c3bf46a 275df9a5 fc63cd48
cc304fde 609f61fb 9e19e76d e49a9a45 cb452920
"""
AS923_AIR = """
88c61073 2aec45a5 adee488a 06d0775c 4ea6332c
777bb554 356e9b1b e04a42ab 943b9091 cacedf29
"""
JOINS_EU868 = """
79e90a07 8039b7cc ea652303 b3d0a28a fe90bd88
c4adfc82 05a2d1cf a3dc61ce 08072551 bd1c0d28
"""
JOINS_US915 = """
57d7a74a 73fd8fc1 2f284e6f b5609191 492da878
3c573028 8cef4172 28bbd95a d24f3bcf 753c0579
"""
JOINS_AS923 = """
1a208f62 b220f83c 8d969391 52431fab 8246d698
b4fca624 3a8e11f0 d65514a0 24d11b80 944ffe48
"""


def test_eu868():
    _same(Life(REGION, 1), EU868)
    _same(Life(REGION, 2), EU868_AGAIN)


def test_us915():
    _same(Life(US915, 3), US915_AIR)


def test_as923():
    _same(Life(AS923, 4), AS923_AIR)


def test_joins():
    _same(_joining(REGION, 5), JOINS_EU868)
    _same(_joining(US915, 6), JOINS_US915)
    _same(_joining(AS923, 7), JOINS_AS923)
