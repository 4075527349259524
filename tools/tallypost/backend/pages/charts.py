"""Charts as SVG. Horizontal places are in percent, so a chart fits every width.

A slot that was not observed is hatched over its height. A count of 0 is a line at the bottom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from tallypost.backend.figures.sums import Figures, Lane
from tallypost.backend.pages.html import Html, el, join
from tallypost.backend.pages.site_view import Hour, Month, SiteView
from tallypost.backend.pages.wording import MONTHS, SHORT_DAYS, class_name
from tallypost.backend.stores.spans import BIN_KMH
from tallypost.i18n import _, grouped

HEIGHT, LABELS = 150, 24  # pixels: the plot, and the row of labels below
_MARGIN = 0.12  # share of a slot, on either side of a bar
PATTERNS = Html(
    '<svg class="defs" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="7" height="7" class="hatch-ground"/>'
    '<line x1="0" y1="0" x2="0" y2="7" class="hatch-line"/></pattern></defs></svg>'
)


@dataclass(frozen=True)
class Slot:
    """One place of a chart. parts: (class, number), from the bottom.

    state: that of Figures, or `running` for an hour that is not over.
    """

    label: str
    state: str
    parts: tuple[tuple[str, float], ...]
    is_minor: bool = False  # its label is dropped where there is little room

    @property
    def top(self) -> float:
        return sum(n for _name, n in self.parts)


def nice_top(value: float) -> int:
    """The top of a scale: 2, 4, 10, 20, 40, 100 and so on, at least the value."""
    power = 1
    while True:
        for step in (2, 4, 6, 8, 10):
            if step * power >= value:
                return step * power
        power *= 10


def day_chart(view: SiteView, name: str) -> Html:
    """A class by hours: bars for the day, lines for last week and for the usual day."""
    slots = [
        Slot(
            f"{hour}" if hour % 3 == 0 and not fold else "",
            "running" if one.first < view.as_of < one.last and one.is_counted else one.state,
            ((name, one.count(name) or 0),),
            is_minor=hour % 6 != 0,
        )
        for (hour, fold), one in zip(view.keys, view.hours, strict=True)
    ]
    last = [_last(view.last_week, key, name) for key in view.keys]
    usual = [view.usual[key][name] if key in view.usual else None for key in view.keys]
    highest = [slot.top for slot in slots] + [n for n in last + usual if n is not None]
    scale = nice_top(max(highest))
    lines = join(_steps(last, scale, "last"), _points(usual, scale, "usual"))
    title = _("{name} by hour. The table below has the same numbers.")
    return _chart(slots, scale, title.format(name=class_name(name)), lines)


def _last(week: Mapping[Hour, Figures], key: Hour, name: str) -> float | None:
    return week[key].count(name) if key in week else None


def week_chart(days: list[tuple[date, Figures]]) -> Html:
    """The days of a week, by class."""
    slots = [
        Slot(
            _(SHORT_DAYS[when.weekday()]),
            one.state,
            tuple((name, one.count(name) or 0) for name in one.classes),
        )
        for when, one in days
    ]
    title = _("Days of the week. The table below has the same numbers.")
    return _chart(slots, nice_top(max(slot.top for slot in slots)), title)


def year_chart(months: list[Month]) -> Html:
    """The mean day of each month, by class."""
    slots = [
        Slot(
            _(MONTHS[month.first.month - 1])[:3],
            "observed" if month.days else "unobserved",
            tuple(month.means.items()),
            is_minor=i % 2 == 1,
        )
        for i, month in enumerate(months)
    ]
    title = _("A usual day of each month. The table below has the same numbers.")
    return _chart(slots, nice_top(max(slot.top for slot in slots)), title)


def speed_chart(lane: Lane) -> Html:
    """Shares of speeds, in steps of 4 km/h."""
    bins = range(min(lane.bins), max(lane.bins) + 1)
    whole = lane.bins.total()
    slots = [
        Slot(str(i * BIN_KMH), "observed", (("speed", 100 * lane.bins[i] / whole),), i % 2 == 1)
        for i in bins
    ]
    title = _("Speeds in percent of the road users, in steps of 4 km/h.")
    return _chart(slots, nice_top(max(slot.top for slot in slots)), title)


def _chart(slots: list[Slot], scale: int, title: str, lines: Html | None = None) -> Html:
    width = 100 / len(slots)
    drawn = join(*(_grid(scale, share) for share in (0, 0.5, 1)))
    drawn = join(drawn, *(_slot(slot, i * width, width, scale) for i, slot in enumerate(slots)))
    labels = [
        el(
            "text", slot.label, x=f"{(i + 0.5) * width:.2f}%", y=HEIGHT + 17,
            text_anchor="middle", class_="minor" if slot.is_minor else None,
        )
        for i, slot in enumerate(slots) if slot.label
    ]  # fmt: skip
    plot = el(
        "svg", drawn, lines, *labels, role="img", aria_label=title, width="100%",
        height=HEIGHT + LABELS, class_="plot",
    )  # fmt: skip
    axis = [
        el("span", grouped(round(scale * share)), class_=f"at-{int(share * 100)}")
        for share in (1, 0.5, 0)
    ]
    return el("div", el("div", *axis, class_="axis", aria_hidden="true"), plot, class_="chart")


def _y(value: float, scale: int) -> float:
    return round(HEIGHT * (1 - value / scale), 1)


def _grid(scale: int, share: float) -> Html:
    y = _y(scale * share, scale)
    return el("line", x1="0", x2="100%", y1=y, y2=y, class_="grid")


def _slot(slot: Slot, left: float, width: float, scale: int) -> Html:
    if slot.state == "none":
        return Html("")
    if slot.state == "unobserved":
        return el(
            "rect", x=f"{left:.2f}%", y="0", width=f"{width:.2f}%", height=HEIGHT, class_="unseen"
        )
    x, wide = f"{left + _MARGIN * width:.2f}%", f"{(1 - 2 * _MARGIN) * width:.2f}%"
    if not slot.top:
        return el("rect", x=x, y=HEIGHT - 2, width=wide, height="2", class_="zero")
    found, below = [], 0.0
    for name, n in slot.parts:
        if n:
            y = _y(below + n, scale)
            tall = round(max(1.0, _y(below, scale) - y), 1)
            kind = "running" if slot.state == "running" else f"bar c-{name}"
            found.append(el("rect", x=x, y=y, width=wide, height=tall, class_=kind))
            below += n
    if slot.state == "partly":
        y = _y(below, scale)
        found.append(
            el("rect", x=x, y=y, width=wide, height=round(HEIGHT - y, 1), class_="partly")
        )  # fmt: skip
    return join(*found)


def _steps(values: list[float | None], scale: int, kind: str) -> Html:
    """A line over each slot, and up or down to the next one."""
    width, found = 100 / len(values), []
    for i, value in enumerate(values):
        if value is None:
            continue
        y = _y(value, scale)
        found.append(_line((i * width, y), ((i + 1) * width, y), kind))
        following = values[i + 1] if i + 1 < len(values) else None
        if following is not None and following != value:
            x = (i + 1) * width
            found.append(_line((x, y), (x, _y(following, scale)), kind))
    return join(*found)


def _points(values: list[float | None], scale: int, kind: str) -> Html:
    """A line from the middle of each slot to the middle of the next one."""
    width, found = 100 / len(values), []
    for i, (one, other) in enumerate(zip(values, values[1:], strict=False)):
        if one is not None and other is not None:
            start = (i + 0.5) * width, _y(one, scale)
            found.append(_line(start, ((i + 1.5) * width, _y(other, scale)), kind))
    return join(*found)


def _line(start: tuple[float, float], end: tuple[float, float], kind: str) -> Html:
    return el(
        "line", x1=f"{start[0]:.2f}%", y1=start[1], x2=f"{end[0]:.2f}%", y2=end[1], class_=kind
    )
