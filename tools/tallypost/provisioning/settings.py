"""Checks the configuration of a node before it is written. Its table: firmware/config/schema.py.

The table is read as text, not imported. It is the only list of the settings. A node that finds any
other setting falls back to its defaults.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Any

from tallypost.faults import ToolError
from tallypost.i18n import N_, _
from tallypost.resources import ROOT

SOURCE = ROOT / "firmware" / "config" / "schema.py"
Row = tuple[str, type, Any, Any, Any, str]  # key, type, minimum or choices, maximum, default, unit
_TYPES = {"str": str, "int": int}
# Rules for two settings (_check_together of the same file; a test compares both).
_ORDERED = (
    ("class_ped_max_kmh", "class_bike_max_kmh"), ("class_bike_min_mm", "class_car_min_mm"),
    ("class_car_min_mm", "class_heavy_min_mm"), ("radar_line_m", "radar_max_m"),
    ("beam_debounce_ms", "beam_merge_ms"),
)  # fmt: skip
_LOBE_DEG = 20  # of the LD2451
_BAD_IN_TOPIC = "+#\0"
_HOSTS = ("mqtt_host", "ntp_host", "ntp_host2")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)
_UNITS = (N_("degrees"), N_("road users"), N_("s a day"))  # units of the table that are words


@cache
def table() -> tuple[Row, ...]:
    """The rows of SCHEMA, in order. Raises ToolError if the file has no such table."""
    try:
        tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    except (OSError, SyntaxError) as error:
        raise _damaged(error) from error
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "SCHEMA":
            text = "".join(ast.literal_eval(node.value))
            return tuple(_row(line.split("|")) for line in text.splitlines())
    raise _damaged("SCHEMA")


def _damaged(reason: object) -> ToolError:
    return ToolError(
        _("{path}: the table of settings cannot be read: {reason}").format(
            path=SOURCE, reason=reason
        ),
        _("Install the tools again."),
    )


def _row(cells: list[str]) -> Row:
    key, name, allowed, default, unit = cells
    kind = _TYPES[name]
    minimum, dots, maximum = allowed.partition("..")
    if dots:
        return (key, kind, int(minimum), int(maximum), kind(default), unit)
    return (key, kind, tuple(map(kind, allowed.split(" "))), None, kind(default), unit)


def check(values: dict[str, Any]) -> None:
    """Raises ToolError for the first unknown key, or the first value that a node refuses."""
    rows = {row[0]: row for row in table()}
    for key, value in values.items():
        if key not in rows:
            raise ToolError(
                _("configuration: unknown key '{key}'").format(key=key),
                _("Use one of {names}.").format(names=", ".join(rows)),
            )
        _check_value(rows[key], value)
    full = {row[0]: row[4] for row in rows.values()} | values
    for less, more in _ORDERED:
        if full[less] >= full[more]:
            advice = _("Use more than {key} = {value}.").format(key=less, value=full[less])
            raise _error(more, full[more], advice)
    degrees = full["radar_mount_deg"]
    if full["detector"] == "ld2451" and abs(degrees) > _LOBE_DEG:
        advice = _("With detector = ld2451, use {minimum} to {maximum} degrees.")
        raise _error(
            "radar_mount_deg", degrees, advice.format(minimum=-_LOBE_DEG, maximum=_LOBE_DEG)
        )
    least = full["radar_offset_m"] * 11 // 4  # offset / tan(_LOBE_DEG)
    if full["detector"] == "ld2451" and full["radar_line_m"] < least:
        advice = _("Use {least} m or more: nearer, a lane {offset} m aside is outside the lobe.")
        raise _error(
            "radar_line_m", full["radar_line_m"],
            advice.format(least=least, offset=full["radar_offset_m"]),
        )  # fmt: skip
    if set(full["mqtt_root"]) & set(_BAD_IN_TOPIC):
        raise _error("mqtt_root", full["mqtt_root"], _("Use a text without +, # and NUL."))


def check_hosts(values: dict[str, Any]) -> None:
    """Raises ToolError for the first text that is neither a host name nor an IPv4 address.

    The node takes any text, and would never connect.
    """
    for key in _HOSTS:
        if key in values:
            _check_host(key, str(values[key]))


def _check_host(key: str, host: str) -> None:
    if "://" in host:
        raise _error(key, host, _("Give the name alone, without the part before and with ://."))
    if ":" in host:
        raise _error(key, host, _("Give the name alone. The port has a setting of its own."))
    parts = host.split(".")
    if not all(_LABEL.fullmatch(part) for part in parts):
        raise _error(key, host, _("Use a name such as broker.example.org, or an IPv4 address."))
    if all(part.isdecimal() for part in parts):
        if len(parts) != 4 or any(int(part) > 255 for part in parts):
            raise _error(key, host, _("An IPv4 address has four numbers up to 255."))


def _error(key: str, value: Any, advice: str) -> ToolError:
    what = _("configuration: {key} = {value} is not allowed")
    return ToolError(what.format(key=key, value=repr(value)), advice)


def _check_value(row: Row, value: Any) -> None:
    key, kind, minimum, maximum, _default, unit = row
    if isinstance(value, bool) or not isinstance(value, kind):
        raise _error(key, value, _("Use a text.") if kind is str else _("Use a whole number."))
    if maximum is None:
        if value not in minimum:
            names = ", ".join(map(str, minimum))
            raise _error(key, value, _("Use one of {names}.").format(names=names))
    elif isinstance(value, str):
        if not minimum <= len(value) <= maximum:
            advice = _("Use a text of {minimum} to {maximum} characters.")
            raise _error(key, value, advice.format(minimum=minimum, maximum=maximum))
    elif not minimum <= value <= maximum:
        span = f"{minimum}..{maximum} {_(unit)}".rstrip()
        raise _error(key, value, _("Use a number of {span}.").format(span=span))


def from_text(key: str, text: str) -> int | str:
    """A value written by a person, in the type of the key. Raises ToolError."""
    rows = {row[0]: row for row in table()}
    value: int | str = text
    if key in rows and rows[key][1] is int:
        try:
            value = int(text)
        except ValueError:
            pass  # _check_value reports it
    if key in rows:
        _check_value(rows[key], value)
        check_hosts({key: value})
    else:
        check({key: value})
    return value
