"""The pages about all sites: the overview with its map, and the page about the counting."""

from __future__ import annotations

from tallypost.backend.pages.city_map import CityMap
from tallypost.backend.pages.explain import ACCURACY, HOW, accuracy, privacy
from tallypost.backend.pages.frame import Frame, Links, Variant, contact
from tallypost.backend.pages.html import Child, Html, el
from tallypost.backend.pages.site_view import SiteView
from tallypost.backend.pages.wording import day_sentences, day_text
from tallypost.i18n import N_, _, ngettext
from tallypost.sites.site import Site, text_in

SITES = "data/sites.geojson"
_DETECTORS = {
    "ld2451": N_("Radar along the road"), "ld2450": N_("Radar across a path"),
    "ops243": N_("Radar for speeds"), "doppler": N_("Simple radar"),
    "beam": N_("Two light beams"), "beam_single": N_("One light beam"),
}  # fmt: skip


def overview(
    frame: Frame, views: list[tuple[Site, SiteView]], drawn: CityMap, variant: Variant
) -> str:  # fmt: skip
    """The page with all sites. views: in the order of the pins."""
    link = Links(variant.prefix + "index.html")
    city = text_in(frame.city.name, variant.language)
    links = {
        site.key: (
            link.to(f"{variant.prefix}{site.key}/index.html"), text_in(site.name, variant.language)
        )
        for site, _view in views
    }  # fmt: skip
    days = {view.day for _site, view in views}
    entries = [
        _entry(frame, number, views[number - 1], variant, has_day=len(days) > 1)
        for number in range(1, len(views) + 1)
    ]
    text = ngettext(
        "At {n} place we count how many are on the road: without a camera, day and night.",
        "At {n} places we count how many are on the road: without a camera, day and night.",
        len(views),
    )
    return frame.page(
        "index.html", variant, _("Traffic in {city}").format(city=city),
        el("h1", _("Traffic in {city}").format(city=city)),
        el("p", text.format(n=len(views)), class_="lead"),
        el("h2", _("The sites")),
        el("p", day_text(min(days)), class_="asof") if len(days) == 1 else None,
        el("div", drawn.draw(links), el("ol", *entries, class_="sites"), class_="overview"),
        el("h2", _("Download")),
        el("p", el("a", _("The sites as GeoJSON"), href=link.to(SITES), download=True)),
    )  # fmt: skip


def _entry(
    frame: Frame, number: int, entry: tuple[Site, SiteView], variant: Variant, *, has_day: bool
) -> Html:
    site, view = entry
    name = text_in(site.name, variant.language)
    here = Links(variant.prefix + "index.html")
    address = here.to(f"{variant.prefix}{site.key}/index.html")
    sentences = " ".join(day_sentences(view.today, view.as_of, frame.city.timezone)[:2])
    return el(
        "li",
        el("span", str(number), class_="badge", aria_hidden="true"),
        el("a", name, href=address),
        el("p", sentences),
        el("p", day_text(view.day)) if has_day else None,
    )


def about(frame: Frame, variant: Variant) -> str:
    """How it counts, what is not recorded, accessibility. Only detectors of this city."""
    used = {period.detector for site in frame.city.sites for period in site.periods}
    parts: list[Child] = []
    for detector in ACCURACY:
        if detector in used:
            parts += [
                el("h3", _(_DETECTORS[detector])), el("p", _(HOW[detector])), *accuracy(detector)
            ]  # fmt: skip
    title = _("How it counts, privacy, accessibility")
    return frame.page(
        "about/index.html", variant, title,
        el("p", el("a", "← " + _("All sites"), href="../index.html"), class_="crumb"),
        el("h1", title), el("h2", _("How it counts")), *parts,
        el("h2", _("What is not measured")),
        el("p", _("A device may stand still, or a parked car may hide the road. Then there is no "
                  "number. A zero means that nobody came, and it was measured.")),
        el("h2", _("What it does not know about you")), *privacy(),
        el("h2", _("Accessibility")),
        el("p", _("These pages follow WCAG 2.2, level AA. They work without script, with a "
                  "keyboard and with a screen reader. Each picture has its numbers as a table.")),
        el("p", _("Did you find a barrier? Please tell us:"), " ", contact(frame.city)),
    )  # fmt: skip
