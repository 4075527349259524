"""The pages that are easy to read: Leichte Sprache, Easy English. One short sentence in a line."""

from __future__ import annotations

from tallypost.backend.pages.frame import Frame, Links, Variant, contact
from tallypost.backend.pages.html import Child, el
from tallypost.backend.pages.site_view import SiteView
from tallypost.backend.pages.wording import CLASS_NAMES, clock, day_text
from tallypost.i18n import _, grouped
from tallypost.sites.site import Site, text_in


def _lines(*texts: str) -> list[Child]:
    return [el("p", text) for text in texts]


def _back(variant: Variant, here: Links) -> Child:
    text = "← " + _("Back to all places")
    return el("p", el("a", text, href=here.to(f"{variant.prefix}index.html")), class_="crumb")


def easy_site(frame: Frame, site: Site, view: SiteView, variant: Variant) -> str:
    """The page of a site."""
    name = text_in(site.name, variant.language)
    path = f"{site.key}/index.html"
    here = Links(variant.prefix + path)
    if view.today.is_counted:
        rows = [
            el("li", el("b", grouped(view.today.count(c) or 0)), el("span", _(CLASS_NAMES[c])),
               class_=f"c-{c}")
            for c in site.classes
        ]  # fmt: skip
        numbers: list[Child] = [
            *_lines(_("So many came by:")), el("ul", *rows, class_="numbers"),
            *_lines(*_coverage(view)),
        ]  # fmt: skip
    else:
        numbers = _lines(_("The device did not count."), _("So there is no number."))
    is_whole = view.as_of >= view.today.last
    until = clock(view.as_of, frame.city.timezone)
    when = _("We counted the whole day.") if is_whole else _("We counted until {time}.")
    return frame.page(
        path, variant, f"{name} – {variant.name}",
        _back(variant, here),
        el("h1", name),
        *_lines(_("A small device counts here."), _("It counts how many come by.")),
        el("h2", day_text(view.day)), *_lines(when.format(time=until)), *numbers,
        *_rest(frame),
    )  # fmt: skip


def _coverage(view: SiteView) -> list[str]:
    if view.today.state == "observed":
        return [_("The device counted nearly all the time.")]
    return [_("The device did not count for a part of the time."), _("So some are missing.")]


def _rest(frame: Frame) -> list[Child]:
    return [
        el("h2", _("What does the device know about you?")),
        *_lines(
            _("The device has no camera."), _("It makes no pictures."), _("It hears nothing."),
            _("It does not know who you are."), _("It only counts."),
        ),
        el("h2", _("Why do we count?")),
        *_lines(
            _("We want to know how many people use the roads."),
            _("Then we can make the roads better."),
        ),
        el("h2", _("Do you have a question?")),
        *_lines(_("Please write to us:")), el("p", contact(frame.city)),
    ]  # fmt: skip


def easy_overview(frame: Frame, sites: list[Site], variant: Variant) -> str:
    """The list of all sites."""
    city = text_in(frame.city.name, variant.language)
    links = [
        el("li", el("a", text_in(site.name, variant.language), href=f"{site.key}/index.html"))
        for site in sites
    ]
    title = _("Traffic in {city}").format(city=city)
    return frame.page(
        "index.html", variant, f"{title} – {variant.name}",
        el("h1", title),
        *_lines(
            _("Small devices count at the roads."), _("They count bicycles, cars and people."),
            _("Choose a place:"),
        ),
        el("ul", *links), *_rest(frame),
    )  # fmt: skip


def easy_about(frame: Frame, variant: Variant) -> str:
    """The page about the counting."""
    here = Links(f"{variant.prefix}about/index.html")
    title = _("How do we count?")
    return frame.page(
        "about/index.html", variant, title,
        _back(variant, here),
        el("h1", title),
        *_lines(
            _("There is a small device at the road."),
            _("It sends out radio waves or light."), _("You cannot see or feel them."),
            _("When somebody comes by, the device counts one more."),
            _("Sometimes the device does not work."), _("Then we say: not measured."),
        ),
        *_rest(frame),
    )  # fmt: skip
