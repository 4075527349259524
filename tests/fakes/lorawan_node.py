"""A MAC with a store, a radio and a network as plain calls, for the tests of `lorawan`."""

import struct

from cryptolib import aes
from lorawan.regions import eu868
from lorawan.regions import us915
from lorawan.regions.as923 import Group
from lorawan.crypto import DOWN, Key
from lorawan.frames import Identity
from lorawan.mac import Mac
from lorawan.radio import RX, TX, Radio
from lorawan.regions.region import Region, airtime_us

REGION = Region(eu868)
US915, AS923 = Region(us915, 51), Region(Group("AS923"), 51)
APP_KEY = bytes(range(16))
NWK_KEY, APP_SKEY = b"N" * 16, b"A" * 16
ADDR = 0x26011FF0
SECOND = 1_000_000
HOUR = 3600 * SECOND


def identity():
    return Identity(b"\x70\xb3\xd5\x7e\xd0\x00\x00\x02", b"\x01\2\3\4\5\6\7\x08", APP_KEY)


class Store:
    """Keeps all writes as (name, data). broken: writes fail."""

    def __init__(self):
        self.items = {}
        self.writes = []
        self.broken = False

    def read(self, name):
        return self.items.get(name)

    def write(self, name, data):
        if self.broken:
            raise OSError(5)
        self.items[name] = bytes(data)
        self.writes.append((name, bytes(data)))


def generator(seed):
    state = [seed * 2 + 1]

    def rng(bits):
        state[0] = (state[0] * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        return state[0] >> (64 - bits)

    return rng


class Sent:
    """One transmission: begin, end and contents."""

    def __init__(self, begin, request):
        self.begin = begin
        self.freq, self.sf, self.bw = request.freq_hz, request.sf, request.bw_hz
        self.dbm = request.power_dbm
        self.data = bytes(request.data)
        self.toa = airtime_us(self.sf, self.bw, len(self.data))
        self.end = begin + self.toa

    def fcnt(self):
        return struct.unpack_from("<H", self.data, 6)[0]

    def control(self):
        return self.data[5]

    def options(self):
        return self.data[8 : 8 + (self.data[5] & 15)]

    def port(self):
        at = 8 + (self.data[5] & 15)
        return self.data[at] if at < len(self.data) - 4 else None


class Window:
    def __init__(self, request):
        self.open, self.symbols = request.open_us, request.symbols
        self.freq, self.sf, self.bw = request.freq_hz, request.sf, request.bw_hz


class Node:
    """A MAC that is run by hand. store, seed, radio: of the MAC. session: with one (ABP)."""

    def __init__(self, store=None, seed=1, radio=None, session=True, region=REGION):
        self.store = store or Store()
        self.now = 0
        self.region = region
        self.mac = Mac(region, self.store, generator(seed), 0, radio or Radio())
        if session:
            self.mac.personalise(ADDR, NWK_KEY, APP_SKEY)
        self.down = 0  # next FCntDown

    def transmit(self):
        """Let time pass until the next transmission. Returns `Sent`, or None if none is due."""
        for _ in range(100):
            if self.mac.wake_us is None:
                return None
            self.now = max(self.now, self.mac.wake_us)
            request = self.mac.poll(self.now)
            if request:
                assert request.kind == TX
                return Sent(self.now, request)
        raise AssertionError("it neither sends nor waits")

    def listen(self, sent, rx1=None, rx2=None):
        """Run the windows after `sent`, and return them. rx1, rx2: frames received there."""
        self.now = sent.end
        self.mac.tx_done(sent.end)
        windows = []
        for data in (rx1, rx2):
            self.now = max(self.now, self.mac.wake_us)
            request = self.mac.poll(self.now)
            if request is None:
                break
            assert request.kind == RX
            windows.append(Window(request))
            self.now = request.open_us + 100_000
            if data is None:
                self.mac.rx_timeout(self.now)
                continue
            refused = self._refused()
            self.mac.rx_done(self.now, data, -80, 7)
            if self._refused() == refused:
                break
        return windows

    def _refused(self):
        """Number of frames that the MAC did not accept. It counts a forbidden port after that."""
        refused = self.mac.health()["refused"]
        return sum(refused.values()) - refused.get("port", 0)

    def exchange(self, rx1=None, rx2=None):
        sent = self.transmit()
        return sent, self.listen(sent, rx1, rx2)

    def send(self, payload=b"x", port=1, confirmed=False, rx1=None):
        """Send a payload, and receive `rx1`. Returns the transmission."""
        self.mac.send(port, payload, self.now, confirmed)
        return self.exchange(rx1)[0]

    def obey(self, commands, **more):
        """Send something, and give the node MAC commands in the answer."""
        self.send(rx1=self.downlink(options=commands, **more))
        self.events()

    def downlink(self, fcnt=None, **more):
        if fcnt is None:
            fcnt, self.down = self.down, self.down + 1
        return downlink(fcnt, **more)

    def events(self):
        found = []
        while True:
            event = self.mac.event()
            if event is None:
                return found
            found.append(event)


def downlink(fcnt, port=None, payload=b"", *, options=b"", control=0, mhdr=0x60, addr=ADDR):
    """A data frame of the network."""
    frame = bytearray(struct.pack("<BIBH", mhdr, addr, control | len(options), fcnt & 0xFFFF))
    frame += options
    if port is not None:
        body = bytearray(payload)
        Key(APP_SKEY if port else NWK_KEY).crypt(body, addr, fcnt, DOWN)
        frame.append(port)
        frame += body
    return bytes(frame + struct.pack("<I", Key(NWK_KEY).mic(frame, addr, fcnt, DOWN)))


def join_accept(nonce=1, *, settings=0, delay=1, cf_list=b"", addr=ADDR, key=APP_KEY):
    """A Join-Accept of the network. nonce: a number."""
    frame = bytearray(b"\x20" + struct.pack("<I", nonce)[:3] + b"\x13\0\0")
    frame += struct.pack("<IBB", addr, settings, delay) + cf_list
    frame += struct.pack("<I", Key(key).join_mic(frame))
    cipher = aes(key, 1)
    for at in range(1, len(frame), 16):
        frame[at : at + 16] = cipher.decrypt(bytes(frame[at : at + 16]))
    return bytes(frame)


def freq3(freq_hz):
    return struct.pack("<I", freq_hz // 100)[:3]


def refused(call, *arguments):
    """The text of the ValueError that a call raises."""
    try:
        call(*arguments)
    except ValueError as error:
        return error.args[0]
    raise AssertionError("accepted")
