"""The wiring picture of a board, drawn from its board.toml in the language in use.

In the middle is the board with the pins in use. On the left are the parts that you connect to it,
on the right those already soldered on it. The same board gives the same bytes.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tallypost.hardware.board_table import BUSES, Wire
from tallypost.hardware.boards import Board
from tallypost.i18n import N_, _

TITLES = {
    "radar": N_("Radar"), "beams": N_("Light barriers"), "radio": N_("LoRa radio"),
    "modem": N_("LoRaWAN modem"), "led": N_("LED"),
}  # fmt: skip
_SUPPLY = {
    "radar": N_("5 V, 300 mA; ground. Its UART: 3.3 V"),
    "beams": N_("own supply; common ground"),
    "radio": N_("supplied by the board"),
    "modem": N_("3.3 V and ground of the board"),
    "led": N_("lit by a high level"),
}
_WARNINGS = {
    "radar": N_("Radar: cross the lines, TX to RX. 5 V for the supply only, never at a GPIO."),
    "beams": N_(
        "Light barriers: open collector to ground, pulled up inside the chip. Never lead the"
        " barrier's 12 or 24 V to a GPIO: at most 3.3 V. Use an optocoupler for long cables."
    ),
}
STYLES = {  # colour, dashes; the colours are dark enough for paper
    "radar": ("#1b4f9c", ""), "beams": ("#b3420c", "10 5"), "radio": ("#1f6b2e", "3 3"),
    "modem": ("#6b2a8c", "12 4 3 4"), "led": ("#444444", "2 6"),
}  # fmt: skip
_WIDTH, _MARGIN = 1200, 30
_LEFT, _BOARD, _RIGHT = (30, 330), (450, 750), (870, 1170)  # from, to
_TOP, _ROW, _HEAD, _GAP = 110, 28, 52, 24
_WRAP = 140


@dataclass(frozen=True)
class _Group:
    """A device with its wires, at a height of the picture."""

    bus: str
    wires: list[Wire]
    top: int

    @property
    def height(self) -> int:
        return _HEAD + _ROW * len(self.wires)

    def row(self, number: int) -> int:
        return self.top + _HEAD + _ROW * number + _ROW // 2 - 4


def picture(board: Board) -> str:
    """The SVG of a board."""
    outside = _groups([wire for wire in board.wiring if not wire.on_board])
    inside = _groups([wire for wire in board.wiring if wire.on_board])
    bottom = max((group.top + group.height for group in outside + inside), default=_TOP)
    out = [
        _text(_MARGIN, 42, _(board.title), 18, "bold"),
        _text(_MARGIN, 68, _subtitle(board), 14),
    ]
    for side, title, groups in (
        (_LEFT, _("to be connected"), outside),
        (_RIGHT, _("on the board already"), inside),
    ):
        if groups:
            out.append(_text(side[0], 96, title, 13, style="italic"))
    out += _outline(board, bottom)
    for group in outside:
        out += _device(group, *_LEFT)
        out += [part for i in range(len(group.wires)) for part in _wire(group, i, left=True)]
    for group in inside:
        out += _device(group, *_RIGHT)
        out += [part for i in range(len(group.wires)) for part in _wire(group, i, left=False)]
    legend, height = _legend(board, bottom + 40)
    return _document(out + legend, height + 20)


def _groups(wires: list[Wire]) -> list[_Group]:
    found: list[_Group] = []
    top = _TOP
    for bus in BUSES:
        own = [wire for wire in wires if wire.bus == bus]
        if own:
            found.append(_Group(bus, own, top))
            top += found[-1].height + _GAP
    return found


def _subtitle(board: Board) -> str:
    text = _("boards/{board}: {chip}, {size} MB flash, {file}. Not confirmed by hardware yet.")
    return text.format(
        board=board.name, chip=board.chip, size=board.flash_size >> 20,
        file=board.micropython.file,
    )  # fmt: skip


def _outline(board: Board, bottom: int) -> list[str]:
    left, right = _BOARD
    middle = (left + right) // 2
    return [
        f'<rect x="{left}" y="{_TOP}" width="{right - left}" height="{bottom - _TOP}" rx="10"'
        ' fill="#f4f4f4" stroke="#000" stroke-width="2.5"/>',
        _text(middle, _TOP + 22, board.name, 14, "bold", anchor="middle"),
        _text(middle, _TOP + 40, board.chip, 13, anchor="middle"),
    ]


def _device(group: _Group, left: int, right: int) -> list[str]:
    colour, dashes = STYLES[group.bus]
    parts = [
        f'<rect x="{left}" y="{group.top}" width="{right - left}" height="{group.height}" rx="6"'
        f' fill="#fff" stroke="{colour}" stroke-width="2"{_dashed(dashes)}/>',
        _text(left + 12, group.top + 21, _(TITLES[group.bus]), 15, "bold", colour=colour),
        _text(left + 12, group.top + 39, _(_SUPPLY[group.bus]), 12),
    ]
    for number, wire in enumerate(group.wires):
        at, anchor = (right - 12, "end") if left < _BOARD[0] else (left + 12, "start")
        parts.append(_text(at, group.row(number) + 4, _(wire.to), 13, anchor=anchor))
    return parts


def _wire(group: _Group, number: int, *, left: bool) -> list[str]:
    """The line from a device to its pin, with an arrow in the direction of the signal."""
    wire, y = group.wires[number], group.row(number)
    colour, dashes = STYLES[group.bus]
    device, board = (_LEFT[1], _BOARD[0]) if left else (_RIGHT[0], _BOARD[1])
    to = board if wire.direction == "in" else device
    back = -12 if to > (device + board) // 2 else 12
    pad = board if left else board - 14
    label, anchor = (board + 24, "start") if left else (board - 24, "end")
    return [
        f'<line x1="{device}" y1="{y}" x2="{board}" y2="{y}" stroke="{colour}"'
        f' stroke-width="2.5"{_dashed(dashes)}/>',
        f'<polygon points="{to},{y} {to + back},{y - 6} {to + back},{y + 6}" fill="{colour}"/>',
        f'<rect x="{pad}" y="{y - 7}" width="14" height="14" fill="#fff" stroke="#000"'
        ' stroke-width="1.5"/>',
        _text(label, y + 5, f"GPIO {wire.pin}", 14, "bold", anchor=anchor),
    ]


def _legend(board: Board, top: int) -> tuple[list[str], int]:
    """Buses, detectors and warnings, and the height at which they end."""
    out, x, y = [], _MARGIN, top
    for bus in BUSES:
        if any(wire.bus == bus for wire in board.wiring):
            colour, dashes = STYLES[bus]
            out.append(
                f'<line x1="{x}" y1="{y - 5}" x2="{x + 60}" y2="{y - 5}" stroke="{colour}"'
                f' stroke-width="2.5"{_dashed(dashes)}/>'
            )
            out.append(_text(x + 70, y, _(TITLES[bus]), 13))
            x += 200
    y += 30
    detectors = _("Detectors: {names}. One at a time.").format(
        names=", ".join(board.features.detectors)
    )
    out.append(_text(_MARGIN, y, detectors, 13))
    y += 14
    warnings = [text for bus, text in _WARNINGS.items() if any(w.bus == bus for w in board.wiring)]
    for text in [*warnings, *board.notes]:
        y += 14
        out += _warning_sign(_MARGIN, y)
        for line in textwrap.wrap(_(text), _WRAP):
            out.append(_text(_MARGIN + 30, y, line, 13))
            y += 18
        y -= 6
    return out, y


def _warning_sign(x: int, y: int) -> list[str]:
    points = f"{x},{y + 3} {x + 10},{y - 14} {x + 20},{y + 3}"
    return [
        f'<polygon points="{points}" fill="#fff" stroke="#000" stroke-width="1.5"/>',
        _text(x + 10, y, "!", 12, "bold", anchor="middle"),
    ]


def _dashed(dashes: str) -> str:
    return f' stroke-dasharray="{dashes}"' if dashes else ""


def _text(
    x: int, y: int, text: str, size: int, weight: str = "normal",
    *, anchor: str = "start", colour: str = "#000", style: str = "normal",
) -> str:  # fmt: skip
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" font-style="{style}"'
        f' text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
    )


def _document(parts: list[str], height: int) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" font-family="DejaVu Sans, Arial, sans-serif">'
    )
    ground = f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
    return "\n".join([head, ground, *parts, "</svg>"]) + "\n"
