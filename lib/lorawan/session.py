"""The session of a device: address, keys, counters, MAC parameters, answers due.

Packed form, little endian, for RTC memory and flash (`pack()`):

    region u8 (`REGION_ID`) | DevAddr u32 | NwkSKey 16 | AppSKey 16 | FCntUp u32 (the next one) |
    FCntDown u32 (the lowest still acceptable) | RX2 frequency / 100 Hz u32 | RX1DROffset u8 |
    RX2 data rate u8 | RX1 delay s u8 | data rate u8 | TXPower u8 | NbTrans u8 | MaxDutyCycle u8 |
    flags u8 (1 = ADR, 2 = ACK due, above them `TX_PARAM`) | uplinks without a downlink u16 |
    answers: length u8, bytes | airtime of the last hour: sub-bands u8, u16 each (2 ms); in flash
    none | channels (`regions/channels.py`, `regions/fixed_plan.py`) | crc32 u32 of all before it

The packed form holds the keys. Store it only where secrets are safe.
"""

import struct
from binascii import crc32

from micropython import const

from lorawan.crypto import Key

_HEAD = "<BI16s16sIIIBBBBBBBBH"
_HEAD_BYTES = const(59)
_FLAG_ADR = const(1)
_FLAG_ACK = const(2)
_COUNT_MAX = const(0xFFFF)
_U32 = const(0xFFFFFFFF)


class Session:
    """addr: DevAddr, 32 bits. nwk_key, app_key: 16 bytes. Raises ValueError."""

    def __init__(self, region, addr, nwk_key, app_key):
        if not 0 <= addr <= _U32:
            raise ValueError("DevAddr has 32 bits")
        self.region = region
        self.addr = addr
        self.nwk = Key(nwk_key)
        self.app = Key(app_key)
        self.keys = (bytes(nwk_key), bytes(app_key))
        self.fcnt_up = 0  # of the next new frame
        self.fcnt_down = 0  # the lowest that is still acceptable
        table = region.table
        self.rx1_offset = 0
        self.rx2_hz = table.RX2_HZ
        self.rx2_rate = table.RX2_RATE
        self.rx1_delay_s = 1
        self.rate = table.DEFAULT_RATE
        self.power = 0
        self.nb_trans = 1
        self.max_duty = 0  # the network's limit is 1 / 2 ** max_duty
        self.adr = True
        self.ack = False  # a confirmed downlink is to be acknowledged
        self.adr_ack_count = 0  # new uplinks since the last downlink (ADRACKCnt)
        self.answers = bytearray()  # MAC answers for the next uplink
        self.channels = table.Channels(region)

    def is_of(self, addr, nwk_key, app_key):
        return self.addr == addr and self.keys == (bytes(nwk_key), bytes(app_key))

    def follows(self, kept, reserve):
        """True if this is a later state of a checkpoint, which is at most `reserve` ahead."""
        return (
            self.is_of(kept.addr, *kept.keys)
            and 0 <= kept.fcnt_up - self.fcnt_up <= reserve
            and self.fcnt_down >= kept.fcnt_down
        )

    def apply_join(self, join):
        """Apply the settings of a Join-Accept (6.2.6). Impossible ones leave the defaults."""
        offset, rate = join.dl_settings >> 4 & 7, join.dl_settings & 15
        if self.region.is_offset(offset):
            self.rx1_offset = offset
        if self.region.is_rx_rate(rate):
            self.rx2_rate = rate
        self.rx1_delay_s = max(1, join.rx_delay & 15)
        if join.cf_list:
            self.channels.apply_cf_list(join.cf_list)

    def downlink_received(self, fcnt):
        """An authentic downlink with this counter has come in."""
        self.fcnt_down = fcnt + 1
        self.adr_ack_count = 0
        self.answers = bytearray()  # the network has got the repeated ones

    def count_uplink(self):
        """Return the counter of a new frame, and go on to the next."""
        self.fcnt_up += 1
        self.adr_ack_count = min(self.adr_ack_count + 1, _COUNT_MAX)
        return self.fcnt_up - 1

    def pack(self, fcnt_up, airtime):
        """The packed form with another FCntUp. airtime: u16 per sub-band, or nothing."""
        flags = (_FLAG_ADR if self.adr else 0) | (_FLAG_ACK if self.ack else 0)
        table = self.region.table
        flags |= table.TX_PARAM << 2
        out = bytearray(
            struct.pack(
                _HEAD, table.REGION_ID, self.addr, self.keys[0], self.keys[1], fcnt_up,
                self.fcnt_down, self.rx2_hz // 100, self.rx1_offset, self.rx2_rate,
                self.rx1_delay_s, self.rate, self.power, self.nb_trans, self.max_duty, flags,
                self.adr_ack_count,
            )
        )  # fmt: skip
        out.append(len(self.answers))
        out += self.answers
        out.append(len(airtime))
        for spent in airtime:
            out += struct.pack("<H", min(spent, 0xFFFF))
        out += self.channels.pack()
        out += struct.pack("<I", crc32(out))
        return bytes(out)


def unpack(region, data):
    """(session, airtime per sub-band) of a packed session. Raises ValueError."""
    end = len(data) - 4
    if end < _HEAD_BYTES + 2 or data[0] != region.table.REGION_ID:
        raise ValueError("session: length %d" % len(data))
    if struct.unpack_from("<I", data, end)[0] != crc32(data[:end]):
        raise ValueError("session: checksum")
    head = struct.unpack_from(_HEAD, data)
    session = Session(region, head[1], head[2], head[3])
    session.fcnt_up, session.fcnt_down = head[4:6]
    session.rx2_hz = head[6] * 100
    session.rx1_offset, session.rx2_rate, session.rx1_delay_s = head[7:10]
    session.rate, session.power, session.nb_trans, session.max_duty = head[10:14]
    session.adr = bool(head[14] & _FLAG_ADR)
    session.ack = bool(head[14] & _FLAG_ACK)
    if head[14] >> 2:
        session.region = region.table.restore_tx_param(region, head[14] >> 2)
    session.adr_ack_count = head[15]
    at = _HEAD_BYTES + 1 + data[_HEAD_BYTES]
    session.answers = bytearray(data[_HEAD_BYTES + 1 : at])
    if at >= end or at + 1 + 2 * data[at] > end:
        raise ValueError("session: answers")
    airtime = struct.unpack_from("<%dH" % data[at], data, at + 1)
    session.channels.unpack(data[at + 1 + 2 * len(airtime) : end])
    _check(session)
    return session, airtime


def _check(session):
    """A packed session of other software, or of another region's table, must not crash the MAC."""
    region = session.region
    good = (
        region.is_rate(session.rate) and region.is_rx_rate(session.rx2_rate)
        and region.is_offset(session.rx1_offset) and 1 <= session.rx1_delay_s <= 15
        and session.power <= region.table.TX_POWER_MAX and 1 <= session.nb_trans <= 15
        and session.max_duty <= 15 and region.band(session.rx2_hz) >= 0
    )  # fmt: skip
    if not good:
        raise ValueError("session: out of range")
