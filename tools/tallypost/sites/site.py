"""Sites of a city, read from its TOML file. README.md beside this module has the form of the file.

A site is a place with a history: in each period one node hangs there. Times are local times of the
city. Positions are WGS 84 in degrees.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _
from tallypost.sites import places, rules
from tallypost.sites.rules import FOREVER, bounds

Text = str | Mapping[str, str]  # one text for all languages, or one for each of them


def text_in(text: Text, language: str) -> str:
    """A text in a language. Where it is missing: in any language that it has."""
    if isinstance(text, str):
        return text
    return text.get(language) or next(iter(text.values()))


@dataclass(frozen=True)
class Licence:
    """name: as people write it. url: of its text."""

    name: str
    url: str


@dataclass(frozen=True)
class Period:
    """The time in which a node hangs at a site. first, last: unix seconds, last not included.

    bearing_deg: of forward, clockwise from north. counts: the classes that are published.
    """

    first: float
    last: float
    node: str
    detector: str
    bearing_deg: float
    lanes: int
    mounting: Mapping[str, Any]
    counts: tuple[str, ...]
    note: Text = ""


@dataclass(frozen=True)
class Site:
    """A place where a city counts. lat, lon: WGS 84 degrees. periods: oldest first."""

    key: str
    name: Text
    street: Text
    lat: float
    lon: float
    forward: Text
    backward: Text
    about: Text
    licence: Licence
    periods: tuple[Period, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that any period publishes, in the order of CLASSES."""
        found = {name for period in self.periods for name in period.counts}
        return tuple(name for name in rules.CLASSES if name in found)

    @property
    def has_directions(self) -> bool:
        """Whether any of its detectors tells directions apart."""
        return any(period.detector not in rules.UNDIRECTED for period in self.periods)

    def period_at(self, utc: float) -> Period:
        """The period at a time: the newest that has begun, else the first one."""
        begun = [period for period in self.periods if period.first <= utc]
        return begun[-1] if begun else self.periods[0]

    def direction(self, name: str, language: str) -> str:
        """The meaning of `forward` or `backward`."""
        return text_in(self.forward if name == "forward" else self.backward, language)


@dataclass(frozen=True)
class City:
    """name: of the city. finest: shortest published step, "15min" or "hour"."""

    name: Text
    timezone: ZoneInfo
    licence: Licence
    contact: str
    finest: str
    sites: tuple[Site, ...]

    def site(self, key: str) -> Site:
        """Raises ToolError for an unknown site."""
        for one in self.sites:
            if one.key == key:
                return one
        raise ToolError(
            _("there is no site '{key}'").format(key=key),
            _("Sites in the file: {known}.").format(known=", ".join(s.key for s in self.sites)),
        )


def parse(path: Path) -> dict[str, Any]:
    """The tables of a file. Raises ToolError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ToolError(
            f"{path}: {os_reason(error)}", _("Name the file of your sites.")
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ToolError(
            _("{path}: not TOML: {reason}").format(path=path, reason=error),
            _("Correct the line. The form is that of https://toml.io"),
        ) from error


def load(path: Path) -> City:
    """Read a file without problems. Raises ToolError with the first problem."""
    tables = parse(path)
    for problem in places.problems(tables):
        raise ToolError(
            f"{path}: {problem.where}: {problem.what}",
            _("{advice} All problems: tallypost sites check {path}").format(
                advice=problem.advice, path=path
            ),
        )
    return _city(tables)


def _city(tables: dict[str, Any]) -> City:
    city = tables["city"]
    zone = ZoneInfo(city["timezone"])
    licence = _licence(city["licence"])
    return City(
        name=city["name"],
        timezone=zone,
        licence=licence,
        contact=city["contact"],
        finest=city.get("finest", "15min"),
        sites=tuple(_site(table, zone, licence) for table in tables["site"]),
    )


def _site(table: dict[str, Any], zone: ZoneInfo, licence: Licence) -> Site:
    periods = [_period(one, zone) for one in table["period"]]
    return Site(
        key=table["id"],
        name=table["name"],
        street=table.get("street", ""),
        lat=float(table["lat"]),
        lon=float(table["lon"]),
        forward=table["forward"],
        backward=table["backward"],
        about=table.get("about", ""),
        licence=_licence(table["licence"]) if "licence" in table else licence,
        periods=tuple(sorted(periods, key=lambda period: period.first)),
    )


def _licence(value: str | dict[str, str]) -> Licence:
    if isinstance(value, str):
        return Licence(*rules.LICENCES[value])
    return Licence(value["name"], value["url"])


def _period(table: dict[str, Any], zone: ZoneInfo) -> Period:
    first, last = bounds(table)
    return Period(
        first=first.replace(tzinfo=zone).timestamp(),
        last=last.replace(tzinfo=zone).timestamp() if last < FOREVER else float("inf"),
        node=table["node"],
        detector=table["detector"],
        bearing_deg=float(table["bearing"]),
        lanes=table.get("lanes", 1),
        mounting=table.get("mounting", {}),
        counts=tuple(table["counts"]),
        note=table.get("note", ""),
    )
