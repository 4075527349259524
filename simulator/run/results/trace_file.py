"""Recordings of detectors: CSV, milliseconds and the sensor's bytes or edges.

    1520.5,F4F3F2F1070001018A10011422F8F7F6F5     bytes of a radar, hexadecimal
    1520.5,A,0                                    an edge of beam A or B (or the number of its
                                                  GPIO), and the level after it

Times never fall. Lines that begin with # are remarks. `# detector: NAME` names the detector,
`# started: UTC` the time of the first millisecond.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from simulator.world.protocol import PORT_PIN, Input
from simulator.world.sensors.doppler import PORT as PULSES
from tallypost.faults import ToolError

UART = 1
_LONGEST_MS = 31 * 86_400_000
_FORMS = {2: "ms,hex bytes, such as 1520,F4F3", 3: "ms,pin,level, such as 1520,A,0"}
_STEP_US = 10_000


@dataclass(frozen=True)
class Trace:
    """inputs: us since the start, port, bytes. detector: from the file, '' if it is not there."""

    inputs: list[Input]
    detector: str
    edges: bool
    started: str = ""  # UTC, from the file

    @property
    def length_us(self) -> int:
        return self.inputs[-1][0] if self.inputs else 0


def load(path: Path, pins: tuple[int, int]) -> Trace:
    """Read a recording. Raises ToolError naming file, line and the right form."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        what = f"{path}:{number}: byte {error.start} of the file is not text"
        raise ToolError(what, f"wanted {_FORMS[2]}") from error
    inputs: list[Input] = []
    about = {"detector": "", "started": ""}
    columns, last_us = 0, 0
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text.startswith("#"):
            name, _, value = text[1:].partition(":")
            if name.strip() in about:
                about[name.strip()] = value.strip()
        elif text:
            fields = [field.strip() for field in text.split(",")]
            columns = columns or len(fields)
            try:
                inputs.append(_input(fields, columns, last_us, pins))
            except ValueError as error:
                wanted = _FORMS.get(columns, " or ".join(_FORMS.values()))
                raise ToolError(f"{path}:{number}: {error}", f"wanted {wanted}") from error
            last_us = inputs[-1][0]
    if not inputs:
        raise ToolError(f"{path}: the file holds no recording", f"wanted lines of {_FORMS[2]}")
    return Trace(inputs, about["detector"], columns == 3, about["started"])


def _input(fields: list[str], columns: int, last_us: int, pins: tuple[int, int]) -> Input:
    if len(fields) != columns or columns not in _FORMS:
        raise ValueError(f"{len(fields)} fields")
    ms = float(fields[0])
    if not math.isfinite(ms) or not 0 <= ms <= _LONGEST_MS:
        raise ValueError(f"{fields[0]} ms is not within 0 .. {_LONGEST_MS}")
    t_us = int(ms * 1000)
    if t_us < last_us:
        raise ValueError(f"{fields[0]} ms comes before the line above it")
    if columns == 2:
        data = bytes.fromhex(fields[1])
        if not data:
            raise ValueError("no bytes")
        return t_us, UART, data
    known = {"A": pins[0], "B": pins[1], **{str(pin): pin for pin in pins}}
    if fields[1] not in known:
        raise ValueError(f"pin '{fields[1]}', not one of {', '.join(known)}")
    if fields[2] not in ("0", "1"):
        raise ValueError(f"level '{fields[2]}'")
    return t_us, PORT_PIN, bytes((known[fields[1]], int(fields[2])))


def as_pulses(inputs: list[Input], pin: int) -> list[Input]:
    """Edges of one pin as numbers of edges for each hundredth of a second: for a pulse counter."""
    counts: dict[int, int] = {}
    for t_us, _, data in inputs:
        if data[0] == pin:
            step = t_us // _STEP_US + 1
            counts[step] = min(255, counts.get(step, 0) + 1)
    return [(step * _STEP_US, PULSES, bytes((pin, n))) for step, n in sorted(counts.items())]
