"""The matrix as a picture: one HTML file without scripts, dots with their 95 % intervals."""

from __future__ import annotations

from html import escape

from simulator.run.accuracy_cell import Cell, Share

ROW, LEFT, WIDE, LEAST = 22, 250, 300, 0.5
PANELS = ("recall", "precision", "direction")
STYLE = """
body { font: 14px/1.4 sans-serif; margin: 2em; color: #222; background: #fff }
text { font: 12px sans-serif; fill: #222 } .grid { stroke: #ddd } .range { stroke-width: 3 }
.recall { stroke: #1b6ca8; fill: #1b6ca8 } .precision { stroke: #b3541e; fill: #b3541e }
.direction { stroke: #4a7c2f; fill: #4a7c2f }
"""


def page(cells: list[Cell], seeds: int, hours: int) -> str:
    """The HTML; shares below LEAST are drawn at the left edge."""
    height = ROW * (len(cells) + 2)
    width = LEFT + len(PANELS) * (WIDE + 40)
    body = [_panel(cells, i, name, height) for i, name in enumerate(PANELS)]
    names = [
        f'<text x="0" y="{ROW * (i + 2)}">{escape(one.detector)}, {escape(one.scenario)}'
        f"<title>{escape(one.title)}</title></text>"
        for i, one in enumerate(cells)
    ]
    return (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Tallypost: accuracy</title>'
        f"<style>{STYLE}</style><h1>How well it counts (simulated)</h1>"
        f"<p>{seeds} runs of {hours} h a row, with 95 % intervals. No hardware confirmed it.</p>"
        f'<svg role="img" aria-label="accuracy by detector and situation" width="{width}"'
        f' height="{height}" viewBox="0 0 {width} {height}">{"".join(names + body)}</svg></html>\n'
    )


def _panel(cells: list[Cell], place: int, name: str, height: int) -> str:
    left = LEFT + place * (WIDE + 40)
    out = [f'<text x="{left}" y="12">{name}</text>']
    for tenth in range(5, 11):
        x = _x(tenth / 10, left)
        out.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{ROW}" y2="{height - ROW / 2}"/>')
        out.append(f'<text x="{x - 8}" y="{height}">{tenth / 10:.1f}</text>')
    for i, one in enumerate(cells):
        share: Share = getattr(one, name)
        if not share.n:
            continue
        y = ROW * (i + 2) - 4
        low, high = (_x(edge, left) for edge in share.range)
        out.append(f'<line class="range {name}" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>')
        told = f"{share.value:.4f} of {share.n:,}"
        out.append(
            f'<circle class="{name}" cx="{_x(share.value, left)}" cy="{y}" r="4">'
            f"<title>{told}</title></circle>"
        )
    return "".join(out)


def _x(share: float, left: float) -> float:
    return round(left + WIDE * (max(share, LEAST) - LEAST) / (1 - LEAST), 1)
