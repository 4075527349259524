"""An independent decoder of LoRaWAN frames: from the layouts, not from the code of node or tools.

A frame is turned into text of 0 and 1, and read from the left. Layouts: lib/wire/frame.py,
lib/wire/note.py.
"""

from __future__ import annotations

import time
from typing import Any

CLASS = "pedestrian bicycle car heavy unknown".split()
WAY = "forward backward".split()
WHY = (
    "boot silent blocked misconfigured overflow clock restored config forward_unseen"
    " backward_unseen line_unseen silence"
).split()
DETECTOR = "unknown ok quiet silent blocked misaligned misconfigured".split()
SOURCE = "none rtc ntp lorawan anchor".split()
RESET = "unknown power_on hard watchdog deepsleep soft".split()
CODE = "ok unknown bad_value malformed foreign_log not_held busy".split()
SECONDS = {"000": 60, "001": 300, "010": 900, "011": 1800, "100": 3600}
NUMBER = {"00": 14, "01": 17, "10": 20, "11": 32}
KIND = {1: "counts", 2: "again", 3: "event", 4: "state", 5: "answer"}
EPOCH_2025 = 1_735_689_600


class Tape:
    """The bits that are still to be read. Raises ValueError at the end."""

    def __init__(self, frame: bytes) -> None:
        self.rest = "".join(f"{byte:08b}" for byte in frame)
        self.eaten = 0

    def raw(self, width: int) -> str:
        if len(self.rest) < width:
            raise ValueError("the frame is too short")
        bits, self.rest = self.rest[:width], self.rest[width:]
        self.eaten += width
        return bits

    def number(self, width: int) -> int:
        return int("0" + self.raw(width), 2)

    def signed(self, width: int) -> int:
        bits = self.raw(width)
        return int(bits, 2) - (int(bits[0]) << width)

    def flag(self) -> bool:
        return self.raw(1) == "1"

    def wide(self) -> int:
        """The width that the next four bits give."""
        width = self.number(4)
        return width + (width == 15)

    def letters(self) -> str:
        found = ""
        while self.rest:
            found += chr(self.number(8))
        return found


def read(port: int, frame: bytes) -> dict[str, Any]:
    """The contents of an uplink. Raises ValueError, KeyError or IndexError if it has none."""
    tape = Tape(frame)
    found: dict[str, Any] = {"type": KIND[port], "v": tape.number(8)}
    if found["v"] != 1:
        raise ValueError(f"version {found['v']}")
    if port <= 2:
        found.update(_counts(tape))
    elif port == 3:
        found.update(_event(tape))
    elif port == 4:
        found.update(_state(tape))
    else:
        found.update(id=tape.number(8), code=CODE[tape.number(8)], text=tape.letters())
        found["ok"] = found["code"] == "ok"
    if len(tape.rest) > 7 or "1" in tape.rest:
        raise ValueError(f"{len(tape.rest)} bits too many")
    return found


def _counts(tape: Tape) -> dict[str, Any]:
    log = f"{tape.number(16):04x}"
    above = None
    recs = []
    while True:
        above, shown = _record(tape, above)
        recs.append(shown)
        if len(recs) == 1:
            is_long = tape.eaten + 2 > 192
        if not tape.flag():
            break
    totals = None
    if tape.flag():
        cls, width = CLASS[tape.number(3)], tape.number(5)
        totals = {"class": cls, "forward": tape.number(width), "backward": tape.number(width)}
    return {"log": log, "recs": recs, "totals": totals, "long": is_long}


Place = tuple[int, int | None]  # lowest number of a record, its start


def _record(tape: Tape, above: Place | None) -> tuple[Place, dict[str, Any]]:
    joined = above is not None and tape.flag()
    start: int | None = None
    if joined and above:
        last = above[0] - 1
    else:
        last = tape.number(NUMBER[tape.raw(2)])
        units = tape.raw(22)
        extra = tape.number(9) if tape.flag() else 0
        if "0" in units:
            start = EPOCH_2025 + int(units, 2) * 300 + extra
    first = last - tape.number(6) if tape.flag() else last
    code = tape.raw(3)
    length = tape.number(16) if code == "111" else SECONDS[code]
    if joined and above:
        if above[1] is None:
            raise ValueError("joined to a record without a time")
        start = above[1] - length
    if first < 1 or (above and last >= above[0]):
        raise ValueError(f"number {last}")
    shown: dict[str, Any] = {"seq": last, "first": first, "start": _when(start), "len": length}
    shown["time"] = SOURCE[tape.number(3)]
    _fill(tape, shown)
    return (first, start), shown


def _fill(tape: Tape, shown: dict[str, Any]) -> None:
    shown.update(cov=shown["len"], why=[], det="ok", limit=[], speed={}, counts={})
    if not tape.flag():
        shown["cov"] -= tape.number(tape.wide())
        bits = tape.raw(tape.wide())[::-1]
        shown["why"] = [
            WHY[i] if i < len(WHY) else f"bit{i}" for i, bit in enumerate(bits) if bit == "1"
        ]
        shown["det"] = DETECTOR[tape.number(3)]
    if shown["cov"] < 0:
        raise ValueError("coverage below zero")
    for direction in WAY:
        shown["speed"][direction] = None
        shown["counts"][direction] = {}
        if tape.flag():
            mean, v85 = tape.number(8), tape.number(7)
            shown["speed"][direction] = {"mean": mean * 0.5, "v85": v85 if v85 < 127 else 124}
            if mean == 255:
                shown["limit"].append("mean." + direction)
            if v85 == 127:
                shown["limit"].append("v85." + direction)
    for cls in CLASS:
        width = tape.wide()
        for direction in WAY:
            shown["counts"][direction][cls] = count = tape.number(width)
            if count == 0xFFFF:
                shown["limit"].append(f"counts.{direction}.{cls}")


def _event(tape: Tape) -> dict[str, Any]:
    found: dict[str, Any] = {"log": f"{tape.number(16):04x}"}
    number, utc, code = tape.number(32), tape.number(32), tape.number(8)
    found["utc"] = _when(utc or None)
    found["event"] = ["", "start", "detector", "clock_step", "fault", "anchor", "gone"][code]
    if code != 6:
        found["seq"] = number
    if code == 0:
        found["event"] = tape.letters()
    elif code == 1:
        found.update(reset=RESET[tape.number(8)], boot=tape.number(16), dropped=tape.number(32))
        found["version"] = tape.letters()
    elif code == 2:
        found.update(was=DETECTOR[tape.number(8)], state=DETECTOR[tape.number(8)])
    elif code == 3:
        found["seconds"] = tape.signed(32)
    elif code == 4:
        found["code"] = tape.number(16)
    elif code == 5:
        found.update(boot=tape.number(16), uptime=tape.number(32), source=SOURCE[tape.number(8)])
    else:
        found.update({"from": tape.number(32), "to": tape.number(32)})
    return found


def _state(tape: Tape) -> dict[str, Any]:
    found: dict[str, Any] = {"log": f"{tape.number(32):08x}"}
    found.update(newest=tape.number(32), oldest=tape.number(32), boot=tape.number(16))
    found.update(reset=RESET[tape.number(8)], det=DETECTOR[tape.number(8)])
    found.update(time=SOURCE[tape.number(8)], cfg=f"{tape.number(32):08x}")
    supply, heat = tape.number(16), tape.signed(8)
    found.update(mv=supply if supply else None, temp=heat if heat > -128 else None)
    found.update(heap_kb=tape.number(16), refused=tape.number(8))
    return found


def _when(utc: int | None) -> str | None:
    return None if utc is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(utc))
