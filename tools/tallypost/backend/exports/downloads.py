"""The files for download on the pages of a site.

The finest step by month as CSV, with its data package, and hours of the month as JSON. Days of the
last year as CSV. Months that are over are written again only between 3 and 4 at night, because
late records may still come. So the other runs write little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from tallypost.backend.exports import plain
from tallypost.backend.exports.rows import rows
from tallypost.backend.figures.site_figures import SiteFigures
from tallypost.backend.figures.spans import day_of, local
from tallypost.sites.site import City

NIGHT_HOUR = 3  # of the local day: all months are written again
_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Download:
    """A file below the pages. kind: `month`, `hours` or `days`. first: its first day."""

    path: str
    form: str
    kind: str
    first: date
    size: int


Put = Callable[[str, str], None]


def write(
    city: City, figures: SiteFigures, language: str, has: Callable[[str], int], put: Put
) -> list[Download]:
    """Write the files of a site by `put`. has: the size of a file that is there, else 0."""
    key = figures.site.key
    today = day_of(figures.as_of - 1, figures.zone)
    begin = max(day_of(figures.site.periods[0].first, figures.zone), today - _YEAR)
    found = []
    is_night = local(figures.as_of, figures.zone).hour == NIGHT_HOUR
    for month in _months(begin, today):
        path = f"data/{key}/{key}-{month:%Y-%m}.csv"
        size = 0 if is_night or month == today.replace(day=1) else has(path)
        if not size:
            text = plain.as_csv(rows(figures, city.finest, month, _last_day(month)))
            size = _put(put, path, text)
        found.append(Download(path, "CSV", "month", month, size))
    names = [one.path.rpartition("/")[2] for one in found]
    text = plain.data_package(city, figures.site, names, language)
    put(f"data/{key}/datapackage.json", text)
    month = today.replace(day=1)
    hours = plain.as_json(city, figures.site, "hour", rows(figures, "hour", month, today))
    path = f"data/{key}/{key}-{month:%Y-%m}-hours.json"
    found.append(Download(path, "JSON", "hours", month, _put(put, path, hours)))
    path = f"data/{key}/{key}-days.csv"
    year = plain.as_csv(rows(figures, "day", begin, today))
    found.append(Download(path, "CSV", "days", begin, _put(put, path, year)))
    return found


def _put(put: Put, path: str, text: str) -> int:
    put(path, text)
    return len(text.encode())


def _months(begin: date, today: date) -> list[date]:
    """The first days of months, newest first."""
    month, found = today.replace(day=1), []
    while month >= begin.replace(day=1):
        found.append(month)
        month = (month - timedelta(days=1)).replace(day=1)
    return found


def _last_day(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
