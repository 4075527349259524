"""Checks of a file of sites that need several values: positions, names, overlapping periods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import combinations
from math import cos, hypot, radians
from statistics import median
from typing import Any

from tallypost.i18n import _
from tallypost.sites import rules
from tallypost.sites.rules import Problem, bounds

_KM_PER_DEGREE = 111.2
_FAR_KM = 200.0  # no city is wider
_Area = tuple[tuple[float, float], tuple[float, float]]  # latitude, longitude
_WORLD: _Area = ((-90.0, 90.0), (-180.0, 180.0))
_AREAS: dict[str, _Area] = {"Europe/": ((34.0, 72.0), (-25.0, 45.0))}  # by name of the time zone
Table = Mapping[str, Any]
_Span = tuple[datetime, datetime]
_Entry = tuple[str, str, str, _Span]  # site, node, place in the file, time


def problems(tables: Table) -> list[Problem]:
    """All problems of a file. Values are compared when each of them is right."""
    return list(rules.keys(tables)) or list(_together(tables))


def _together(tables: Table) -> Iterator[Problem]:
    sites = tables["site"]
    for key, times in Counter(site["id"] for site in sites).items():
        if times > 1:
            yield Problem(
                f"site {key}",
                _("the id stands in {n} sites").format(n=times),
                _("Give each site an id of its own."),
            )
    yield from _positions(sites, tables["city"]["timezone"])
    yield from _periods(sites)


def _positions(sites: list[Table], zone: str) -> Iterator[Problem]:
    """Swapped or distant coordinates."""
    area = next((limits for name, limits in _AREAS.items() if zone.startswith(name)), _WORLD)
    right = [_unswapped(site["lat"], site["lon"], area) for site in sites]
    middle = median(lat for lat, _lon in right), median(lon for _lat, lon in right)
    for site in sites:
        lat, lon = site["lat"], site["lon"]
        is_far = not _inside(lat, lon, area) or _km(middle, (lat, lon)) > _FAR_KM
        is_swapped = is_far and _inside(lon, lat, area) and _km(middle, (lon, lat)) <= _FAR_KM
        where = f"site {site['id']}"
        if is_swapped:
            yield Problem(
                where,
                _("lat = {lat} and lon = {lon} look swapped").format(lat=lat, lon=lon),
                _("Write lat = {lat} and lon = {lon}.").format(lat=lon, lon=lat),
            )
        elif is_far:
            yield Problem(
                where,
                _("the position {lat}, {lon} is far from the city").format(lat=lat, lon=lon),
                _("Write the degrees that a map shows for the place, latitude first."),
            )


def _unswapped(lat: float, lon: float, area: _Area) -> tuple[float, float]:
    """The position, or the swapped one if only that is in the area."""
    is_swapped = not _inside(lat, lon, area) and _inside(lon, lat, area)
    return (lon, lat) if is_swapped else (lat, lon)


def _inside(lat: float, lon: float, area: _Area) -> bool:
    (south, north), (west, east) = area
    return south <= lat <= north and west <= lon <= east


def _km(a: tuple[float, float], b: tuple[float, float]) -> float:
    east = (a[1] - b[1]) * cos(radians((a[0] + b[0]) / 2))
    return hypot(a[0] - b[0], east) * _KM_PER_DEGREE


def _periods(sites: list[Table]) -> Iterator[Problem]:
    """Periods that end before they begin, or overlap at a site or for a node."""
    all_spans = []
    for site in sites:
        for number, period in enumerate(site["period"], 1):
            where = f"site {site['id']}, period {number}"
            first, last = bounds(period)
            if last <= first:
                yield Problem(
                    where,
                    _("it ends before it begins"),
                    _("Write a 'to' that is later than 'from', or leave it out."),
                )
            all_spans.append((site["id"], period["node"], where, (first, last)))
    for a, b in _pairs(all_spans):
        if _overlap(a[3], b[3]):
            yield Problem(
                b[2],
                _overlap_text(a, b),
                _("End {where} with to = {day}, or move the start of the other one.").format(
                    where=_earlier(a, b)[2], day=_day_before(_later(a, b)[3][0])
                ),
            )


def _pairs(entries: list[_Entry]) -> Iterator[tuple[_Entry, _Entry]]:
    """Entries of one site, or of one node at several sites."""
    by_site: dict[str, list[_Entry]] = {}
    by_node: dict[str, list[_Entry]] = {}
    for entry in entries:
        by_site.setdefault(entry[0], []).append(entry)
        by_node.setdefault(entry[1], []).append(entry)
    for group in by_site.values():
        yield from combinations(group, 2)
    for group in by_node.values():
        yield from ((a, b) for a, b in combinations(group, 2) if a[0] != b[0])


def _overlap_text(a: _Entry, b: _Entry) -> str:
    if a[0] == b[0]:
        return _("it overlaps {other}").format(other=a[2])
    return _("node '{node}' hangs at {other} at the same time").format(node=b[1], other=a[2])


def _earlier(a: _Entry, b: _Entry) -> _Entry:
    return min(a, b, key=lambda entry: entry[3][0])


def _later(a: _Entry, b: _Entry) -> _Entry:
    return b if _earlier(a, b) is a else a


def _overlap(a: _Span, b: _Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def _day_before(first: datetime) -> str:
    """The last day or moment that does not overlap a period that starts at `first`."""
    if first == datetime(first.year, first.month, first.day):
        return (first - timedelta(days=1)).date().isoformat()
    return first.isoformat()
