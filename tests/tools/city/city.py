"""A small city for tests: its sites, three weeks of records, and its pages."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.tools.city import days
from tests.tools.sites import site_files

from tallypost.backend.figures.records import Records
from tallypost.backend.pages import theme
from tallypost.backend.pages.writer import Written, write
from tallypost.sites.site import load

NOW = "2026-06-10T14:20"
_VOID = {"meta", "link", "img", "br", "hr"}


def fill(path: Path) -> None:
    """Records of both sites until 14:15. At loewenplatz 9 to 10 is not observed, 3 to 4 is 0."""
    path.write_bytes(_filled())


@cache
def _filled() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "counts.sqlite"
        _fill(path)
        return path.read_bytes()


def _fill(path: Path) -> None:
    rows = []
    for start, observed, counts in days.day("2026-05-20T00:00", 21 * 96 + 57):
        hour = (start - days.utc("2026-06-10T00:00")) / 3600
        if 9 <= hour < 10:
            rows.append((start, 0, {}))
        elif 3 <= hour < 4:
            rows.append((start, observed, {"car": 0}))
        else:
            rows.append((start, observed, counts))
    days.store(path, "gate", rows)
    days.store(path, "path", days.day("2026-06-08T00:00", 2 * 96 + 57, cars=0, bicycles=3))


def build(folder: Path, look: str = "", now: str = NOW, sites: Path | None = None) -> Written:
    """The pages in folder/out."""
    path = folder / "counts.sqlite"
    if not path.exists():
        fill(path)
    theme_file = folder / "theme.toml"
    theme_file.write_text(look, encoding="utf-8")
    source = Records(path)
    try:
        city = load(sites or site_files.write(folder))
        return write(source, city, theme.load(theme_file), days.utc(now), folder / "out")
    finally:
        source.close()


class Page(HTMLParser):
    """A page as its elements. Raises AssertionError for tags that do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> in {self._open}"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def all(self, tag: str, class_: str = "") -> list[dict[str, str]]:
        """Attributes of the elements with a tag, of a class if wanted."""
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and (not class_ or class_ in attributes.get("class", "").split())
        ]
