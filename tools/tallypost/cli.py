"""`tallypost`: the command of technicians and backends. `tallypost VERB --help` explains a verb.

Results go to stdout, narration to stderr. Exit status: 0 done, 1 it could not be done, 2 wrong
usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any

from tallypost.faults import ToolError

# A verb's module, below tools/tallypost/, has `options(parser)` and `run(args) -> exit status`. Only that of
# the verb that was asked for is imported: `build` is on each start of the others.
VERBS = {
    "doctor": ("doctor", "what is wrong with this machine, and the next command"),
    "list": ("technician.list_verb", "the serial ports, and what is behind each of them"),
    "build": ("building.build_verb", "compile the firmware and make a board's flash image"),
    "wiring": ("hardware.wiring", "what hangs on which pin of a board, as a table and a picture"),
    "size": ("building.size", "what the image holds, against the board's budget"),
    "micropython": ("building.micropython_verb", "the MicroPython files that this machine keeps"),
    "provision": ("provisioning.provision_verb", "write identity and secrets to NVS"),
    "label": ("inventory.labels", "labels with QR codes for the nodes of an inventory"),
    "flash": (
        "flashing.flash",
        "MicroPython and the application onto a board; identity and counts stay",
    ),
    "check": ("technician.check", "is this node ready? one table, one verdict, next steps"),
    "aim": ("technician.aim", "what the detector sees, live, while you turn it"),
    "monitor": ("technician.monitor", "the log of a node at hand"),
    "pull": ("technician.pull", "the counts out of a node without network"),
    "config": ("technician.config", "what a node is set to, and to be set to"),
    "calibrate": ("technician.calibrate", "hold a manual tally against a node's count"),
    "record": ("technician.record", "write down what a sensor sends, for replay"),
    "replay": ("technician.replay", "send a recording through the firmware, list passages"),
    "listen": ("backend.listen", "store what nodes send, and confirm it"),
    "report": ("backend.report", "counts and speeds by hour or day: mean, v50, v85, v98"),
}


def parser(verb: str = "") -> argparse.ArgumentParser:
    """The command line; of the options, only those of `verb`."""
    top = argparse.ArgumentParser(
        prog="tallypost", description="Build, provision and listen to counting nodes."
    )
    top.add_argument("--debug", action="store_true", help="show a traceback with an error")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (_, text) in VERBS.items():
        sub = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == verb:
            _module(name).options(sub)
    return top


def _module(verb: str) -> Any:
    return importlib.import_module(f"tallypost.{VERBS[verb][0]}")


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    verb = next((word for word in words if not word.startswith("-")), "")
    if words[:1] == ["replay"]:  # --help too is the simulator's to answer
        args = argparse.Namespace(verb=verb, rest=words[1:], debug=False)
    else:
        args = parser(verb).parse_args(words)
    try:
        status: int = _module(args.verb).run(args)
        return status
    except ToolError as error:
        if args.debug:
            raise
        from tallypost import console

        console.error(str(error))
        return error.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        return 0


if __name__ == "__main__":
    sys.exit(main())
