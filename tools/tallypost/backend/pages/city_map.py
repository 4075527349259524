"""The map of the sites: a drawn outline and numbered pins. Nothing is loaded from elsewhere.

The outline is a GeoJSON file in WGS 84. Polygons are areas of the city, or water if their property
`kind` is "water". Lines are roads, or a river with "water". Without it only the pins are drawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, radians
from pathlib import Path
from typing import Any

from tallypost.backend.pages.html import Html, el, join
from tallypost.faults import ToolError
from tallypost.i18n import _
from tallypost.sites.site import Site

WIDTH = 720.0
_MARGIN = 0.12  # of the drawn area, on each side
_RATIO_MIN, _RATIO_MAX = 1.2, 2.0  # width to height
_SPAN_MIN = 0.008  # degrees of latitude: a map of one site is not a map of a doorstep
_KM_PER_DEGREE = 111.2
_BARS_KM = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
Point = tuple[float, float]  # longitude, latitude


@dataclass(frozen=True)
class Shape:
    """kind: area, water, river or road."""

    kind: str
    points: list[Point]


def read_outline(path: Path | None) -> list[Shape]:
    """The shapes of an outline. Raises ToolError."""
    if path is None:
        return []
    try:
        return list(_shapes(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ToolError(
            _("{path}: no GeoJSON that can be drawn: {reason}").format(path=path, reason=error),
            _("Give a FeatureCollection of polygons and lines in WGS 84."),
        ) from error


def _shapes(document: dict[str, Any]) -> Iterator[Shape]:
    for feature in document["features"]:
        geometry = feature["geometry"]
        is_water = (feature.get("properties") or {}).get("kind") == "water"
        kind, parts = geometry["type"], geometry["coordinates"]
        if kind in ("Polygon", "LineString"):
            parts = [parts]
        for part in parts:
            if "Polygon" in kind:
                yield Shape("water" if is_water else "area", [(x, y) for x, y, *_z in part[0]])
            elif "LineString" in kind:
                yield Shape("river" if is_water else "road", [(x, y) for x, y, *_z in part])


class CityMap:
    """Places positions on the drawing. height: of the drawing, its width is WIDTH."""

    def __init__(self, sites: tuple[Site, ...], shapes: list[Shape]) -> None:
        self._sites, self._shapes = sites, shapes
        points = [(site.lon, site.lat) for site in sites]
        points += [point for shape in shapes if shape.kind == "area" for point in shape.points]
        middle = sum(y for _x, y in points) / len(points)
        self._squeeze = cos(radians(middle))  # a degree of longitude is so much shorter
        left, right = min(x for x, _y in points), max(x for x, _y in points)
        low, high = min(y for _x, y in points), max(y for _x, y in points)
        tall = max(high - low, _SPAN_MIN)
        wide = max((right - left) * self._squeeze, tall * _RATIO_MIN)
        tall = max(tall, wide / _RATIO_MAX)
        wide, tall = wide * (1 + 2 * _MARGIN), tall * (1 + 2 * _MARGIN)
        self._scale = WIDTH / wide  # pixels a degree of latitude
        self.height = round(WIDTH * tall / wide)
        self._left = (left + right) / 2 - wide / 2 / self._squeeze
        self._top = (low + high) / 2 + tall / 2

    def _at(self, point: Point) -> Point:
        x, y = point
        return (x - self._left) * self._squeeze * self._scale, (self._top - y) * self._scale

    def draw(self, links: dict[str, tuple[str, str]]) -> Html:
        """links: address and name by site. Pins have the number of the site in the list."""
        outline = el(
            "svg", *(self._shape(shape) for shape in self._shapes), width="100%", height="100%",
            viewBox=f"0 0 {WIDTH:g} {self.height}", preserveAspectRatio="none", aria_hidden="true",
        )  # fmt: skip
        pins = [self._pin(site, i, links[site.key]) for i, site in enumerate(self._sites, 1)]
        return el(
            "div", el("svg", outline, self._bar(), *pins, width="100%", height="100%"),
            class_="map", role="group", aria_label=_("Map of the sites"),
        )  # fmt: skip

    def _shape(self, shape: Shape) -> Html:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self._at, shape.points))
        name = "polygon" if shape.kind in ("area", "water") else "polyline"
        return el(name, points=points, class_=f"map-{shape.kind}")

    def _pin(self, site: Site, number: int, link: tuple[str, str]) -> Html:
        x, y = self._at((site.lon, site.lat))
        address, name = link
        pin = join(
            el("circle", cx="0", cy="0", r="22", class_="pin-target"),
            el("circle", cx="0", cy="0", r="14", class_="pin"),
            el("text", str(number), x="0", y="5", text_anchor="middle", class_="pin-number"),
        )
        return el(
            "svg",
            el("a", pin, href=address, aria_label=f"{number}: {name}"),
            x=f"{100 * x / WIDTH:.2f}%", y=f"{100 * y / self.height:.2f}%", overflow="visible",
        )  # fmt: skip

    def _bar(self) -> Html:
        """The scale: a length that is a round number of kilometres, and north."""
        per_km = self._scale / _KM_PER_DEGREE
        km = max((one for one in _BARS_KM if one * per_km <= WIDTH / 4), default=_BARS_KM[0])
        length = 100 * km * per_km / WIDTH
        text = f"{km:g} km" if km >= 1 else f"{km * 1000:g} m"
        return join(
            el("rect", x="2%", y="94%", width=f"{length:.2f}%", height="3", class_="map-bar"),
            el("text", text, x="2%", y="92%", class_="map-text"),
            el("text", _("N ↑"), x="98%", y="8%", text_anchor="end", class_="map-text"),
        )
