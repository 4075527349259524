"""`tallypost sign`: a sign for the pole of each site, with the code of its page."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
from pathlib import Path

from tallypost import console
from tallypost.backend.pages import theme
from tallypost.backend.signs.sign import SIZES, sign
from tallypost.faults import USAGE, ToolError, os_reason
from tallypost.i18n import _
from tallypost.sites import site

_ADDRESS = re.compile(r"https?://[^\s/]+(/[^\s]*)?")


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--sites", type=Path, required=True, metavar=_("FILE"), help=_("TOML file of the sites"))
    add("--theme", type=Path, metavar=_("FILE"), help=_("TOML file with name, colours and logo"))
    add("--site", metavar="ID", help=_("only this site"))
    add(
        "--address", default="", metavar="URL",
        help=_("address of the pages (default: that of the theme)"),
    )  # fmt: skip
    add("--size", choices=sorted(SIZES), default="a6", help=_("size of the sign (default: a6)"))
    add("--pdf", action="store_true", help=_("also write PDF, with rsvg-convert"))
    add("--out", type=Path, required=True, metavar=_("DIR"), help=_("folder for the signs"))


def run(args: argparse.Namespace) -> int:
    """Write the signs. Raises ToolError."""
    city = site.load(args.sites)
    look = theme.load(args.theme)
    address = (args.address or look.address).rstrip("/")
    if not _ADDRESS.fullmatch(address):
        raise ToolError(
            _("the address of the pages is missing or wrong: '{address}'").format(address=address),
            _("Give it with --address, such as https://zaehlen.musterstadt.example"), USAGE,
        )  # fmt: skip
    program = shutil.which("rsvg-convert")
    if args.pdf and not program:
        raise ToolError(
            _("rsvg-convert is missing, which makes the PDF"),
            _("Install it (apt install librsvg2-bin), or print the SVG from a browser."),
        )
    wanted = [city.site(args.site)] if args.site else list(city.sites)
    for one in wanted:
        path = args.out / f"{one.key}-{args.size}.svg"
        _write(path, sign(city, one, look, address, args.size))
        if args.pdf and program:
            pdf = path.with_suffix(".pdf")
            subprocess.run([program, "-f", "pdf", "-o", str(pdf), str(path)], check=True)
    console.result(_("{folder}: {n} signs").format(folder=args.out, n=len(wanted)))
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ToolError(
            f"{path}: {os_reason(error)}", _("Name another folder with --out.")
        ) from error
