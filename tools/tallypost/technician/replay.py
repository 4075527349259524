"""`tallypost replay`: a recording through the firmware, in the simulator."""

from __future__ import annotations

import argparse
import subprocess
import sys

from tallypost.resources import need_checkout


def options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("rest", nargs=argparse.REMAINDER, metavar="TRACE ...")


def run(args: argparse.Namespace) -> int:
    """Runs in a process of its own, because tools import nothing of the simulator."""
    need_checkout("replay")
    return subprocess.run(
        [sys.executable, "-m", "simulator.run.processes.replay", *args.rest]
    ).returncode
