"""The contents of the next data frame: ADR, answers, requests, payload (TS001-1.0.4, 4.3, 5)."""

from micropython import const

from lorawan.frames import (
    ACK, ADR, ADR_ACK_REQ, CONFIRMED_UP, OPTIONS_MAX, UNCONFIRMED_UP, build_data_up,
)  # fmt: skip
from lorawan.mac_answers import answers_that_fit, sticky

_ADR_ACK_LIMIT = const(64)  # RP002-1.0.4, 2.3
_ADR_ACK_DELAY = const(32)
_FHDR_PORT = const(8)  # of a MACPayload without options: DevAddr, FCtrl, FCnt, FPort


class Uplink:
    """One payload of the application on its way. port: None for an empty frame."""

    def __init__(self, port, payload, confirmed):
        self.port = port
        self.payload = payload
        self.confirmed = confirmed
        self.is_deferred = False  # a frame of MAC answers was sent before it


class Frame:
    """The frame in the buffer. remaining: transmissions still to be made (NbTrans)."""

    def __init__(self, size, rate, has_payload, remaining):
        self.size = size
        self.rate = rate
        self.has_payload = has_payload  # the application's payload is in it
        self.remaining = remaining
        self.transmissions = 0


def back_off(session):
    """Take the ADR back-off step that is due after a frame without a downlink (4.3.1.1).

    After 96 uplinks the default power. Then every 32 uplinks the next lower data rate. At the
    lowest rate one transmission a frame and the default channels.
    """
    late = session.adr_ack_count - _ADR_ACK_LIMIT
    if not session.adr or late < _ADR_ACK_DELAY or late % _ADR_ACK_DELAY:
        return
    if late == _ADR_ACK_DELAY:
        session.power = 0
    elif session.rate > session.region.table.DEFAULT_RATE:
        session.rate -= 1
    else:
        session.nb_trans = 1
        session.channels.enable_defaults()


def settle_rate(session):
    """Make sure that some enabled channel supports the data rate."""
    channels, table = session.channels, session.region.table
    rate = session.rate
    while rate > table.DEFAULT_RATE and not channels.supports(rate, channels.mask):
        rate -= 1
    if not channels.supports(rate, channels.mask):
        channels.enable_defaults()
        rate = min(session.rate, table.CHANNEL_RATES >> 4)
    session.rate = rate


def payload_rate(session):
    """The data rate of a payload that does not fit at the session's, if there is another one."""
    region = session.region
    for rate in range(session.rate, len(region.table.RX1_RATES)):
        if region.max_mac_payload(rate) - _FHDR_PORT >= region.sure_bytes:
            return rate
    return session.rate


def max_payload(session):
    """N, the longest FRMPayload without options at that data rate."""
    return session.region.max_mac_payload(payload_rate(session)) - _FHDR_PORT


def compose(buf, session, uplink, requests):
    """Build the next frame: (Frame, requests left over), or None if the payload is too long.

    requests: LinkCheckReq and DeviceTimeReq that are due, bytes. MAC answers come first, then
    requests, then the payload (5, table 15). A payload that does not fit beside the answers
    follows in a frame of its own. There the repeated answers give way, or the payload would never
    leave.
    """
    rate, answers, payload = session.rate, session.answers, uplink.payload
    size_max = session.region.max_mac_payload(rate) - _FHDR_PORT
    if len(payload) > size_max:
        rate, size_max = payload_rate(session), max_payload(session)
    if len(payload) > size_max:
        return None
    port, has_payload = uplink.port, True
    options_max = min(OPTIONS_MAX, size_max - len(payload))
    if uplink.is_deferred or len(answers) <= options_max:
        options = answers[: answers_that_fit(answers, options_max)]
    elif len(answers) <= OPTIONS_MAX:
        options, port = answers[: answers_that_fit(answers, size_max)], None
        payload, has_payload = b"", False
    else:
        options, port, has_payload = b"", 0, port is None
        payload = answers[: answers_that_fit(answers, size_max)]
    if port != 0:
        requests_max = min(OPTIONS_MAX, size_max - len(payload)) - len(options)
        options, requests = options + requests[:requests_max], requests[requests_max:]
    confirmed = has_payload and uplink.confirmed
    head = (CONFIRMED_UP if confirmed else UNCONFIRMED_UP, _control(session, rate))
    session.answers = sticky(answers)
    session.ack = False
    uplink.is_deferred = not has_payload
    fcnt = session.count_uplink()
    size = build_data_up(
        buf, session, fcnt, head=head, options=options, port=port, payload=payload
    )
    return Frame(size, rate, has_payload, session.nb_trans), requests


def _control(session, rate):
    flags = ACK if session.ack else 0
    if session.adr and rate == session.rate:  # else it is the device's own choice (4.3.1.1)
        flags |= ADR
        if session.adr_ack_count >= _ADR_ACK_LIMIT:
            flags |= ADR_ACK_REQ
    return flags
