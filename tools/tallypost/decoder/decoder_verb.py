"""`tallypost decoder`: the LoRaWAN decoder, and the device files of two network servers.

The decoder alone goes to stdout, to be pasted into the form of the network server. With --out it
is written with the files for The Things Stack (`ttn/`) and ChirpStack v4 (`chirpstack/`).
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tallypost import console
from tallypost.faults import ToolError, os_reason
from tallypost.i18n import _
from tallypost.resources import ROOT

FOLDER = ROOT / "lib" / "wire" / "lorawan"
DECODER = "decoder.js"
_SERVERS = ("ttn", "chirpstack")


def options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--out",
        type=Path,
        metavar=_("FOLDER"),
        help=_("write it to this folder, with the files of The Things Stack and ChirpStack"),
    )


def run(args: argparse.Namespace) -> int:
    if args.out is None:
        sys.stdout.write((FOLDER / DECODER).read_text(encoding="utf-8"))
        return 0
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(FOLDER / DECODER, args.out / DECODER)
        for server in _SERVERS:
            shutil.copytree(FOLDER / server, args.out / server, dirs_exist_ok=True)
    except OSError as error:
        raise ToolError(
            _("{path}: {reason}").format(path=args.out, reason=os_reason(error)),
            _("Name another folder with --out."),
        ) from error
    console.result(_("in {folder}: {files}").format(
        folder=args.out, files=", ".join((DECODER, *_SERVERS))
    ))  # fmt: skip
    return 0
