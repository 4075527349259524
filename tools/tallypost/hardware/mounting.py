"""The pictures of boards/MOUNTING.md, drawn from the geometry of a radar on a lamp post.

`python -m tallypost.hardware.mounting FOLDER` writes them in English and German. The same numbers
give the same bytes. Lengths are in metres, 20 px each.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

from tallypost import i18n
from tallypost.i18n import _, decimal

LOBE_DEG = 20.0  # to either side, the maker's
LINE_M = 20.0
LANES_M = (3.25, 6.75)  # from the radar to the middle of each lane
KERB_M = 1.5
HEIGHT_M, BODY_M = 3.5, 0.8
_PX = 20
_LEFT, _TOP, _WIDTH = 60, 60, 800
_TEXT = 'font-family="sans-serif" fill="#000"'


def first_seen_m(offset_m: float, lobe_deg: float = LOBE_DEG) -> float:
    """From where on along the road the lobe reaches a lane."""
    return offset_m / math.tan(math.radians(lobe_deg))


def tilt_deg(height_m: float, line_m: float) -> float:
    """Downwards, so that the axis meets the bodies at the line."""
    return math.degrees(math.atan2(height_m - BODY_M, line_m))


def top_view() -> str:
    """The road from above: lanes, lobe, counting line."""
    height = _TOP + round(12.5 * _PX)
    end_m = 34.0
    edge_m = end_m * math.tan(math.radians(LOBE_DEG))
    out = [_text(_LEFT, 28, _("From above: the lobe, and where it reaches each lane"), 17)]
    out += [_line(0, side, end_m, side, "#888", 2) for side in (KERB_M, KERB_M + 7)]
    out.append(_line(0, 5.0, end_m, 5.0, "#888", 1, "8 8"))
    lobe = f"{_x(0)},{_y(0)} {_x(end_m)},{_y(min(edge_m, 10))} {_x(end_m)},{_y(0)}"
    out.append(f'<polygon points="{lobe}" fill="#1b4f9c" fill-opacity="0.13"/>')
    out.append(_line(LINE_M, KERB_M, LINE_M, KERB_M + 7, "#b3420c", 4))
    out.append(_text(_x(LINE_M) + 6, _y(9.2), _("counting line, {m} m").format(m=f"{LINE_M:g}")))
    for offset_m in LANES_M:
        seen_m = first_seen_m(offset_m)
        out.append(_line(seen_m, offset_m, end_m, offset_m, "#1f6b2e", 3))
        out.append(_line(0, offset_m, seen_m, offset_m, "#1f6b2e", 1, "3 5"))
        label = _("lane at {offset} m: seen from {seen} m on").format(
            offset=decimal(offset_m, 2), seen=decimal(seen_m, 1)
        )
        out.append(_text(_x(1), _y(offset_m) - 6, label))
    out.append(f'<circle cx="{_x(0)}" cy="{_y(0)}" r="7" fill="#000"/>')
    about = _("radar on the pole, {m} m behind the kerb").format(m=decimal(KERB_M, 1))
    out.append(_text(_x(0.6), _y(0) - 8, about))
    return _svg(height, out)


def side_view() -> str:
    """The pole from the side: height and tilt."""
    height = _TOP + 5 * _PX + 30
    ground = _TOP + round(4.5 * _PX)

    def up(metres: float) -> float:
        return round(ground - metres * _PX, 1)

    out = [_text(_LEFT, 28, _("From the side: height and tilt"), 17)]
    out.append(_raw(_LEFT, ground, _x(34), ground, "#888", 2))
    out.append(_raw(_LEFT, ground, _LEFT, up(4.2), "#000", 6))
    out.append(_raw(_LEFT, up(HEIGHT_M), _x(LINE_M), up(BODY_M), "#1b4f9c", 2, "10 5"))
    out.append(_raw(_x(LINE_M), ground, _x(LINE_M), up(2.0), "#b3420c", 4))
    tilt = _("{m} m high, tilted down by {deg} degrees").format(
        m=decimal(HEIGHT_M, 1), deg=f"{tilt_deg(HEIGHT_M, LINE_M):.0f}"
    )
    out.append(_text(_x(0.8), up(HEIGHT_M) - 6, tilt))
    out.append(_text(_x(LINE_M) + 6, up(2.0), _("counting line, {m} m").format(m=f"{LINE_M:g}")))
    return _svg(height, out)


def _x(metres: float) -> float:
    return round(_LEFT + metres * _PX, 1)


def _y(metres: float) -> float:
    return round(_TOP + metres * _PX, 1)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *style: object) -> str:
    return _raw(_x(x1), _y(y1), _x(x2), _y(y2), colour, *style)


def _raw(x1: float, y1: float, x2: float, y2: float, colour: str, *style: object) -> str:
    width, dashes = (*style, "")[:2]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"'
        f' stroke-width="{width}"{dashed}/>'
    )


def _text(x: float, y: float, text: str, size: int = 13) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" {_TEXT}>{text}</text>'


def _svg(height: float, parts: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}">'
    )
    back = f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
    return "\n".join([head, back, *parts, "</svg>"]) + "\n"


PICTURES: dict[str, Callable[[], str]] = {"mounting_top": top_view, "mounting_side": side_view}


def drawn() -> dict[str, str]:
    """Every picture by its file name, in both languages."""
    before = i18n.in_use()
    found: dict[str, str] = {}
    try:
        for language in i18n.LANGUAGES:
            i18n.use(language)
            ending = ".svg" if language == "en" else f".{language}.svg"
            found |= {name + ending: draw() for name, draw in PICTURES.items()}
    finally:
        i18n.use(before)
    return found


if __name__ == "__main__":
    for name, text in drawn().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
