"""Uplinks and downlinks of nodes over LoRaWAN: bytes to JSON form and back.

Written from the layouts of lib/wire (frame.py, note.py, downlink.py), which do not run here. The
JSON form is that of `decoder.js`, the payload codec of network servers.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any

Body = dict[str, Any]

COUNTS, AGAIN, EVENT, STATE, ANSWER = 1, 2, 3, 4, 5
ACK, COMMAND, CONFIG = 10, 11, 12
CLOCK = 202  # package TS003: between the node and the network's server
CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
DIRECTIONS = ("forward", "backward")
_VERSION = 1
_REASONS = (
    "boot", "silent", "blocked", "misconfigured", "overflow", "clock", "restored", "config",
    "forward_unseen", "backward_unseen", "line_unseen", "silence",
)  # fmt: skip
_DETECTORS = ("unknown", "ok", "quiet", "silent", "blocked", "misaligned", "misconfigured")
_SOURCES = ("none", "rtc", "ntp", "lorawan", "anchor")
_RESETS = ("unknown", "power_on", "hard", "watchdog", "deepsleep", "soft")
_CODES = ("ok", "unknown", "bad_value", "malformed", "foreign_log", "not_held", "busy")
_COMMANDS = ("", "ping", "state", "resend", "reboot")
_KEYS = (
    "", "interval_min", "checkpoint_s", "log_level", "radar_line_m", "radar_max_m",
    "radar_min_kmh", "radar_dir_approach", "radar_mount_deg", "beam_gap_mm",
    "beam_blocked_level", "beam_debounce_ms", "beam_merge_ms", "class_ped_max_kmh",
    "class_bike_max_kmh", "lora_airtime_s", "lora_after_min",
)  # fmt: skip
_NUMBER_BITS = (14, 17, 20, 32)
_LENGTHS = {0: 60, 1: 300, 2: 900, 3: 1800, 4: 3600}
_EPOCH = 1_735_689_600  # 2025-01-01
_START_UNKNOWN = 0x3FFFFF
_COUNT_MAX = 65535
_SHORT_BITS = 24 * 8


class BadFrame(ValueError):
    """Bytes that no node of this version sends. The text is the reason."""


class _Bits:
    """Reads numbers from a frame, most significant bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._total = 8 * len(data)
        self.pos = 0

    @property
    def left(self) -> int:
        return self._total - self.pos

    def unsigned(self, width: int) -> int:
        if width > self.left:
            raise BadFrame(f"ends early, at {self._total // 8} bytes")
        self.pos += width
        return self._value >> self.left & (1 << width) - 1

    def signed(self, width: int) -> int:
        value = self.unsigned(width)
        return value - (1 << width) if value >> width - 1 else value

    def width(self) -> int:
        width = self.unsigned(4)
        return 16 if width == 15 else width

    def name(self, names: tuple[str, ...], width: int) -> str:
        value = self.unsigned(width)
        if value >= len(names) or not names[value]:
            raise BadFrame(f"{value} before bit {self.pos} has no meaning")
        return names[value]

    def hex(self, width: int) -> str:
        return f"{self.unsigned(width):0{width // 4}x}"

    def text(self) -> str:
        return "".join(chr(self.unsigned(8)) for _ in range(self.left // 8))

    def end(self) -> None:
        if self.left >= 8 or self.unsigned(self.left):
            raise BadFrame("something is left over behind the frame")


def decode(port: int, payload: bytes) -> Body:
    """An uplink as JSON. Raises BadFrame."""
    bits = _Bits(payload)
    if port not in _UPLINKS:
        raise BadFrame(f"fPort {port} has no meaning")
    kind, read = _UPLINKS[port]
    if (version := bits.unsigned(8)) != _VERSION:
        raise BadFrame(f"version {version}, this program knows {_VERSION}")
    body: Body = {"type": kind, "v": version}
    read(bits, body)
    bits.end()
    return body


def _frame(bits: _Bits, body: Body) -> None:
    body["log"] = bits.hex(16)
    body["recs"] = [_record(bits, None)]
    body["long"] = bits.pos + 2 > _SHORT_BITS
    while bits.unsigned(1):
        body["recs"].append(_record(bits, body["recs"][-1]))
    body["totals"] = None
    if bits.unsigned(1):
        cls, width = bits.name(CLASSES, 3), bits.unsigned(5)
        counts = {direction: bits.unsigned(width) for direction in DIRECTIONS}
        body["totals"] = {"class": cls, **counts}


def _record(bits: _Bits, last: Body | None) -> Body:
    """A record. last: the one before it in the frame, which is later in time."""
    start: int | None = None
    adjacent = last is not None and bool(bits.unsigned(1))
    if last and adjacent:
        seq = int(last["first"]) - 1
    else:
        seq, start = bits.unsigned(_NUMBER_BITS[bits.unsigned(2)]), _start(bits)
    first = seq - (bits.unsigned(6) if bits.unsigned(1) else 0)
    if first < 1 or (last and seq >= last["first"]):
        raise BadFrame(f"number {seq} is out of order")
    length = _length(bits)
    if last and adjacent:
        if last["start"] is None:
            raise BadFrame("no time to lie before")
        start = int(datetime.fromisoformat(last["start"]).timestamp()) - length
    rec: Body = {"seq": seq, "first": first, "start": None if start is None else _text(start)}
    rec |= {"len": length, "time": bits.name(_SOURCES, 3), **_state(bits, length), "limit": []}
    rec["speed"] = {direction: _speed(bits, direction, rec["limit"]) for direction in DIRECTIONS}
    rec["counts"] = _counts(bits, rec["limit"])
    return rec


def _start(bits: _Bits) -> int | None:
    units = bits.unsigned(22)
    seconds = bits.unsigned(9) if bits.unsigned(1) else 0
    return None if units == _START_UNKNOWN else _EPOCH + 300 * units + seconds


def _length(bits: _Bits) -> int:
    code = bits.unsigned(3)
    if code == 7:
        return bits.unsigned(16)
    if code not in _LENGTHS:
        raise BadFrame(f"length code {code} has no meaning")
    return _LENGTHS[code]


def _state(bits: _Bits, length: int) -> Body:
    if bits.unsigned(1):
        return {"cov": length, "why": [], "det": "ok"}
    missed, why = bits.unsigned(bits.width()), bits.unsigned(bits.width())
    if missed > length:
        raise BadFrame("more seconds missed than the interval has")
    names = [*_REASONS, *(f"bit{i}" for i in range(len(_REASONS), 16))]
    reasons = [name for i, name in enumerate(names) if why >> i & 1]
    return {"cov": length - missed, "why": reasons, "det": bits.name(_DETECTORS, 3)}


def _speed(bits: _Bits, direction: str, limit: list[str]) -> Body | None:
    if not bits.unsigned(1):
        return None
    mean, v85 = bits.unsigned(8), bits.unsigned(7)
    limit += [f"mean.{direction}"] * (mean == 255) + [f"v85.{direction}"] * (v85 == 127)
    return {"mean": mean / 2, "v85": min(v85, 124)}


def _counts(bits: _Bits, limit: list[str]) -> Body:
    counts: Body = {direction: {} for direction in DIRECTIONS}
    for cls in CLASSES:
        width = bits.width()
        for direction in DIRECTIONS:
            counts[direction][cls] = bits.unsigned(width)
            if counts[direction][cls] == _COUNT_MAX:
                limit.append(f"counts.{direction}.{cls}")
    return counts


def _event(bits: _Bits, body: Body) -> None:
    body["log"] = bits.hex(16)
    seq, utc, code = bits.unsigned(32), bits.unsigned(32), bits.unsigned(8)
    body["utc"] = _text(utc) if utc else None
    if code != 6:
        body["seq"] = seq
    match code:
        case 0:
            body["event"] = bits.text()
        case 1:
            body |= {"event": "start", "reset": bits.name(_RESETS, 8), "boot": bits.unsigned(16)}
            body |= {"dropped": bits.unsigned(32), "version": bits.text()}
        case 2:
            body |= {"event": "detector", "was": bits.name(_DETECTORS, 8)}
            body["state"] = bits.name(_DETECTORS, 8)
        case 3:
            body |= {"event": "clock_step", "seconds": bits.signed(32)}
        case 4:
            body |= {"event": "fault", "code": bits.unsigned(16)}
        case 5:
            body |= {"event": "anchor", "boot": bits.unsigned(16), "uptime": bits.unsigned(32)}
            body["source"] = bits.name(_SOURCES, 8)
        case 6:
            body |= {"event": "gone", "from": bits.unsigned(32), "to": bits.unsigned(32)}
        case _:
            raise BadFrame(f"event code {code} has no meaning")


def _node_state(bits: _Bits, body: Body) -> None:
    body |= {"log": bits.hex(32), "newest": bits.unsigned(32), "oldest": bits.unsigned(32)}
    body |= {"boot": bits.unsigned(16), "reset": bits.name(_RESETS, 8)}
    body |= {"det": bits.name(_DETECTORS, 8), "time": bits.name(_SOURCES, 8), "cfg": bits.hex(32)}
    mv, temp = bits.unsigned(16), bits.signed(8)
    body |= {"mv": mv or None, "temp": None if temp == -128 else temp}
    body |= {"heap_kb": bits.unsigned(16), "refused": bits.unsigned(8)}


def _answer(bits: _Bits, body: Body) -> None:
    body |= {"id": bits.unsigned(8), "code": bits.name(_CODES, 8)}
    body |= {"ok": body["code"] == "ok", "text": bits.text()}


_UPLINKS = {
    COUNTS: ("counts", _frame),
    AGAIN: ("again", _frame),
    EVENT: ("event", _event),
    STATE: ("state", _node_state),
    ANSWER: ("answer", _answer),
}


def _text(utc: int) -> str:
    return datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode(body: Body) -> tuple[int, bytes]:
    """A downlink from its JSON form: fPort and bytes. Raises ValueError or struct.error."""
    if "ack" in body:
        log = int(body["ack"]["log"][-4:], 16)
        return ACK, struct.pack(">BHI", _VERSION, log, body["ack"]["seq"])
    if "config" in body:
        items = [
            struct.pack(">Bh", _KEYS.index(key), value) for key, value in body["config"].items()
        ]
        return CONFIG, bytes([_VERSION, body["id"]]) + b"".join(items)
    head = bytes([_VERSION, body["id"], _COMMANDS.index(body["cmd"])])
    if body["cmd"] != "resend":
        return COMMAND, head
    log = int(body["log"][-4:], 16)
    return COMMAND, head + struct.pack(">HII", log, body["from"], body["to"])
