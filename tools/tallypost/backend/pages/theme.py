"""The look of the pages: a TOML file with name, colours, logo, imprint, licence of a city.

All keys are optional:

    language = "de"                     of the pages at the top, "de" or "en"
    address = "https://zaehlen.musterstadt.example"   of the pages, for signs and downloads
    accent = "#7a1f2b"                  for the light look, 4.5:1 against white or more
    accent_dark = "#f0a5ae"             for the dark look, 4.5:1 against #14181f or more
    logo = "coat-of-arms.svg"           a file beside the theme: SVG, PNG or WebP
    imprint = "https://musterstadt.example/impressum"
    privacy = "https://musterstadt.example/datenschutz"
    notice = {de = "...", en = "..."}   a line at the top of each page
    outline = "outline.geojson"         the drawn map: areas, water, roads (city_map.py)
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tallypost.faults import ToolError, os_reason
from tallypost.i18n import LANGUAGES, _
from tallypost.sites.site import Text

LIGHT, DARK = "#ffffff", "#14181f"  # backgrounds of the two looks
CONTRAST_MIN = 4.5  # WCAG 2.2, 1.4.3
LOGO_MAX_BYTES = 40_000
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_KEYS = (
    "language", "address", "accent", "accent_dark", "logo", "imprint", "privacy", "notice",
    "outline",
)  # fmt: skip


@dataclass(frozen=True)
class Theme:
    """address: of the pages, without a slash at the end, "" if not known."""

    language: str = "de"
    address: str = ""
    accent: str = "#1f4e79"
    accent_dark: str = "#9cc9f5"
    logo: Path | None = None
    imprint: str = ""
    privacy: str = ""
    notice: Text = ""
    outline: Path | None = None


def load(path: Path | None) -> Theme:
    """Raises ToolError."""
    if path is None:
        return Theme()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ToolError(f"{path}: {os_reason(error)}", _("Name another file.")) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ToolError(
            _("{path}: not TOML: {reason}").format(path=path, reason=error),
            _("Correct the line. The form is that of https://toml.io"),
        ) from error
    for key in table:
        if key not in _KEYS:
            raise ToolError(
                _("{path}: unknown key '{key}'").format(path=path, key=key),
                _("Known keys: {known}.").format(known=", ".join(_KEYS)),
            )
    for key in ("logo", "outline"):
        if key in table:
            table[key] = _file(path, str(table[key]))
    theme = Theme(**table)
    _check(path, theme)
    return theme


def _file(path: Path, name: str) -> Path:
    found = path.parent / name
    if not found.is_file():
        raise ToolError(
            _("{path}: no such file").format(path=found),
            _("Name a file beside {path}.").format(path=path),
        )
    return found


def _check(path: Path, theme: Theme) -> None:
    """Raises ToolError for a value that makes no good page."""
    if theme.language not in LANGUAGES:
        raise ToolError(
            _("{path}: language = {value} is wrong").format(path=path, value=theme.language),
            _("Write one of {known}.").format(known=", ".join(LANGUAGES)),
        )
    for key, colour, ground in (
        ("accent", theme.accent, LIGHT), ("accent_dark", theme.accent_dark, DARK)
    ):  # fmt: skip
        if not _COLOUR.fullmatch(colour):
            raise ToolError(
                _("{path}: {key} = {value} is no colour").format(path=path, key=key, value=colour),
                _("Write it as #1f4e79."),
            )
        if (found := contrast(colour, ground)) < CONTRAST_MIN:
            raise ToolError(
                _("{path}: {key} has a contrast of {found}:1 to {ground}").format(
                    path=path, key=key, found=f"{found:.1f}", ground=ground
                ),
                _("Choose a colour with 4.5:1 or more, so that everybody can read the text."),
            )
    if theme.logo and theme.logo.stat().st_size > LOGO_MAX_BYTES:
        raise ToolError(
            _("{path}: the logo has more than {n} bytes").format(
                path=theme.logo, n=LOGO_MAX_BYTES
            ),
            _("Make it smaller. Each page loads it."),
        )


def contrast(one: str, other: str) -> float:
    """Contrast of two colours as WCAG 2.2 defines it, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
