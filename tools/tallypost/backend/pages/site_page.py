"""The page of a site: today in one sentence, day, week, year, speeds, and what is behind."""

from __future__ import annotations

from tallypost.backend.exports.downloads import Download
from tallypost.backend.figures.sums import Figures
from tallypost.backend.pages import charts
from tallypost.backend.pages.explain import explanation
from tallypost.backend.pages.frame import Frame, Links, Variant, cell, folded, table
from tallypost.backend.pages.html import Child, Html, el
from tallypost.backend.pages.site_view import SiteView
from tallypost.backend.pages.wording import (
    MONTHS, class_name, clock, day_sentences, day_text, percent,
)  # fmt: skip
from tallypost.backend.stores.spans import DIRECTIONS
from tallypost.i18n import _, decimal, grouped
from tallypost.sites.site import Site, text_in


def site_page(
    frame: Frame, site: Site, view: SiteView, variant: Variant, downloads: list[Download]
) -> str:
    """The page in a language."""
    path = f"{site.key}/index.html"
    link = Links(variant.prefix + path)
    name = text_in(site.name, variant.language)
    title = f"{name} – {text_in(frame.city.name, variant.language)}"
    back = el("a", "← " + _("All sites"), href=link.to(f"{variant.prefix}index.html"))
    return frame.page(
        path, variant, title,
        charts.PATTERNS, el("p", back, class_="crumb"), *_head(frame, site, view, variant),
        *_day(frame, view), *_directions(site, view, variant), *_week(view), *_year(view),
        *_speeds(site, view, variant),
        *explanation(frame.city, site, view, variant.language),
        *_files(frame, downloads, link),
    )  # fmt: skip


def _head(frame: Frame, site: Site, view: SiteView, variant: Variant) -> list[Child]:
    where = [text_in(text, variant.language) for text in (site.street, site.about) if text]
    zone = frame.city.timezone
    numbers = [
        el(
            "li", el("b", "–" if (n := view.today.count(c)) is None else grouped(n)),
            el("span", class_name(c)), class_=f"c-{c}",
        )
        for c in site.classes
    ]  # fmt: skip
    return [
        el("h1", text_in(site.name, variant.language)),
        el("p", " · ".join(where), class_="place") if where else None,
        el("p", day_text(view.day), class_="asof"),
        el("p", " ".join(day_sentences(view.today, view.as_of, zone)), class_="lead"),
        el("ul", *numbers, class_="numbers"),
    ]


def _day(frame: Frame, view: SiteView) -> list[Child]:
    classes = view.today.classes
    parts: list[Child] = [el("h2", _("The day by hours")), _legend(view)]
    for name in classes:
        parts += [el("h3", class_name(name)), el("div", charts.day_chart(view, name),
                                                 class_=f"c-{name}")]  # fmt: skip
    rows: list[list[Child]] = []
    for (_hour, fold), one in zip(view.keys, view.hours, strict=True):
        if one.state != "none":
            again = " " + _("(again)") if fold else ""
            label = clock(one.first, frame.city.timezone) + again
            rows.append([label, *_cells(one)])
    caption = _("Road users by hour, {day}").format(day=day_text(view.day))
    heads = [_("From"), *map(class_name, classes), _("Measured")]
    parts.append(folded(_("The same numbers as a table"), table(caption, heads, rows)))
    return parts


def _cells(one: Figures) -> list[Child]:
    counts = [one.count(name) for name in one.classes]
    return [
        *(cell(None if n is None else grouped(n)) for n in counts),
        el("td", percent(one.coverage)),
    ]


def _legend(view: SiteView) -> Html:
    """Only what the charts show."""

    def sample(*shapes: Child) -> Html:
        return el("svg", *shapes, width="26", height="16", aria_hidden="true")

    box = {"x": 1, "y": 1, "width": 24, "height": 14}
    entries = [(sample(el("rect", class_="bar c-unknown", **box)), _("this day"))]
    if any(one.is_counted for one in view.last_week.values()):
        line = el("line", x1="0", y1="8", x2="26", y2="8", class_="last")
        entries.append((sample(line), _("a week before")))
    if view.usual:
        line = el("line", x1="2", y1="8", x2="26", y2="8", class_="usual")
        entries.append((sample(line), _("usual day")))
    states = {one.state for one in view.hours}
    if view.as_of < view.today.last:
        entries.append((sample(el("rect", class_="running c-unknown", **box)), _("not over yet")))
    zero = el("rect", x="1", y="13", width="24", height="2", class_="zero")
    entries.append((sample(zero), _("measured, nobody came")))
    if "partly" in states:
        entries.append((sample(el("rect", class_="partly", **box)), _("measured in part")))
    if "unobserved" in states:
        entries.append((sample(el("rect", class_="unseen", **box)), _("not measured")))
    return el("ul", *(el("li", drawn, text) for drawn, text in entries), class_="legend")


def _directions(site: Site, view: SiteView, variant: Variant) -> list[Child]:
    if not view.today.is_counted:
        return []
    if not site.has_directions:
        text = _("The device at this site does not tell directions apart.")
        return [el("h2", _("Directions")), el("p", text)]
    rows: list[list[Child]] = [
        [
            site.direction(direction, variant.language),
            *(cell(grouped(view.today.count(name, direction) or 0)) for name in site.classes),
        ]
        for direction in DIRECTIONS
    ]
    caption = _("Road users by direction, {day}").format(day=day_text(view.day))
    return [
        el("h2", _("Directions")),
        table(caption, [_("Direction"), *map(class_name, site.classes)], rows),
    ]


def _classes_legend(view: SiteView) -> Html:
    entries = [
        el(
            "li",
            el(
                "svg", el("rect", class_=f"bar c-{name}", x="1", y="1", width="24", height="14"),
                width="26", height="16", aria_hidden="true",
            ),
            class_name(name),
        )
        for name in view.today.classes
    ]  # fmt: skip
    return el("ul", *entries, class_="legend")


def _week(view: SiteView) -> list[Child]:
    rows: list[list[Child]] = [
        [day_text(when), *_cells(one)] for when, one in view.week if one.state != "none"
    ]
    heads = [_("Day"), *map(class_name, view.today.classes), _("Measured")]
    return [
        el("h2", _("The last seven days")),
        _classes_legend(view),
        charts.week_chart(view.week),
        folded(
            _("The same numbers as a table"), table(_("Road users by day"), heads, rows)
        ),
    ]  # fmt: skip


def _year(view: SiteView) -> list[Child]:
    months = [month for month in view.year if month.days]
    if len(months) < 2:
        return [el("h2", _("The last twelve months")), el("p", _(
            "This site is new. Months are shown as soon as there are two."))]  # fmt: skip
    rows: list[list[Child]] = [
        [
            f"{_(MONTHS[month.first.month - 1])} {month.first.year}",
            *(cell(grouped(round(n))) for n in month.means.values()),
            el("td", str(month.days)),
        ]
        for month in months
    ]
    heads = [_("Month"), *map(class_name, view.today.classes), _("Measured days")]
    return [
        el("h2", _("The last twelve months")),
        el("p", _("Each column is the mean of the measured days of a month.")),
        charts.year_chart(view.year),
        folded(
            _("The same numbers as a table"), table(_("Mean day of each month"), heads, rows)
        ),
    ]  # fmt: skip


def _speeds(site: Site, view: SiteView, variant: Variant) -> list[Child]:
    rows: list[list[Child]] = []
    for direction in DIRECTIONS:
        found = view.recent.lanes[direction].percentiles()
        if found["v85"] is not None:
            name = site.direction(direction, variant.language)
            rows.append([name, *(cell(decimal(v or 0, 0)) for v in found.values())])
    if not rows:
        return []
    both = view.recent.both()
    v85 = decimal(both.percentiles()["v85"] or 0, 0)
    heads = [_("Direction"), _("50 of 100 up to"), _("85 of 100 up to"), _("98 of 100 up to")]
    return [
        el("h2", _("Speeds")),
        el("p", _("In the last seven days 85 of 100 road users had at most {v85} km/h. {n} speeds "
                  "were measured.").format(v85=v85, n=grouped(both.speeds))),
        charts.speed_chart(both),
        table(_("Speeds in km/h"), heads, rows),
    ]  # fmt: skip


def _files(frame: Frame, downloads: list[Download], link: Links) -> list[Child]:
    """The newest files are shown, older months are folded."""
    shown = [one for one in downloads if one.kind != "month"] + downloads[:2]
    older = [one for one in downloads[2:] if one.kind == "month"]
    if not shown:
        return []
    parts: list[Child] = [
        el("h2", _("Download"), id="download"),
        el("p", _("The numbers are open data. An empty field means: not measured.")),
        el("ul", *(_file(frame, one, link) for one in shown), class_="files"),
    ]
    if older:
        more = el("ul", *(_file(frame, one, link) for one in older), class_="files")
        parts.append(folded(_("Older months"), more))
    return parts


def _file(frame: Frame, one: Download, link: Links) -> Html:
    month = f"{_(MONTHS[one.first.month - 1])} {one.first.year}"
    is_hour = one.kind == "hours" or frame.city.finest == "hour"
    text = _("{month} by hours") if is_hour else _("{month} by quarters of an hour")
    text = _("the last twelve months by days") if one.kind == "days" else text
    name = f"{text.format(month=month)} ({one.form})"
    size = el("small", f"{grouped(max(1, round(one.size / 1024)))} KB")
    return el("li", el("a", name, href=link.to(one.path), download=True), " ", size)
