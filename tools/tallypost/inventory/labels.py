"""`tallypost label`: a label with a QR code for each node of an inventory, and sheets of labels.

A label is 70 x 37 mm. A sheet is A4 with 3 x 8 labels, the usual size of self-adhesive sheets. The
content of the code:

    a node with LoRaWAN   LW:D0:JOINEUI:DEVEUI:00000000:SNODE
                          LoRa Alliance TR005: schema D0, the EUIs in capitals, vendor and profile
                          (0: neither is registered), S = serial number, here the node id
    any other node        tallypost:NODE?mac=AABBCCDDEEFF

A label holds no secret, because everybody in the street can read it. Its lines are names and
addresses, the same in every language. The text of the last line comes from --contact.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import segno

from tallypost import console
from tallypost.faults import USAGE, ToolError
from tallypost.i18n import _
from tallypost.inventory.inventory import by_number, read_inventory, write_error

_WIDTH, _HEIGHT = 70.0, 37.0  # mm, of a label
_COLUMNS, _ROWS = 3, 8
_PAGE_WIDTH, _PAGE_HEIGHT = 210.0, 297.0
_TOP = (_PAGE_HEIGHT - _ROWS * _HEIGHT) / 2
_QR, _QR_LEFT = 29.0, 3.0  # mm; with its quiet zone
_TEXT_LEFT = _QR_LEFT + _QR + 1
_TEXT_WIDTH = _WIDTH - _TEXT_LEFT - 3
_QUIET = 4  # modules, ISO/IEC 18004
_EM = 0.68  # the width of a character, in font sizes: generous for a sans-serif face
_CONTACT_MAX = 40
Row = dict[str, str]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "--inventory", type=Path, required=True, metavar=_("FILE"),
        help=_("the inventory.csv that tallypost provision wrote"),
    )  # fmt: skip
    add("--node", action="append", metavar="ID", help=_("only this node; may be repeated"))
    add(
        "--contact", default="", metavar=_("TEXT"),
        help=_("the last line: who answers questions, up to 40 characters"),
    )  # fmt: skip
    add("--out", type=Path, required=True, metavar=_("DIR"), help=_("folder for the SVG files"))
    add("--json", action="store_true", help=_("print JSON: the content of each code"))


def run(args: argparse.Namespace) -> int:
    rows = read_inventory(args.inventory)
    known = {row["node"]: row for row in rows}
    for node in args.node or ():
        if node not in known:
            raise ToolError(
                _("{path}: there is no node '{node}'").format(path=args.inventory, node=node),
                _("The first column of the file has the names."), USAGE,
            )  # fmt: skip
    rows = [known[node] for node in dict.fromkeys(args.node or sorted(known, key=by_number))]
    if not rows:
        raise ToolError(
            _("{path}: the inventory has no node").format(path=args.inventory),
            _("First run: tallypost provision"),
        )
    if len(args.contact) > _CONTACT_MAX:
        raise ToolError(
            _("--contact has more than {n} characters").format(n=_CONTACT_MAX),
            _("Shorten the text."), USAGE,
        )  # fmt: skip
    files = {f"{row['node']}.svg": single(row, args.contact) for row in rows}
    for number, page in enumerate(sheets(rows, args.contact), 1):
        # No node id begins with "_".
        files[f"_sheet-{number}.svg"] = page
    for name, text in files.items():
        _write(args.out / name, text)
    if args.json:
        codes = [{"node": row["node"], "code": payload(row)} for row in rows]
        console.result_json({"labels": codes, "files": sorted(files), "out": str(args.out)})
    else:
        text = _("Written to {folder}: {files}")
        console.result(text.format(folder=args.out, files=", ".join(files)))
    return 0


def payload(row: Row) -> str:
    """The content of the code of a node."""
    if row["dev_eui"]:
        euis = f"{row['join_eui']}:{row['dev_eui']}".upper()
        return f"LW:D0:{euis}:00000000:S{row['node']}"
    return f"tallypost:{row['node']}?mac={row['mac'].replace(':', '').upper()}"


def single(row: Row, contact: str = "") -> str:
    return _document(_WIDTH, _HEIGHT, _label(row, contact))


def sheets(rows: list[Row], contact: str = "") -> Iterator[str]:
    """Pages, filled from the top left, row by row."""
    per_page = _COLUMNS * _ROWS
    for first in range(0, len(rows), per_page):
        parts = []
        for place, row in enumerate(rows[first : first + per_page]):
            left, top = place % _COLUMNS * _WIDTH, _TOP + place // _COLUMNS * _HEIGHT
            parts.append(f'<g transform="translate({left:g} {top:g})">{_label(row, contact)}</g>')
        yield _document(_PAGE_WIDTH, _PAGE_HEIGHT, "\n".join(parts))


def _document(width: float, height: float, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}mm" height="{height:g}mm" '
        f'viewBox="0 0 {width:g} {height:g}" font-family="sans-serif">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _label(row: Row, contact: str) -> str:
    """The code to the left, lines to the right. A line that is too long gets a smaller font."""
    lines = [(row["node"], 4.6, "bold")]
    lines += [(line, 3.2, "normal") for line in _two_lines(row["site"])]
    lines += [(f"MAC {row['mac'].upper()}", 2.6, "normal")]
    if row["dev_eui"]:
        lines.append((f"DevEUI {row['dev_eui'].upper()}", 2.6, "normal"))
    if contact:
        lines.append((contact, 2.6, "normal"))
    parts, baseline = [_code(payload(row))], 3.5
    for text, largest, weight in lines:
        size = min(largest, _TEXT_WIDTH / (_EM * max(len(text), 1)))
        baseline += largest * 1.3
        parts.append(
            f'<text x="{_TEXT_LEFT:g}" y="{baseline:.2f}" font-size="{size:.2f}" '
            f'font-weight="{weight}">{_plain(text)}</text>'
        )
    return "\n".join(parts)


def _two_lines(site: str) -> list[str]:
    """A site has 40 characters at most."""
    lines = textwrap.wrap(site, 20)
    return lines if len(lines) < 3 else [site[: len(site) // 2], site[len(site) // 2 :]]


def _plain(text: str) -> str:
    """XML has no place for control characters, escaped or not."""
    return escape("".join(char if char.isprintable() else " " for char in text))


def _code(text: str) -> str:
    """The QR code as one path. A run of dark modules is one rectangle."""
    code = segno.make_qr(text, error="m")
    modules = [bytes(line) for line in code.matrix_iter(scale=1, border=_QUIET)]
    path = []
    for y, line in enumerate(modules):
        x = 0
        while x < len(line):
            run = len(line[x:]) - len(line[x:].lstrip(b"\x01"))
            if run:
                path.append(f"M{x} {y}h{run}v1h-{run}z")
            x += run or 1
    scale, top = _QR / len(modules), (_HEIGHT - _QR) / 2
    return (
        f'<path transform="translate({_QR_LEFT:g} {top:g}) scale({scale:.4f})" '
        f'shape-rendering="crispEdges" d="{"".join(path)}"/>'
    )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise write_error(path, error) from error
