"""Downlinks of the backend over LoRaWAN. Big endian. Each has one length, except `config`.

    fPort 10, ack      version u8 = 1 | log u16 (low half of its id) | number u32: all records up
                       to this one are stored. No answer.
    fPort 11, command  version u8 | id u8 | command u8 | details of the command:
        1 ping
        2 state        the state frame follows the answer
        3 resend       log u16, first u32, last u32: newest first, inside the airtime budget
        4 reboot
    fPort 12, config   version u8 | id u8 | one to eight times: key u8, value i16

Commands and configuration get an answer (`wire/note.py`, fPort 5) with their id.
"""

import struct

from micropython import const

PORT_ACK = const(10)
PORT_COMMAND = const(11)
PORT_CONFIG = const(12)
# Codes of an answer.
OK, UNKNOWN, BAD_VALUE, MALFORMED, FOREIGN_LOG, NOT_HELD, BUSY = range(7)
PING, STATE, RESEND, REBOOT = 1, 2, 3, 4

# Settings that can be changed over the air. A number belongs to one key for ever.
KEYS = {
    1: "interval_min", 2: "checkpoint_s", 3: "log_level", 4: "radar_line_m", 5: "radar_max_m",
    6: "radar_min_kmh", 7: "radar_dir_approach", 8: "radar_mount_deg", 9: "beam_gap_mm",
    10: "beam_blocked_level", 11: "beam_debounce_ms", 12: "beam_merge_ms",
    13: "class_ped_max_kmh", 14: "class_bike_max_kmh", 15: "lora_airtime_s",
    16: "lora_after_min",
}  # fmt: skip

_VERSION = const(1)
_ITEMS_MAX = const(8)
_ACK = ">BHI"
_RESEND = ">HII"


class Refusal(ValueError):
    """A downlink that is refused. name: its id, None = it has none. code: see `OK`."""

    def __init__(self, name, code, why):
        super().__init__(why)
        self.name = name
        self.code = code


def parse_ack(payload):
    """Return (low half of the log's id, number). Raises Refusal."""
    if len(payload) != struct.calcsize(_ACK):
        raise Refusal(None, MALFORMED, "ack of %d bytes" % len(payload))
    version, log, seq = struct.unpack(_ACK, payload)
    _check_version(version, None)
    return log, seq


def parse_command(payload):
    """Return (id, command, (log, first, last) of a resend or None). Raises Refusal."""
    name = _head(payload)
    command = payload[2] if len(payload) > 2 else 0
    if not PING <= command <= REBOOT:
        raise Refusal(name, UNKNOWN, "command %d" % command)
    wanted = 3 + (struct.calcsize(_RESEND) if command == RESEND else 0)
    if len(payload) != wanted:
        raise Refusal(name, MALFORMED, "%d bytes, not %d" % (len(payload), wanted))
    return name, command, struct.unpack_from(_RESEND, payload, 3) if command == RESEND else None


def parse_config(payload):
    """Return (id, values by key). Raises Refusal."""
    name = _head(payload)
    items, rest = divmod(len(payload) - 2, 3)
    if rest or not 1 <= items <= _ITEMS_MAX:
        raise Refusal(name, MALFORMED, "%d bytes" % len(payload))
    values = {}
    for i in range(items):
        key, value = struct.unpack_from(">Bh", payload, 2 + 3 * i)
        if key not in KEYS:
            raise Refusal(name, UNKNOWN, "key %d" % key)
        if KEYS[key] in values:
            raise Refusal(name, BAD_VALUE, "key %d twice" % key)
        values[KEYS[key]] = value
    return name, values


def _head(payload):
    """Check the version of a command or configuration, and return its id."""
    if len(payload) < 2:
        raise Refusal(None, MALFORMED, "%d bytes" % len(payload))
    _check_version(payload[0], payload[1])
    return payload[1]


def _check_version(version, name):
    if version != _VERSION:
        raise Refusal(name, MALFORMED, "version %d" % version)
