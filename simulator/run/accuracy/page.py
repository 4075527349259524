"""The matrix as a picture: one HTML file without scripts, dots with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from simulator.run.accuracy.cell import Cell, Share
from simulator.run.accuracy.words import TRUE
from simulator.run.checkers.decode import CLASSES
from simulator.run.results.statistics import Range

ROW, LEFT, WIDE, SPACE = 22, 210, 170, 45
STYLE = """
body { font: 14px/1.4 sans-serif; margin: 2em; color: #222; background: #fff }
text { font: 12px sans-serif; fill: #222 } .grid { stroke: #ddd } .range { stroke-width: 3 }
.band { fill: #f4f4f4 } .recall { stroke: #1b6ca8; fill: #1b6ca8 }
.precision { stroke: #b3541e; fill: #b3541e } .direction { stroke: #4a7c2f; fill: #4a7c2f }
.class { stroke: #6b4c9a; fill: #6b4c9a } .mean { stroke: #2a7f7f; fill: #2a7f7f }
.v85 { stroke: #7f5f2a; fill: #7f5f2a } .off { font-weight: bold }
table { border-collapse: collapse; margin: .5em 0 1em } td, th { padding: .1em .6em;
text-align: right; border: 1px solid #ddd } th:first-child { text-align: left }
.right { background: #e3f0dc } .wrong { background: #f8ded2 }
"""
Point = tuple[float, Range, str]  # value, its range, tooltip


@dataclass(frozen=True)
class Panel:
    """name: of a Share or error of the cell. low, high: ends of its axis. step: of its grid.
    point: the point of a cell, or None.
    """

    name: str
    low: float
    high: float
    step: float
    point: Callable[[Cell], Point | None]

    def x(self, value: float, left: float) -> float:
        inside = min(self.high, max(self.low, value))
        return round(left + WIDE * (inside - self.low) / (self.high - self.low), 1)


def _share(name: str) -> Callable[[Cell], Point | None]:
    def point(one: Cell) -> Point | None:
        share: Share = getattr(one, name)
        if not share.n or not one.passed:
            return None
        return share.value, share.range, f"{share.value:.4f} of {share.n:,}"

    return point


def _error(name: str) -> Callable[[Cell], Point | None]:
    def point(one: Cell) -> Point | None:
        error: tuple[float, Range] | None = getattr(one, name)
        return (*error, f"{error[0]:+.2f} km/h") if error else None

    return point


PANELS = (
    Panel("recall", 0.5, 1.0, 0.1, _share("recall")),
    Panel("precision", 0.5, 1.0, 0.1, _share("precision")),
    Panel("direction", 0.9, 1.0, 0.02, _share("direction")),
    Panel("class", 0.0, 1.0, 0.2, _share("classed")),
    Panel("mean", -6, 6, 2, _error("mean_error")),
    Panel("v85", -6, 6, 2, _error("v85_error")),
)
TITLES = {"class": "right class", "mean": "mean speed, km/h", "v85": "v85, km/h"}


def page(cells: list[Cell], seeds: int, hours: int) -> str:
    """The HTML. A value beyond an axis is drawn at its edge, with a bold arrow."""
    height = ROW * (len(cells) + 2)
    width = LEFT + len(PANELS) * (WIDE + SPACE)
    body = [_panel(cells, i, panel, height) for i, panel in enumerate(PANELS)]
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Tallypost: accuracy</title>'
        f"<style>{STYLE}</style><h1>How well it counts (simulated)</h1>"
        f"<p>{seeds} runs of {hours} h a row, with 95 % intervals. No hardware confirmed it.</p>"
        f'<svg role="img" aria-label="accuracy by detector and situation" width="{width}"'
        f' height="{height + 20}" viewBox="0 0 {width} {height + 20}">'
        f"{''.join(_names(cells, width) + body)}</svg>"
        f"<h2>Confused classes</h2>{''.join(_confusion(one) for one in cells)}</html>\n"
    )


def _names(cells: list[Cell], width: int) -> list[str]:
    out = []
    for i, one in enumerate(cells):
        y = ROW * (i + 2)
        if i % 2:
            out.append(f'<rect class="band" x="0" y="{y - 15}" width="{width}" height="{ROW}"/>')
        label = f"{escape(one.detector)}, {escape(one.scenario)}"
        label += "" if one.passed else f", phantoms: {one.counted}"
        out.append(f'<text x="0" y="{y}">{label}<title>{escape(one.title)}</title></text>')
    return out


def _panel(cells: list[Cell], place: int, panel: Panel, height: int) -> str:
    left = LEFT + place * (WIDE + SPACE)
    out = [f'<text x="{left}" y="12">{TITLES.get(panel.name, panel.name)}</text>']
    for i in range(round((panel.high - panel.low) / panel.step) + 1):
        value = panel.low + i * panel.step
        x = panel.x(value, left)
        out.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{ROW}" y2="{height - ROW / 2}"/>')
        out.append(f'<text x="{x - 8}" y="{height + 8}">{value:.3g}</text>')
    for i, one in enumerate(cells):
        found = panel.point(one)
        if found:
            out.append(_dot(panel, left, ROW * (i + 2) - 4, found))
    return "".join(out)


def _dot(panel: Panel, left: float, y: int, point: Point) -> str:
    value, (low, high), label = point
    name, x = panel.name, panel.x(value, left)
    title = f"<title>{label}</title>"
    if not panel.low <= value <= panel.high:
        sign = "◀" if value < panel.low else "▶"
        return f'<text class="off" x="{x - 6}" y="{y + 5}">{sign} {value:.2f}{title}</text>'
    return (
        f'<line class="range {name}" x1="{panel.x(low, left)}" x2="{panel.x(high, left)}"'
        f' y1="{y}" y2="{y}"/><circle class="{name}" cx="{x}" cy="{y}" r="4">{title}</circle>'
    )


def _confusion(one: Cell) -> str:
    if not one.classes:
        return ""
    head = "".join(f"<th>as {name}</th>" for name in CLASSES)
    rows = []
    for true in TRUE:
        row = one.classes.get(true)
        if row:
            boxes = "".join(_box(true, name, row.get(name, 0)) for name in CLASSES)
            rows.append(f"<tr><th>{true}</th>{boxes}</tr>")
    return (
        f"<details><summary>{escape(one.detector)}, {escape(one.scenario)}: {escape(one.title)}"
        f"</summary><table><tr><th>passed</th>{head}</tr>{''.join(rows)}</table></details>"
    )


def _box(true: str, counted: str, n: int) -> str:
    style = "right" if true == counted else "wrong" if n and counted != "unknown" else ""
    return f'<td class="{style}">{n}</td>'
