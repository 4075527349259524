"""Frames on air (TS001-1.0.4, 4 and 6.2): uplinks are built, downlinks are parsed.

    PHYPayload    MHDR u8 | MACPayload | MIC u32
    MHDR          type << 5 | RFU << 2 | major 0
    MACPayload    DevAddr u32 | FCtrl u8 | FCnt u16 | FOpts 0..15 | [FPort u8 | FRMPayload]
    FCtrl up      ADR 80, ADRACKReq 40, ACK 20, ClassB 10, FOptsLen 0f; down: FPending 10
    Join-Request  00 | JoinEUI 8 | DevEUI 8 | DevNonce u16 | MIC
    Join-Accept   20 | AES(JoinNonce 3 | NetID 3 | DevAddr 4 | DLSettings | RxDelay | [CFList 16]
                  | MIC)

Numbers are little endian. An EUI is given as it is printed, most significant byte first, and is
reversed here. A received frame is never trusted. Any fault in it is a ValueError with one of
`REASONS` as its text, and the session has not changed.
"""

import struct

from micropython import const

from lorawan.crypto import DOWN, UP, Key

UNCONFIRMED_UP = const(0x40)
CONFIRMED_UP = const(0x80)
ADR = const(0x80)
ADR_ACK_REQ = const(0x40)
ACK = const(0x20)
PENDING = const(0x10)
OPTIONS_MAX = const(15)
FRAME_MAX = const(255)

# Reasons to drop a received frame, in the order of the texts: too short or too long; not a
# downlink; not LoRaWAN R1; for another device; MAC commands in both places, or a broken length;
# wrong integrity code; a counter that was seen; a counter at its end; a JoinNonce that was used.
REASONS = (
    "length", "type", "major", "address", "options", "mic", "replay", "counter", "nonce"
)  # fmt: skip

_JOIN_ACCEPT = const(0x20)
_UNCONFIRMED_DOWN = const(0x60)
_CONFIRMED_DOWN = const(0xA0)
_FHDR = const(8)  # MHDR and FHDR without options
_FRAME_MIN = const(12)
_U32 = const(0xFFFFFFFF)


class Identity:
    """Identity for a join. dev_eui, join_eui: 8 bytes. app_key: 16 bytes. Raises ValueError."""

    def __init__(self, dev_eui, join_eui, app_key):
        if len(dev_eui) != 8 or len(join_eui) != 8:
            raise ValueError("an EUI has 8 bytes")
        self.dev_eui = bytes(dev_eui)
        self.join_eui = bytes(join_eui)
        self.key = Key(app_key)


def build_join_request(buf, identity, dev_nonce):
    """Write a Join-Request to `buf`. Returns its length, 23 bytes."""
    buf[0] = 0
    for i in range(8):
        buf[1 + i] = identity.join_eui[7 - i]
        buf[9 + i] = identity.dev_eui[7 - i]
    struct.pack_into("<H", buf, 17, dev_nonce)
    struct.pack_into("<I", buf, 19, identity.key.join_mic(memoryview(buf)[:19]))
    return 23


class JoinAccept:
    """A Join-Accept for this device. data: bytes. Raises ValueError.

    dl_settings: RX2 data rate, RX1DROffset << 4. rx_delay: seconds, 0 means 1. cf_list: 16 bytes
    or None.
    """

    def __init__(self, data, identity, dev_nonce):
        if len(data) not in (17, 33):
            raise ValueError("length")
        _check_header(data[0], (_JOIN_ACCEPT,))
        plain = bytearray(data)
        view = memoryview(plain)
        for at in range(1, len(plain), 16):
            identity.key.encrypt(view[at : at + 16])
        end = len(plain) - 4
        if struct.unpack_from("<I", plain, end)[0] != identity.key.join_mic(view[:end]):
            raise ValueError("mic")
        self.nonce = bytes(view[1:4])
        self.addr, self.dl_settings, self.rx_delay = struct.unpack_from("<IBB", plain, 7)
        self.cf_list = bytes(view[13:29]) if end == 29 else None
        nonces = bytes(view[1:7]) + struct.pack("<H", dev_nonce)
        self.nwk_key = identity.key.session_key(1, nonces)
        self.app_key = identity.key.session_key(2, nonces)


def build_data_up(buf, session, fcnt, *, head, options, port, payload):
    """Write a data frame to `buf`. Returns its length in bytes.

    session: `addr`, `nwk` and `app` (keys). fcnt: 32 bits. head: (MHDR, FCtrl without the length
    of the options). port: 0 to 255, or None for a frame without one (then payload is empty).
    """
    size = len(options)
    struct.pack_into("<BIBH", buf, 0, head[0], session.addr, head[1] | size, fcnt & 0xFFFF)
    buf[_FHDR : _FHDR + size] = options
    end = _FHDR + size
    view = memoryview(buf)
    if port is not None:
        buf[end] = port
        start = end + 1
        end = start + len(payload)
        buf[start:end] = payload
        key = session.app if port else session.nwk
        key.crypt(view[start:end], session.addr, fcnt, UP)
    struct.pack_into("<I", buf, end, session.nwk.mic(view[:end], session.addr, fcnt, UP))
    return end + 4


class Downlink:
    """A data frame from the network to this device. data: bytes. Raises ValueError.

    session: as in `build_data_up()`, and `fcnt_down`, the lowest counter that is still acceptable.
    confirmed, ack, pending: flags. fcnt: 32 bits. port: None if there is none. options, payload:
    decrypted bytes. commands: MAC commands, from the options or from port 0.
    """

    def __init__(self, data, session):
        if not _FRAME_MIN <= len(data) <= FRAME_MAX:
            raise ValueError("length")
        self.confirmed = _check_header(data[0], (_UNCONFIRMED_DOWN, _CONFIRMED_DOWN))
        addr, fctrl, low = struct.unpack_from("<IBH", data, 1)
        if addr != session.addr:
            raise ValueError("address")
        self.ack = bool(fctrl & ACK)
        self.pending = bool(fctrl & PENDING)
        plain = bytearray(data)
        view = memoryview(plain)[: len(plain) - 4]
        start = _FHDR + (fctrl & OPTIONS_MAX)
        self._split(view, start)
        self.fcnt = full_counter(session.fcnt_down, low)
        if self.fcnt >= _U32:  # the one after it must still be a counter
            raise ValueError("counter")
        code = struct.unpack_from("<I", plain, len(view))[0]
        if code != session.nwk.mic(view, addr, self.fcnt, DOWN):
            # An old frame has a wrong code, because the upper half of the counter was raised.
            raise ValueError("replay" if self.fcnt >> 16 != session.fcnt_down >> 16 else "mic")
        key = session.app if self.port else session.nwk
        key.crypt(view[start + 1 :], addr, self.fcnt, DOWN)
        self.payload = bytes(view[start + 1 :])
        self.commands = self.payload if self.port == 0 else bytes(view[_FHDR:start])

    def _split(self, view, start):
        if start > len(view):
            raise ValueError("options")
        self.port = view[start] if start < len(view) else None
        if self.port == 0 and start > _FHDR:  # 4.3.1.6: MAC commands in both places
            raise ValueError("options")


def _check_header(mhdr, types):
    """Return True for the last type of `types`. The RFU bits of MHDR are ignored (4.2)."""
    if mhdr & 0xE0 not in types:
        raise ValueError("type")
    if mhdr & 3:
        raise ValueError("major")
    return mhdr & 0xE0 == types[-1]


def full_counter(lowest, low):
    """The first 32-bit counter from `lowest` on with the lower half `low` (4.3.1.5).

    The gap has had no limit since 1.0.4.
    """
    full = lowest & ~0xFFFF | low
    return full if full >= lowest else full + 0x10000
