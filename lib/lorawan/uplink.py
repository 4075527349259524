"""What goes into the next data frame: ADR, answers, requests, payload (TS001-1.0.4, 4.3, 5)."""

from micropython import const

from lorawan.mac_answers import answers_that_fit, sticky
from lorawan.frames import (
    ACK, ADR, ADR_ACK_REQ, CONFIRMED_UP, MAX_OPTIONS, UNCONFIRMED_UP, data_up,
)  # fmt: skip

_ADR_ACK_LIMIT = const(64)  # RP002-1.0.4, 2.3
_ADR_ACK_DELAY = const(32)
_FHDR_PORT = const(8)  # of a MACPayload without options: DevAddr, FCtrl, FCnt, FPort


class Uplink:
    """One payload of the application on its way. port: None for an empty frame."""

    def __init__(self, port, payload, confirmed):
        self.port = port
        self.payload = payload
        self.confirmed = confirmed
        self.put_off = False  # a frame of MAC answers has gone before it


class Frame:
    """The frame in the buffer. left: transmissions still to be made (NbTrans)."""

    def __init__(self, size, rate, whole, left):
        self.size = size
        self.rate = rate
        self.whole = whole  # the application's payload is in it
        self.left = left
        self.made = 0


def back_off(session):
    """The step that is due after a frame to which nothing was heard (4.3.1.1).

    After 96 uplinks the default power, then every 32 the next lower data rate, then one
    transmission a frame and the default channels as well.
    """
    late = session.silent_count - _ADR_ACK_LIMIT
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
    """Make sure that some enabled channel knows the data rate."""
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
        if region.max_mac(rate) - _FHDR_PORT >= region.sure_bytes:
            return rate
    return session.rate


def room(session):
    """N, the longest FRMPayload without options at that data rate."""
    return session.region.max_mac(payload_rate(session)) - _FHDR_PORT


def compose(buf, session, uplink, requests):
    """Build the next frame: (Frame, requests left over), or None if the payload is too long.

    requests: LinkCheckReq and DeviceTimeReq that are wanted, bytes. MAC answers come first, then
    requests, then the payload (5, table 15): what does not fit beside the answers follows in a
    frame of its own. Answers that have to be repeated give way then, or it would never leave.
    """
    rate, answers, payload = session.rate, session.answers, uplink.payload
    most = session.region.max_mac(rate) - _FHDR_PORT
    if len(payload) > most:
        rate, most = payload_rate(session), room(session)
    if len(payload) > most:
        return None
    port, whole = uplink.port, True
    beside = min(MAX_OPTIONS, most - len(payload))
    if uplink.put_off or len(answers) <= beside:
        options = answers[: answers_that_fit(answers, beside)]
    elif len(answers) <= MAX_OPTIONS:
        options, port = answers[: answers_that_fit(answers, most)], None
        payload, whole = b"", False
    else:
        options, port, whole = b"", 0, port is None
        payload = answers[: answers_that_fit(answers, most)]
    if port != 0:
        space = min(MAX_OPTIONS, most - len(payload)) - len(options)
        options, requests = options + requests[:space], requests[space:]
    confirmed = whole and uplink.confirmed
    head = (CONFIRMED_UP if confirmed else UNCONFIRMED_UP, _control(session, rate))
    session.answers = sticky(answers)
    session.ack = False
    uplink.put_off = not whole
    fcnt = session.sent()
    size = data_up(buf, session, fcnt, head=head, options=options, port=port, payload=payload)
    return Frame(size, rate, whole, session.nb_trans), requests


def _control(session, rate):
    flags = ACK if session.ack else 0
    if session.adr and rate == session.rate:  # else it is the device's own choice (4.3.1.1)
        flags |= ADR
        if session.silent_count >= _ADR_ACK_LIMIT:
            flags |= ADR_ACK_REQ
    return flags
