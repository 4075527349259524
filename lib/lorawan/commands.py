"""MAC commands of the network and the device's answers (TS001-1.0.4, 5). Class A.

    02 LinkCheckAns margin u8, gateways u8    08 RXTimingSetupReq delay u8
    03 LinkADRReq   rate << 4 | power, mask   09 TxParamSetupReq dwell times, power u8
                    u16, cntl << 4 | NbTrans  0a DlChannelReq index u8, frequency 3
    04 DutyCycleReq max u8                    0d DeviceTimeAns GPS seconds u32, 1/256 s u8
    05 RXParamSetupReq settings, frequency 3
    06 DevStatusReq
    07 NewChannelReq index, frequency 3, rates

An answer has the number of its request. The length of an unknown command is unknown too. So an
unknown command ends the processing of the frame, and so does one that is cut short.

This module is loaded for a frame with commands and unloaded after it. Such frames are rare.
"""

import struct

from micropython import const

from lorawan.mac_answers import DEVICE_TIME, LINK_CHECK

_LINK_ADR = const(3)
_DUTY_CYCLE = const(4)
_RX_PARAM = const(5)
_DEV_STATUS = const(6)
_NEW_CHANNEL = const(7)
_RX_TIMING = const(8)
_TX_PARAM = const(9)

# By number of a command to the device: bytes behind the number.
_REQUEST = b"\xff\xff\2\4\1\4\0\5\1\1\4\xff\xff\5"
_UNKNOWN = const(0xFF)
_ANSWERS_MAX = const(242)  # the longest FRMPayload
_KEEP = const(15)
_MASK_OK = const(1)
_RATE_OK = const(2)
_POWER_OK = const(4)
_ALL_OK = const(7)


class Commands:
    """Carries out the MAC commands of a frame.

    on_answer(number, data): called for LinkCheckAns and DeviceTimeAns. battery: the level in
    DevStatusAns, 0 = mains, 1 to 254, 255 = not known.
    """

    def __init__(self, on_answer, battery=255):
        self._on_answer = on_answer
        self._battery = battery
        self._session = None
        self._snr = 0
        self._full = False

    def process(self, session, data, snr):
        """Carry out the commands in `data`. Answers are added to the session's. snr: of the frame,
        dB.

        Returns False if an unknown command ended the processing.
        """
        self._session, self._snr, self._full = session, snr, False
        at, block = 0, []
        while at < len(data):
            number = data[at]
            size = _REQUEST[number] if number < len(_REQUEST) else _UNKNOWN
            end = at + 1 + size
            if size == _UNKNOWN or end > len(data):
                break
            if number == _LINK_ADR:
                block.append(data[at + 1 : end])
            else:
                self._link_adr(block)
                block = []
                if number not in session.region.table.DROPPED_COMMANDS:
                    self._run(number, data[at + 1 : end])
            at = end
        self._link_adr(block)
        return at >= len(data)

    def _run(self, number, body):
        if number in (LINK_CHECK, DEVICE_TIME):
            self._on_answer(number, body)
        elif number == _DUTY_CYCLE:
            self._session.max_duty = body[0] & 15
            self._answer((number,))
        elif number == _RX_PARAM:
            self._answer((number, self._rx_param(body)))
        elif number == _DEV_STATUS:
            self._answer((number, self._battery, max(-32, min(31, self._snr)) & 0x3F))
        elif number == _NEW_CHANNEL:
            self._answer((number, self._new_channel(body)))
        elif number == _RX_TIMING:
            self._session.rx1_delay_s = max(1, body[0] & 15)
            self._answer((number,))
        elif number == _TX_PARAM:
            self._tx_param(body)
            self._answer((number,))
        else:
            self._answer((number, self._dl_channel(body)))

    def _answer(self, answer):
        answers = self._session.answers
        self._full = self._full or len(answers) + len(answer) > _ANSWERS_MAX
        if not self._full:
            answers.extend(bytes(answer))

    def _link_adr(self, block):
        """Contiguous LinkADRReq are one change, all or nothing, with an answer each (5.2)."""
        if not block:
            return
        session = self._session
        mask = self._block_mask(block)
        first, redundancy = block[-1][0], block[-1][3]
        rate, power = first >> 4, first & 15
        if rate == _KEEP:
            rate = session.rate
        if power == _KEEP:
            power = session.power
        status = self._link_adr_status(mask, rate, power)
        if status == _ALL_OK:
            session.channels.mask = mask
            session.rate, session.power = rate, power
            if session.adr:
                session.nb_trans = max(1, redundancy & 15)
        elif status & _MASK_OK and not session.adr:
            session.channels.mask = mask  # accepted with the ADR bit unset, too (4.3.1.1)
        for _ in block:
            self._answer((_LINK_ADR, status))

    def _block_mask(self, block):
        """The channel mask after a block of requests, -1 if one of them is impossible."""
        channels = self._session.channels
        mask = channels.mask
        # Only a fixed plan has the method. `_dynamic_mask` is here to save RAM.
        change = getattr(channels, "change_mask", None)
        for body in block:
            control, bits = body[3] >> 4 & 7, struct.unpack_from("<H", body, 1)[0]
            if change:
                mask = change(mask, control, bits)
            else:
                mask = _dynamic_mask(channels.defined_mask(), control, bits)
            if mask < 0:
                return -1
        return mask or -1

    def _link_adr_status(self, mask, rate, power):
        """Status of LinkADRAns. With ADR off, data rate and power are the device's own."""
        session = self._session
        if not session.adr:
            status = _MASK_OK if mask >= 0 else 0
            status |= _RATE_OK if rate == session.rate else 0
            return status | (_POWER_OK if power == session.power else 0)
        status = _MASK_OK if mask >= 0 else 0
        region = session.region
        usable = mask if mask >= 0 else session.channels.mask
        if region.is_rate(rate) and session.channels.supports(rate, usable):
            status |= _RATE_OK
        return status | (_POWER_OK if region.is_power(power) else 0)

    def _rx_param(self, body):
        """Set RX2 frequency, RX2 data rate and RX1DROffset, all or nothing (5.4)."""
        session = self._session
        offset, rate, freq = body[0] >> 4 & 7, body[0] & 15, _freq_hz(body, 1)
        status = 1 if session.region.band(freq) >= 0 else 0
        status |= 2 if session.region.is_rx_rate(rate) else 0
        status |= 4 if session.region.is_offset(offset) else 0
        if status == 7:
            session.rx1_offset, session.rx2_rate, session.rx2_hz = offset, rate, freq
        return status

    def _tx_param(self, body):
        """Set dwell times and power in a region that has them (5.8)."""
        session = self._session
        session.region = region = session.region.table.apply_tx_param(session.region, body[0])
        session.rate = max(session.rate, region.table.DEFAULT_RATE)

    def _new_channel(self, body):
        """Define a channel, but none of the region's default channels. 0 Hz removes it (5.6)."""
        session = self._session
        index, freq, rates = body[0], _freq_hz(body, 1), body[4]
        table = session.region.table
        if not len(table.CHANNELS) <= index < table.CHANNELS_MAX:
            return 0
        if freq == 0:
            session.channels.define(index, 0, 0)
            return 3
        status = 1 if session.region.band(freq) >= 0 else 0
        if rates & 15 <= rates >> 4 and session.region.is_rate(rates >> 4):
            status |= 2
        if status == 3:
            session.channels.define(index, freq, rates)
        return status

    def _dl_channel(self, body):
        """Set the frequency of RX1 for a channel (5.6)."""
        channels = self._session.channels
        index, freq = body[0], _freq_hz(body, 1)
        status = 1 if self._session.region.band(freq) >= 0 else 0
        if index < len(channels.freq) and channels.freq[index]:
            status |= 2
        if status == 3:
            channels.down[index] = freq
        return status


def _dynamic_mask(defined, control, bits):
    """The mask for channels that are defined one by one; -1 if it is impossible."""
    if control == 6:
        return defined
    return bits if control == 0 and not bits & ~defined else -1


def _freq_hz(body, at):
    low, high = struct.unpack_from("<HB", body, at)
    return (low | high << 16) * 100
