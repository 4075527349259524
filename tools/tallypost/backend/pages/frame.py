"""The frame of each page: head, banner, languages, footer."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import Path

from tallypost.backend.pages.html import Child, Html, el, join
from tallypost.backend.pages.theme import Theme
from tallypost.i18n import _
from tallypost.sites.site import City, text_in

_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'"
)
STYLE = "data/style.css"


@dataclass(frozen=True)
class Variant:
    """A language, plain or easy to read. prefix: folder of its pages, "" or with a slash."""

    language: str
    is_easy: bool
    prefix: str

    @property
    def name(self) -> str:
        """Its name in its own language."""
        if self.is_easy:
            return {"de": "Leichte Sprache", "en": "Easy English"}[self.language]
        return {"de": "Deutsch", "en": "English"}[self.language]


def variants(language: str) -> list[Variant]:
    """All variants, first that of the top folder."""
    other = {"de": "en", "en": "de"}[language]
    return [
        Variant(language, False, ""),
        Variant(language, True, "easy/"),
        Variant(other, False, f"{other}/"),
        Variant(other, True, f"{other}/easy/"),
    ]


@dataclass(frozen=True)
class Frame:
    """What all pages share."""

    city: City
    theme: Theme

    @property
    def logo(self) -> str:
        """Path of the logo below the pages, "" without one."""
        return f"data/logo{self.theme.logo.suffix}" if self.theme.logo else ""

    def page(self, path: str, variant: Variant, title: str, *body: Child) -> str:
        """A whole page. path: of it below its variant, such as "wehr/index.html"."""
        here = variant.prefix + path
        link = Links(here)
        head = el(
            "head",
            el("meta", charset="utf-8"),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            el("title", title),
            el("meta", name="description", content=title),
            el("link", rel="stylesheet", href=link.to(STYLE)),
            el("link", rel="icon", href=link.to(self.logo)) if self.logo else None,
            *(
                el("link", rel="alternate", hreflang=one.language, href=link.to(one.prefix + path))
                for one in variants(self.theme.language)
                if not one.is_easy
            ),
        )
        main = el("main", *body, id="main", class_="wrap easy" if variant.is_easy else "wrap")
        whole = el(
            "html",
            head,
            el("body", *self._top(path, variant, link), main, self._footer(variant, link)),
            lang=variant.language,
        )
        return f"<!doctype html>\n{whole}\n"

    def _top(self, path: str, variant: Variant, link: Links) -> list[Child]:
        name = text_in(self.city.name, variant.language)
        logo = el("img", src=link.to(self.logo), alt="", height="48") if self.logo else None
        brand = el(
            "a",
            logo,
            el("span", name, el("small", _("Traffic in numbers"))),
            class_="brand",
            href=link.to(f"{variant.prefix}index.html"),
        )
        notice = text_in(self.theme.notice, variant.language)
        return [
            el("a", _("To the content"), href="#main", class_="skip"),
            el(
                "header",
                el("p", notice, class_="notice") if notice else None,
                el("div", brand, self._languages(path, variant, link), class_="wrap"),
                class_="top",
            ),
        ]

    def _languages(self, path: str, variant: Variant, link: Links) -> Html:
        entries = []
        for one in variants(self.theme.language):
            if one == variant:
                entry = el("span", one.name, aria_current="true", lang=one.language)
            else:
                target = link.to(one.prefix + path)
                entry = el("a", one.name, href=target, lang=one.language, hreflang=one.language)
            entries.append(el("li", entry))
        return el("nav", el("ul", *entries), class_="langs", aria_label=_("Languages"))

    def _footer(self, variant: Variant, link: Links) -> Html:
        about = f"{variant.prefix}about/index.html"
        entries = [
            el("a", _("How it counts, privacy, accessibility"), href=link.to(about)),
            el("a", _("Imprint"), href=self.theme.imprint) if self.theme.imprint else None,
            el("a", _("Privacy notice"), href=self.theme.privacy) if self.theme.privacy else None,
            contact(self.city),
        ]
        licence = self.city.licence
        return el(
            "footer",
            el(
                "div",
                el("ul", *(el("li", entry) for entry in entries if entry)),
                el(
                    "p",
                    _("Licence of the numbers:"),
                    " ",
                    el("a", licence.name, href=licence.url, rel="license"),
                ),
                el("p", _("Made with Tallypost, open software for counting without a camera.")),
                class_="wrap",
            ),
        )


def contact(city: City) -> Html:
    """The contact of the city as a link, if it is one."""
    address = city.contact
    if "@" in address and " " not in address:
        return el("a", address, href=f"mailto:{address}")
    if address.startswith("https://"):
        return el("a", address, href=address)
    return el("span", address)


class Links:
    """Relative links from a page. here: its path below the pages."""

    def __init__(self, here: str) -> None:
        self._folder = posixpath.dirname(here)

    def to(self, path: str) -> str:
        return posixpath.relpath(path, self._folder or ".")


def style(theme: Theme, map_height: int, map_width: float) -> str:
    """The style sheet with the colours of a theme and the shape of the map."""
    text = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    colours = f":root{{--accent:{theme.accent};--accent-dark:{theme.accent_dark}}}\n"
    return f"{colours}{text}.map{{aspect-ratio:{map_width:g}/{map_height}}}\n"


def table(caption: str, heads: list[str], rows: list[list[Child]]) -> Html:
    """A table that can be scrolled sideways by keyboard. The first cell of a row is its head."""
    head = el("tr", *(el("th", text, scope="col") for text in heads))
    body = [
        el("tr", el("th", row[0], scope="row"), *(cell for cell in row[1:]))
        for row in rows
    ]  # fmt: skip
    whole = el("table", el("caption", caption), el("thead", head), el("tbody", *body))
    return el("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def cell(text: str | None) -> Html:
    """A cell with a number. None: it was not measured."""
    if text is None:
        return el("td", _("not measured"), class_="no")
    return el("td", text)


def folded(summary: str, *children: Child) -> Html:
    return el("details", el("summary", summary), join(*children))
