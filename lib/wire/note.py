"""Small binary frames of a node, for LoRaWAN: events, state, answers. Big endian.

fPort 3, event    version u8 | log u16 (low half of its id) | number u32 | utc u32 (0 = not
                  known) | code u8 | details of the code:
    0 other       its name, as text
    1 start       reset cause u8, boot u16, records lost u32, version as text
    2 detector    state before u8, state u8
    3 clock_step  seconds i32
    4 fault       code u16
    5 anchor      boot u16, uptime u32, time source u8
    6 gone        first u32, last u32: records that exist no longer; number is 0
fPort 4, state    version u8 | log id u32 | newest number u32 | oldest number held u32 |
                  boot u16 | reset cause u8 | detector u8 | time source u8 | configuration's
                  hash u32 | supply u16 (mV, 0 = not known) | temperature i8 (-128 = not
                  known) | free heap u16 (KB) | refused downlinks u8 (255 = and more)
fPort 5, answer   version u8 | id u8 of the downlink | code u8 (see `downlink`) | reason, as
                  text
"""

import struct

from micropython import const

from wire.frame import PORT_ANSWER, PORT_EVENT, PORT_STATE
from wire.record import RESET_CAUSES

MAX_BYTES = const(36)  # fits into a frame of the slowest data rate

_VERSION = const(1)
_OTHER = const(0)
_HEAD = ">BHIIB"
_HEAD_BYTES = const(12)
# name -> code, layout, keys of the details
_EVENTS = {
    "start": (1, ">BHI", ("reset", "boot", "dropped")),
    "detector": (2, ">BB", ("was", "state")),
    "clock_step": (3, ">i", ("seconds",)),
    "fault": (4, ">H", ("code",)),
    "anchor": (5, ">HIB", ("boot", "uptime", "source")),
    "gone": (6, ">II", ("from", "to")),
}
_LIMITS = {"B": (0, 0xFF), "H": (0, 0xFFFF), "I": (0, 0xFFFFFFFF), "i": (-0x80000000, 0x7FFFFFFF)}
_STATE = ">BIIIHBBBIHbHB"


def write(port, buf, *values):
    """Write a frame of that port to `buf`, see `write_event` and the others. Return its length."""
    return {PORT_EVENT: write_event, PORT_STATE: write_state, PORT_ANSWER: write_answer}[port](
        buf, *values
    )


def write_event(buf, log_id, seq, utc, body):
    """Write an event, a dict with its name as `event`. Return the length.

    An event without a code, or one that does not fit its layout, is sent by its name alone.
    """
    name = body["event"]
    code, form, keys = _EVENTS.get(name, (_OTHER, "", ()))
    try:
        values = [_as_number(body[key]) for key in keys]
        _check(form, values)
    except (KeyError, ValueError, TypeError):
        code, form, values = _OTHER, "", ()
    n = _HEAD_BYTES
    if code:
        struct.pack_into(form, buf, n, *values)
        n += struct.calcsize(form)
    struct.pack_into(_HEAD, buf, 0, _VERSION, log_id & 0xFFFF, seq, utc, code)
    if code == _OTHER:
        return _write_text(buf, n, name)
    return _write_text(buf, n, body["version"]) if name == "start" and "version" in body else n


def _as_number(value):
    return RESET_CAUSES.index(value) if isinstance(value, str) else int(value)


def _check(form, values):
    """Raise ValueError for a value that does not fit: MicroPython's `struct` would cut it."""
    for letter, value in zip(form[1:], values):
        low, high = _LIMITS[letter]
        if not low <= value <= high:
            raise ValueError("event: %d does not fit" % value)


def write_state(buf, log_id, values):
    """Write the state of the node. values: the fields of the layout behind the log id."""
    struct.pack_into(_STATE, buf, 0, _VERSION, log_id, *values)
    return struct.calcsize(_STATE)


def write_answer(buf, name, code, text=""):
    """Write the answer to the downlink with the id `name`. Return the length."""
    struct.pack_into(">BBB", buf, 0, _VERSION, name, code)
    return _write_text(buf, 3, text)


def _write_text(buf, pos, text):
    """Write as much of a text as fits, one byte a character."""
    for char in text[: MAX_BYTES - pos]:
        buf[pos] = ord(char) if ord(char) < 128 else 63
        pos += 1
    return pos
