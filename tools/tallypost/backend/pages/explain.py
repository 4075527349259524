"""How a site counts, how well, and what it does not know. Figures are those of detectors."""

from __future__ import annotations

from typing import NamedTuple

from tallypost.backend.pages.html import Child, el
from tallypost.backend.pages.site_view import SiteView
from tallypost.i18n import N_, _, grouped
from tallypost.sites.site import City, Site, text_in


class Accuracy(NamedTuple):
    """Of 1,000 passages in free traffic how many are counted. Of 1,000 counts how many are real.
    Of 100 pairs side by side how many count as one. All simulated (lib/passage/TRUST.md)."""

    counted: int
    real: int
    pairs: int


ACCURACY = {
    "ld2451": Accuracy(998, 998, 17), "ld2450": Accuracy(1000, 994, 3),
    "ops243": Accuracy(995, 989, 100), "doppler": Accuracy(915, 914, 98),
    "beam": Accuracy(1000, 1000, 100), "beam_single": Accuracy(1000, 1000, 100),
}  # fmt: skip
_RADAR = N_("A small radar sends weak radio waves. It measures how far and how fast things move.")
_BEAMS = N_("Two invisible beams of light cross the way. A road user breaks one after the other.")
HOW = {
    "ld2451": _RADAR, "ld2450": _RADAR, "ops243": _RADAR, "doppler": _RADAR, "beam": _BEAMS,
    "beam_single": N_("An invisible beam of light crosses the way. Each break counts as one."),
}  # fmt: skip


def explanation(city: City, site: Site, view: SiteView, language: str) -> list[Child]:
    """The parts of the page below the figures."""
    period = site.period_at(view.as_of)
    return [
        el("h2", _("How it counts")),
        el("p", _(HOW[period.detector]), " ", _("Every 15 minutes the device sends the number of "
           "road users, not the single ones.")),
        el("p", text_in(period.note, language)) if period.note else None,
        el("h2", _("How well it counts")),
        *accuracy(period.detector),
        el("p", _("Hatched areas were not measured. We do not fill them with estimates.")),
        el("h2", _("What it does not know about you")),
        *privacy(),
    ]  # fmt: skip


def accuracy(detector: str) -> list[Child]:
    """How well a detector counts. Simulated figures are called simulated."""
    found = {key: grouped(n) for key, n in ACCURACY[detector]._asdict().items()}
    text = _(
        "In a simulation of free traffic, of 1,000 road users {counted} were counted, and of "
        "1,000 counts {real} were real. Of 100 pairs side by side, {pairs} counted as one."
    )
    return [
        el("p", text.format(**found)),
        el("p", _("These figures are simulated. A count by hand on the spot is the better test.")),
    ]


def privacy() -> list[Child]:
    """What is not recorded."""
    texts = (
        _("There is no camera and no microphone."),
        _("No number plates, faces or phones are recognised."),
        _("Nobody can be recognised in the numbers or followed from place to place."),
        _("These pages set no cookies and load nothing from other servers."),
    )
    return [el("ul", *(el("li", text) for text in texts))]
