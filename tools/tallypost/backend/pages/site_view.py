"""The figures on the page of a site: today, last week, usual day, week, year, speeds."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import mean

from tallypost.backend.figures.site_figures import SiteFigures, total
from tallypost.backend.figures.spans import day_of, local
from tallypost.backend.figures.sums import Figures

USUAL_DAYS, USUAL_MIN = 28, 3  # days that are looked at, and those that make an hour usual
YEAR_DAYS = 365
Hour = tuple[int, int]  # hour of the local day, 1 for one that comes a second time


@dataclass(frozen=True)
class Month:
    """The first day of a month, and the mean of its measured days by class. Empty without any."""

    first: date
    days: int
    means: dict[str, float]


@dataclass(frozen=True)
class SiteView:
    """day: the local day that is shown as today. as_of: unix seconds. hours: those of the day."""

    day: date
    as_of: int
    today: Figures
    hours: list[Figures]
    keys: list[Hour]
    last_week: dict[Hour, Figures]
    usual: dict[Hour, dict[str, float]]
    week: list[tuple[date, Figures]]
    year: list[Month]
    recent: Figures  # the last seven days, for speeds


def view(figures: SiteFigures) -> SiteView:
    """Read the last year of a site."""
    day = day_of(figures.as_of - 1, figures.zone)
    by_day: dict[date, list[Figures]] = defaultdict(list)
    for one in figures.of_days("hour", day - timedelta(days=USUAL_DAYS), day):
        by_day[day_of(one.first, figures.zone)].append(one)
    days = {
        day_of(one.first, figures.zone): one
        for one in figures.of_days("day", day - timedelta(days=YEAR_DAYS), day)
    }
    week = [(when, days[when]) for when in list(days)[-7:]]

    def keyed(when: date) -> dict[Hour, Figures]:
        return {_key(one, figures): one for one in by_day[when]}

    past = [day - timedelta(days=n) for n in range(1, USUAL_DAYS + 1)]
    alike = [keyed(when) for when in past if _kind(when) == _kind(day)]
    return SiteView(
        day=day,
        as_of=figures.as_of,
        today=days[day],
        hours=by_day[day],
        keys=list(keyed(day)),
        last_week=keyed(day - timedelta(days=7)),
        usual=_usual(alike, figures.site.classes),
        week=week,
        year=_months(days, figures.site.classes),
        recent=total([one for _when, one in week]),
    )


def _key(one: Figures, figures: SiteFigures) -> Hour:
    when = local(one.first, figures.zone)
    return when.hour, when.fold


def _kind(day: date) -> int:
    """Working days are alike, Saturdays and Sundays are others."""
    return max(4, day.weekday())


def _usual(
    days: list[dict[Hour, Figures]], classes: tuple[str, ...]
) -> dict[Hour, dict[str, float]]:
    """The mean of each hour of like days, where enough of them were well observed."""
    found = {}
    for key in {key for day in days for key in day}:
        good = [day[key] for day in days if key in day and day[key].state == "observed"]
        if len(good) >= USUAL_MIN:
            found[key] = {name: mean(one.count(name) or 0 for one in good) for name in classes}
    return found


def _months(days: dict[date, Figures], classes: tuple[str, ...]) -> list[Month]:
    """The mean measured day of each of the last twelve months."""
    by_month: dict[date, list[Figures]] = defaultdict(list)
    for when, one in days.items():
        by_month[when.replace(day=1)].append(one)
    found = []
    for first, parts in list(by_month.items())[-12:]:
        if not any(one.expected_s for one in parts):
            continue  # there was no node yet
        good = [one for one in parts if one.state == "observed"]
        means = {name: mean(one.count(name) or 0 for one in good) for name in classes if good}
        found.append(Month(first, len(good), means))
    return found
