"""The checks of a file of sites. Each problem says what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tallypost.i18n import N_, _

CLASSES = ("pedestrian", "bicycle", "car", "heavy", "unknown")
DETECTORS = (
    "ld2451", "ld2450", "ops243", "doppler", "beam", "beam_single", "vl53l1x", "pir_pair",
)  # fmt: skip
UNDIRECTED = ("beam_single",)  # detectors that do not tell directions apart
LICENCES = {  # as people write them, and where their text is
    "CC-BY-4.0": ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "CC0-1.0": ("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "dl-de/by-2-0": (
        "Datenlizenz Deutschland – Namensnennung – Version 2.0",
        "https://www.govdata.de/dl-de/by-2-0",
    ),
    "dl-de/zero-2-0": (
        "Datenlizenz Deutschland – Zero – Version 2.0", "https://www.govdata.de/dl-de/zero-2-0"
    ),
}  # fmt: skip
LANGUAGES = ("de", "en")
FINEST = ("15min", "hour")
_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_NODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
FOREVER = datetime(9999, 1, 1)
RESERVED = ("data", "de", "en", "easy")  # folders of the public pages


@dataclass(frozen=True)
class Problem:
    """where: the place in the file. what: the failure and its reason. advice: what to write."""

    where: str
    what: str
    advice: str


class Rule(NamedTuple):
    """is_right: of a value. advice: what a right value is."""

    is_right: Callable[[Any], bool]
    advice: str
    is_required: bool = True


def _is_text(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(
            key in LANGUAGES and isinstance(text, str) and text for key, text in value.items()
        )
    return isinstance(value, str) and bool(value.strip())


def _is_number(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
    )


def _is_local(value: Any) -> bool:
    return isinstance(value, date) and getattr(value, "tzinfo", None) is None


def _is_zone(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(ZoneInfo(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _is_licence(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) == {"name", "url"} and all(isinstance(v, str) for v in value.values())
    return value in LICENCES if isinstance(value, str) else False


def _is_counts(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(name, str) and name in CLASSES for name in value)
        and len(set(value)) == len(value)
    )


def _is_mounting(value: Any) -> bool:
    if not isinstance(value, dict) or set(value) - {"on", "height_m", "offset_m"}:
        return False
    numbers = [value[key] for key in ("height_m", "offset_m") if key in value]
    return all(_is_number(0, 30)(one) for one in numbers) and _is_text(value.get("on", "-"))


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def _is_one_of(*names: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in names


_TEXT = N_('Write a text, or one for each language: {{de = "...", en = "..."}}.')
_WHEN = N_("Write a day such as 2026-03-02, or a local time such as 2026-03-02T10:30:00.")
_LICENCE = N_('Write one of {licences}, or {{name = "...", url = "..."}}.')
_LISTS = {
    "classes": ", ".join(CLASSES), "detectors": ", ".join(DETECTORS),
    "licences": ", ".join(LICENCES),
}  # fmt: skip
_TABLES = {
    "city": {
        "name": Rule(_is_text, _TEXT),
        "timezone": Rule(_is_zone, N_('Write a time zone such as "Europe/Berlin".')),
        "licence": Rule(_is_licence, _LICENCE),
        "contact": Rule(_is_text, N_("Write an address for questions, such as an e-mail.")),
        "finest": Rule(_is_one_of(*FINEST), N_('Write "15min" or "hour".'), False),
    },
    "site": {
        "id": Rule(
            lambda value: _matches(_KEY)(value) and value not in RESERVED,
            N_("Write 1 to 40 of a-z, 0-9 and -. It is a part of the address of the page."),
        ),
        "name": Rule(_is_text, _TEXT),
        "street": Rule(_is_text, _TEXT, False),
        "lat": Rule(_is_number(-90, 90), N_("Write the latitude in degrees, such as 49.4447.")),
        "lon": Rule(_is_number(-180, 180), N_("Write the longitude in degrees, such as 7.7689.")),
        "forward": Rule(_is_text, _TEXT),
        "backward": Rule(_is_text, _TEXT),
        "about": Rule(_is_text, _TEXT, False),
        "licence": Rule(_is_licence, _LICENCE, False),
        "period": Rule(
            lambda value: isinstance(value, list) and bool(value),
            N_("Add a [[site.period]] for each node that hangs or hung there."),
        ),
    },
    "period": {
        "from": Rule(_is_local, _WHEN),
        "to": Rule(_is_local, _WHEN, False),
        "node": Rule(_matches(_NODE), N_("Write the id of a node, as provisioned.")),
        "detector": Rule(_is_one_of(*DETECTORS), N_("Write one of {detectors}.")),
        "bearing": Rule(
            _is_number(0, 360), N_("Write the direction of forward in degrees from north.")
        ),
        "lanes": Rule(lambda value: value in range(1, 13), N_("Write 1 to 12."), False),
        "mounting": Rule(
            _is_mounting, N_('Write {{on = "lamp post", height_m = 3.5, offset_m = 0.8}}.'), False
        ),
        "counts": Rule(_is_counts, N_("Write a list of some of {classes}.")),
        "note": Rule(_is_text, _TEXT, False),
    },
}  # fmt: skip


def bounds(period: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Local time of the start and of the end, which is not included. A day `to` is included."""
    return _moment(period["from"]), _moment(period.get("to", FOREVER), is_end=True)


def _moment(value: date | datetime, is_end: bool = False) -> datetime:
    if isinstance(value, datetime):
        return value
    return datetime.combine(value, time()) + timedelta(days=1 if is_end else 0)


def keys(tables: Mapping[str, Any]) -> Iterator[Problem]:
    """Missing, unknown and wrong keys."""
    yield from _unknown("file", tables, ["city", "site"])
    if not isinstance(tables.get("city"), dict):
        yield Problem("[city]", _("the table is missing"), _("Add [city] with name and timezone."))
    else:
        yield from _values("[city]", "city", tables["city"])
    sites = tables.get("site")
    if not isinstance(sites, list) or not sites:
        yield Problem("[[site]]", _("there is no site"), _("Add a [[site]] for each place."))
        return
    for number, table in enumerate(sites, 1):
        where = f"site {table.get('id', number)}"
        yield from _values(where, "site", table)
        periods = table.get("period")
        for count, period in enumerate(periods if isinstance(periods, list) else [], 1):
            yield from _values(f"{where}, period {count}", "period", period)


def _values(where: str, kind: str, table: Any) -> Iterator[Problem]:
    table = table if isinstance(table, dict) else {}
    known = _TABLES[kind]
    yield from _unknown(where, table, list(known))
    for key, rule in known.items():
        advice = _(rule.advice).format_map(_LISTS)
        if key not in table:
            if rule.is_required:
                yield Problem(where, _("'{key}' is missing").format(key=key), advice)
        elif not rule.is_right(table[key]):
            value = _shown(table[key])
            yield Problem(
                where, _("{key} = {value} is wrong").format(key=key, value=value), advice
            )


def _unknown(where: str, table: Mapping[str, Any], known: list[str]) -> Iterator[Problem]:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, 1)
            advice = (
                _("Did you mean '{near}'?").format(near=near[0])
                if near
                else _("Known keys: {known}.").format(known=", ".join(known))
            )
            yield Problem(where, _("unknown key '{key}'").format(key=key), advice)


def _shown(value: Any) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return repr(value)[:60]
