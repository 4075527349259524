"""The sign of a site as SVG. Drawn for A6, 105 x 148 mm. A5 is the same drawing, larger.

The QR code (ISO/IEC 18004, error correction Q: signs get scratched) holds the address of the page.
"""

from __future__ import annotations

import base64
import textwrap

import segno

from tallypost.backend.pages.html import Html, el
from tallypost.backend.pages.theme import Theme
from tallypost.backend.pages.wording import listed, speaking
from tallypost.i18n import N_, _
from tallypost.resources import version
from tallypost.sites.site import City, Site, text_in

WIDTH, HEIGHT = 105, 148  # mm, A6
SIZES = {"a6": (105, 148), "a5": (148, 210)}
_LEFT, _QR = 8.0, 46.0
_QUIET = 4  # modules around the code
_EM = 0.6  # the width of a character, in font sizes
_KINDS = {
    "pedestrian": N_("people on foot"), "bicycle": N_("bicycles"), "car": N_("cars"),
    "heavy": N_("heavy vehicles"),
}  # fmt: skip
_MEDIA = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}


def sign(city: City, site: Site, theme: Theme, address: str, size: str) -> str:
    """The sign. address: of the pages, without a slash at the end."""
    other = "en" if theme.language == "de" else "de"
    page = f"{address}/{site.key}/"
    parts = [el("rect", width=WIDTH, height=HEIGHT, fill="#fff"), *_head(city, theme)]
    with speaking(theme.language):
        parts += _texts(site, 40.0, 1.0, theme.accent)
    with speaking(other):
        parts += _texts(site, 71.0, 0.62, "#1a1f29")
    parts += [_code(page), *_foot(city, theme.language, page)]
    width, height = SIZES[size]
    drawn = el(
        "svg", *parts, xmlns="http://www.w3.org/2000/svg", width=f"{width}mm",
        height=f"{height}mm", viewBox=f"0 0 {WIDTH} {HEIGHT}", font_family="sans-serif",
        fill="#1a1f29",
    )  # fmt: skip
    return f"{drawn}\n"


def _line(text: str, y: float, size: float, **more: str) -> Html:
    """A line of text. One that is too long gets a smaller font."""
    room = WIDTH - 2 * _LEFT
    size = min(size, room / (_EM * max(len(text), 1)))
    return el("text", text, x=_LEFT, y=round(y, 2), font_size=round(size, 2), **more)


def _head(city: City, theme: Theme) -> list[Html]:
    left = _LEFT
    parts = [el("rect", x=0, y=27, width=WIDTH, height=1.6, fill=theme.accent)]
    if theme.logo:
        data = base64.b64encode(theme.logo.read_bytes()).decode()
        address = f"data:{_MEDIA.get(theme.logo.suffix, 'image/png')};base64,{data}"
        parts.append(el("image", x=_LEFT, y=6, width=15, height=18, href=address))
        left += 18
    name = text_in(city.name, theme.language)
    parts.append(el("text", name, x=left, y=18, font_size=min(8.0, 75 / (_EM * len(name))),
                    font_weight="bold"))  # fmt: skip
    return parts


def _texts(site: Site, top: float, scale: float, colour: str) -> list[Html]:
    """The texts in the language in use, from a height on."""
    names = [_(_KINDS[name]) for name in site.classes if name in _KINDS]
    what = _("We count {what}.").format(what=listed(names)) if names else _("We count passages.")
    found = [_line(_("Traffic is counted here."), top, 7.4 * scale, font_weight="bold",
                   fill=colour)]  # fmt: skip
    y = top + 1.6 * scale
    lines = textwrap.wrap(what, 46) + [_("No camera. No microphone."), _("Nobody is recognised.")]
    for text in lines:
        y += 6.4 * scale
        found.append(_line(text, y, 4.6 * scale))
    return found


def _code(page: str) -> Html:
    """The code as one path. A run of dark modules is one rectangle."""
    code = segno.make_qr(page, error="q")
    path, n = [], 0
    for y, row in enumerate(code.matrix_iter(scale=1, border=_QUIET)):
        line, x = bytes(row), 0
        n = len(line)
        while x < n:
            run = len(line[x:]) - len(line[x:].lstrip(b"\x01"))
            if run:
                path.append(f"M{x} {y}h{run}v1h-{run}z")
            x += run or 1
    place = f"translate({_LEFT - 3:g} 92) scale({_QR / n:.4f})"
    return el("path", transform=place, shape_rendering="crispEdges", d="".join(path))


def _foot(city: City, language: str, page: str) -> list[Html]:
    left = _LEFT + _QR
    with speaking(language):
        words = textwrap.wrap(_("Today's numbers on this page:"), 20)
        asked = _("Questions:")
    found = [
        el("text", text, x=left, y=101 + 5.6 * i, font_size=4.6, font_weight="bold")
        for i, text in enumerate(words)
    ]
    y = 103 + 5.6 * len(words)
    host, _slash, path = page.removeprefix("https://").partition("/")
    for text in [*textwrap.wrap(f"{host}/", 30), *textwrap.wrap(path, 30)]:
        found.append(el("text", text, x=left, y=round(y, 1), font_size=2.7))
        y += 4.2
    contact = [asked, *textwrap.wrap(city.contact, 30)]
    for i, text in enumerate(contact):
        found.append(el("text", text, x=left, y=round(y + 4 + 4.2 * i, 1), font_size=2.7))
    found.append(_line(f"Tallypost {version()}", HEIGHT - 5, 2.6))
    return found
