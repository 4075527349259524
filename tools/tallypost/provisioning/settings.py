"""The configuration of a node, checked before it is written: firmware/config/schema.py has the table.

The table is read as text, not imported: it is the one place that says what can be set, and a node
that finds something else falls back to its defaults.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import Any

from tallypost.faults import ToolError
from tallypost.hardware.boards import ROOT

SOURCE = ROOT / "firmware" / "config" / "schema.py"
Row = tuple[str, type, Any, Any, Any, str]  # key, type, least or choices, most, default, unit
_TYPES = {"str": str, "int": int}
# What single ranges cannot say (_check_together of the same file; a test holds them together).
_ORDERED = (
    ("class_ped_max_kmh", "class_bike_max_kmh"), ("class_bike_min_mm", "class_car_min_mm"),
    ("class_car_min_mm", "class_heavy_min_mm"), ("radar_line_m", "radar_max_m"),
    ("beam_debounce_ms", "beam_merge_ms"),
)  # fmt: skip
_LOBE_DEG = 20  # of the LD2451
_BAD_IN_TOPIC = "+#\0"


@cache
def table() -> tuple[Row, ...]:
    """The rows of SCHEMA, in order; raises ToolError when the file has no such table."""
    try:
        tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    except (OSError, SyntaxError) as error:
        raise ToolError(f"{SOURCE}: {error}") from error
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "SCHEMA":
            text = ast.literal_eval(node.value)
            return tuple(_row(line.split("|")) for line in text.splitlines())
    raise ToolError(f"{SOURCE}: no SCHEMA")


def _row(cells: list[str]) -> Row:
    key, name, allowed, default, unit = cells
    kind = _TYPES[name]
    least, _, most = allowed.partition("..")
    if most:
        return (key, kind, int(least), int(most), kind(default), unit)
    return (key, kind, tuple(map(kind, allowed.split(" "))), None, kind(default), unit)


def check(values: dict[str, Any]) -> None:
    """Raises ToolError for the first key that is unknown, or value that the node would refuse."""
    rows = {row[0]: row for row in table()}
    for key, value in values.items():
        if key not in rows:
            raise ToolError(f"configuration: unknown key '{key}'", f"known: {', '.join(rows)}")
        _check_value(rows[key], value)
    full = {row[0]: row[4] for row in rows.values()} | values
    for less, more in _ORDERED:
        if full[less] >= full[more]:
            raise ToolError(
                f"configuration: {more} = {full[more]}", f"wanted more than {less} = {full[less]}"
            )
    degrees = full["radar_mount_deg"]
    if full["detector"] == "ld2451" and abs(degrees) > _LOBE_DEG:
        raise ToolError(
            f"configuration: radar_mount_deg = {degrees}",
            f"wanted {-_LOBE_DEG} to {_LOBE_DEG} degrees with detector = ld2451",
        )
    if set(full["mqtt_root"]) & set(_BAD_IN_TOPIC):
        raise ToolError(
            f"configuration: mqtt_root = {full['mqtt_root']!r}", "wanted no + # or NUL"
        )


def _check_value(row: Row, value: Any) -> None:
    key, kind, least, most, _default, unit = row
    where = f"configuration: {key} = {value!r}"
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ToolError(where, f"wanted a {'text' if kind is str else 'whole number'}")
    if most is None:
        if value not in least:
            raise ToolError(where, f"wanted one of {', '.join(map(str, least))}")
    elif not least <= (len(value) if isinstance(value, str) else value) <= most:
        size = "characters" if kind is str else unit
        raise ToolError(where, f"wanted {least} to {most} {size}".rstrip())


def from_text(key: str, text: str) -> int | str:
    """A value as a person writes it, of the type that the key wants; raises ToolError."""
    rows = {row[0]: row for row in table()}
    value: int | str = text
    if key in rows and rows[key][1] is int:
        try:
            value = int(text)
        except ValueError:
            pass  # told with the range, below
    if key in rows:
        _check_value(rows[key], value)
    else:
        check({key: value})
    return value
