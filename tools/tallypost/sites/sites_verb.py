"""`tallypost sites check FILE`: the problems of a file of sites, each with what would be right."""

from __future__ import annotations

import argparse
from pathlib import Path

from tallypost import console
from tallypost.i18n import _, ngettext
from tallypost.sites import places
from tallypost.sites.site import load, parse


def options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("action", choices=("check",), help=_("check: name all problems of the file"))
    verb.add_argument("file", type=Path, metavar=_("FILE"), help=_("TOML file of the sites"))
    verb.add_argument("--json", action="store_true", help=_("print one JSON object"))


def run(args: argparse.Namespace) -> int:
    """0 for a file without problems, 1 otherwise. Raises ToolError for one that is no TOML."""
    found = places.problems(parse(args.file))
    if args.json:
        console.result_json({"file": str(args.file), "problems": [vars(one) for one in found]})
        return 1 if found else 0
    for one in found:
        console.result(f"{one.where}: {one.what}. {one.advice}")
    if found:
        text = ngettext("{path}: {n} problem", "{path}: {n} problems", len(found))
        console.note(text.format(path=args.file, n=len(found)))
        return 1
    n = len(load(args.file).sites)
    text = ngettext("{path}: {n} site, no problem", "{path}: {n} sites, no problem", n)
    console.result(text.format(path=args.file, n=n))
    return 0
