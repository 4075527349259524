"""Writes the pages of a city. Only files that changed are written, so a mirror copies little."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tallypost.backend.exports import downloads
from tallypost.backend.exports.describe import sites_geojson
from tallypost.backend.exports.downloads import Download
from tallypost.backend.exports.plain import dumps
from tallypost.backend.figures.records import Kept, Source
from tallypost.backend.figures.site_figures import SiteFigures
from tallypost.backend.pages import easy, overview
from tallypost.backend.pages.city_map import WIDTH, CityMap, read_outline
from tallypost.backend.pages.frame import STYLE, Frame, Variant, style, variants
from tallypost.backend.pages.site_page import site_page
from tallypost.backend.pages.site_view import YEAR_DAYS, SiteView, view
from tallypost.backend.pages.theme import Theme
from tallypost.backend.pages.wording import speaking
from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _
from tallypost.sites.site import City, Site


_KEPT_S = (YEAR_DAYS + 40) * 86_400  # the last year, from the start of its first month


@dataclass
class Written:
    """Paths below the folder."""

    changed: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)


class Folder:
    """The folder of the pages. A file is replaced at once, never half. Raises ToolError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.written = Written()

    def size(self, name: str) -> int:
        """Size of a file in bytes, 0 if it is not there."""
        target = self._path / name
        return target.stat().st_size if target.is_file() else 0

    def put(self, name: str, content: str | bytes) -> None:
        """Write a file if it is not there with this content."""
        data = content.encode() if isinstance(content, str) else content
        target = self._path / name
        try:
            if target.is_file() and target.read_bytes() == data:
                self.written.same.append(name)
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            part.write_bytes(data)
            os.replace(part, target)
        except OSError as error:
            raise ToolError(
                f"{target}: {os_reason(error)}", _("Name another folder with --out.")
            ) from error
        self.written.changed.append(name)


def write(source: Source, city: City, theme: Theme, now: float, out: Path) -> Written:
    """Write all pages. now: unix seconds. Raises ToolError."""
    folder = Folder(out)
    frame = Frame(city, theme)
    drawn = CityMap(city.sites, read_outline(theme.outline))
    folder.put(STYLE, style(theme, drawn.height, WIDTH))
    if theme.logo:
        folder.put(frame.logo, theme.logo.read_bytes())
    folder.put(overview.SITES, dumps(sites_geojson(city)))
    views: list[tuple[Site, SiteView]] = []
    for site in city.sites:
        kept = Kept(source, now - _KEPT_S, now + 1)
        figures = SiteFigures(kept, site, city.timezone, now)
        found = view(figures)
        views.append((site, found))
        files = downloads.write(city, figures, theme.language, folder.size, folder.put)
        for name, text in _site_pages(frame, site, found, files):
            folder.put(name, text)
    for variant in variants(theme.language):
        with speaking(variant.language):
            for name, text in _city_pages(frame, views, drawn, variant):
                folder.put(variant.prefix + name, text)
    return folder.written


def _site_pages(
    frame: Frame, site: Site, found: SiteView, downloads: list[Download]
) -> Iterator[tuple[str, str]]:
    for variant in variants(frame.theme.language):
        with speaking(variant.language):
            text = (
                easy.easy_site(frame, site, found, variant)
                if variant.is_easy
                else site_page(frame, site, found, variant, downloads)
            )
        yield f"{variant.prefix}{site.key}/index.html", text


def _city_pages(
    frame: Frame, views: list[tuple[Site, SiteView]], drawn: CityMap, variant: Variant
) -> Iterator[tuple[str, str]]:
    if variant.is_easy:
        yield "index.html", easy.easy_overview(frame, [site for site, _view in views], variant)
        yield "about/index.html", easy.easy_about(frame, variant)
    else:
        yield "index.html", overview.overview(frame, views, drawn, variant)
        yield "about/index.html", overview.about(frame, variant)
