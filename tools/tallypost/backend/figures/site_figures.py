"""The figures of a site: the intervals of its nodes, summed by spans of local time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import groupby
from zoneinfo import ZoneInfo

from tallypost.backend.figures.records import Interval, Source
from tallypost.backend.figures.spans import Span, spans
from tallypost.backend.figures.sums import Figures
from tallypost.sites.site import Period, Site

GRACE_S = 45 * 60  # a node sends within this time after the end of an interval
_QUARTER_S = 900


class SiteFigures:
    """now: unix seconds. Spans after it are not expected yet."""

    def __init__(self, source: Source, site: Site, zone: ZoneInfo, now: float) -> None:
        self._source, self.site, self.zone = source, site, zone
        self.as_of = self._as_of(now)

    def _as_of(self, now: float) -> int:
        """The time up to which everything is expected to be there. It moves with the data.

        A node that is silent for GRACE_S no longer holds it back: the time without data counts as
        not observed.
        """
        quarter = int(now) // _QUARTER_S * _QUARTER_S
        newest = self._source.newest(self.site.period_at(now).node, now)
        if newest is not None and newest <= now < newest + GRACE_S:
            return newest
        return quarter

    def of_days(self, step: str, first: date, last: date) -> list[Figures]:
        """Figures of all spans of a step from the day `first` to the day `last`."""
        return self.of(list(spans(step, first, last, self.zone)))

    def of(self, wanted: list[Span]) -> list[Figures]:
        """Figures of spans in their order. An interval belongs to the span that it starts in."""
        found = [Figures(first, last, self.site.classes) for first, last in wanted]
        for period in self.site.periods:
            self._fill(found, period)
        return found

    def _fill(self, found: list[Figures], period: Period) -> None:
        for one in found:
            seconds = min(one.last, period.last, self.as_of) - max(one.first, period.first)
            one.expected_s += int(max(0, seconds))
        inside = [one for one in found if one.first < period.last and one.last > period.first]
        if not inside:
            return
        first, last = max(inside[0].first, period.first), min(inside[-1].last, period.last)
        rest = iter(inside)
        one = next(rest)
        intervals = self._source.intervals(period.node, first, min(last, self.as_of))
        for interval in without_repeats(intervals):
            while interval.start >= one.last:
                one = next(rest)
            if interval.start >= one.first:
                one.take(interval, period.counts)


def without_repeats(intervals: Iterable[Interval]) -> Iterator[Interval]:
    """Intervals, but of those that cannot all be true only the one that observed most.

    A node may send a quarter of an hour under two numbers, as after its log was erased. Nobody can
    observe more seconds than the interval has.
    """
    for _start, group in groupby(intervals, key=lambda one: one.start):
        same = list(group)
        if sum(one.observed_s for one in same) <= max(one.length_s for one in same):
            yield from same
        else:
            yield max(same, key=lambda one: one.observed_s)


def total(figures: list[Figures]) -> Figures:
    """The sum of spans that follow each other."""
    assert figures
    found = Figures(figures[0].first, figures[-1].last, figures[0].classes)
    for one in figures:
        found.add(one)
    return found
