"""`tallypost`: the command of technicians and backends. `tallypost VERB --help` explains a verb.

Results go to stdout, narration to stderr. Exit status: 0 done, 1 it could not be done, 2 wrong
usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from typing import Any

from tallypost import i18n, resources
from tallypost.faults import ToolError
from tallypost.i18n import LANGUAGES, N_, _

# The module of a verb, below tools/tallypost/, has `options(parser)` and `run(args) -> exit
# status`. Only the module of the verb in the command is imported: each start of `list` would pay
# for `build` otherwise.
VERBS = {
    "doctor": ("doctor", N_("check this machine and name the next command")),
    "list": ("technician.list_verb", N_("list the serial ports and the board at each of them")),
    "build": ("building.build_verb", N_("compile the firmware into the flash image of a board")),
    "wiring": ("hardware.wiring", N_("show the pins of a board as a table and a picture")),
    "size": ("building.size", N_("compare the size of the image with the budget of the board")),
    "micropython": (
        "building.micropython_verb", N_("manage the MicroPython files kept on this machine")
    ),
    "provision": ("provisioning.provision_verb", N_("write identity and secrets to a board")),
    "keys": (
        "security.keys_verb", N_("manage the keys that sign settings which can lose a node")
    ),
    "authority": (
        "security.authority_verb", N_("manage the authority of the broker's certificate")
    ),
    "label": ("inventory.labels", N_("draw labels with QR codes for the nodes of an inventory")),
    "flash": (
        "flashing.flash",
        N_("write MicroPython and the application to a board, keep its identity and counts"),
    ),
    "check": ("technician.check", N_("check whether a node is ready, and name the next steps")),
    "aim": ("technician.aim", N_("show live what the detector sees while you turn it")),
    "monitor": ("technician.monitor", N_("show the log of a node on a serial port")),
    "pull": ("technician.pull", N_("copy the counts of a node without a network to a database")),
    "config": ("technician.config", N_("show or change the configuration of a node")),
    "calibrate": ("technician.calibrate", N_("compare a manual tally with the counts of a node")),
    "record": ("technician.record", N_("record the output of a sensor for a replay")),
    "replay": ("technician.replay", N_("run a recording through the firmware, list the passages")),
    "truth": ("field.truth", N_("write the tally sheet for a phone, to count by hand")),
    "compare": ("field.compare", N_("compare the counts of a recording with a tally by hand")),
    "listen": ("backend.listen", N_("store the records of nodes and confirm them")),
    "store": (
        "backend.upkeep.store_verb",
        N_("copy, move or clean the store of listen, and show refused messages"),
    ),
    "audit": ("papers.audit", N_("show records that were changed or removed afterwards")),
    "datasheet": ("papers.datasheet", N_("write the data sheet of a node for data protection")),
    "report": (
        "backend.report", N_("report counts and speeds by hour or day: mean, v50, v85, v98")
    ),
    "pages": (
        "backend.pages.pages_verb", N_("write the public pages of a city from its counts")
    ),
    "api": ("backend.api.api_verb", N_("serve the counts of a city by HTTP, for programs")),
    "export": ("backend.exports.export_verb", N_("write the counts of a site as a file")),
    "sign": ("backend.signs.sign_verb", N_("draw the sign for the pole of each site")),
    "sites": ("sites.sites_verb", N_("check the file of the places where a city counts")),
    "decoder": ("decoder.decoder_verb", N_("write the LoRaWAN decoder for network servers")),
    "completion": ("completion", N_("write a script that completes verbs and options in a shell")),
}  # fmt: skip


class _ShowVersion(argparse.Action):
    """`--version`: the version is read only when it is wanted."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: object) -> None:
        sys.stdout.write(f"tallypost {resources.version()}\n")
        parser.exit()


def parser(verb: str = "") -> argparse.ArgumentParser:
    """The command line, with the options of one verb."""
    return _parsers(verb)[0]


def verb_parser(verb: str) -> argparse.ArgumentParser:
    """The part of the command line behind a verb."""
    return _parsers(verb)[1][verb]


def _parsers(
    verb: str,
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    general = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    general.add_argument(
        "--lang", choices=LANGUAGES, help=_("language of the texts (that of the locale)")
    )
    general.add_argument("--debug", action="store_true", help=_("show a traceback with an error"))
    top = argparse.ArgumentParser(
        prog="tallypost",
        description=_("Build, provision and operate counting nodes, and store their counts."),
        parents=[general],
    )
    top.add_argument(
        "--version", action=_ShowVersion, nargs=0, help=_("show the version and exit")
    )
    verbs = top.add_subparsers(dest="verb", required=True, metavar=_("VERB"))
    for name, (_module_name, text) in VERBS.items():
        sub = verbs.add_parser(
            name, help=_(text), description=f"{_capital(_(text))}.", parents=[general]
        )
        if name == verb:
            _module(name).options(sub)
    return top, verbs.choices


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _module(verb: str) -> Any:
    return importlib.import_module(f"tallypost.{VERBS[verb][0]}")


def split_language(words: list[str]) -> tuple[str, list[str]]:
    """The language that `--lang` names, else that of the locale, and the other words.

    The texts of the parser are translated, so the language is known before it is built. A wrong
    value stays among the words: the parser refuses it.
    """
    language, rest = i18n.of_locale(), []
    values = iter(words)
    for word in values:
        if word == "--lang":
            value = next(values, None)
            given, unused = value, [word] if value is None else [word, value]
        else:
            given, unused = word.removeprefix("--lang="), [word]
        if given in LANGUAGES and word.startswith("--lang"):
            language = given
        else:
            rest += unused
    return language, rest


def main(argv: list[str] | None = None) -> int:
    """Carry out a command line; returns the exit status."""
    _make_streams_safe()
    language, words = split_language(sys.argv[1:] if argv is None else argv)
    i18n.use(language)
    try:
        return _run(words)
    except (ToolError, ModuleNotFoundError) as error:
        failure = error if isinstance(error, ToolError) else _missing(error)
        if failure is None or "--debug" in words:
            raise
        from tallypost import console

        console.error(str(failure))
        return failure.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone
        return 0


def _run(words: list[str]) -> int:
    verb = next((word for word in words if word in VERBS), "")
    if words[:1] == ["replay"]:  # the simulator answers --help, too
        args = argparse.Namespace(verb="replay", rest=words[1:])
    else:
        args = parser(verb).parse_args(words)
    if getattr(args, "json", False):
        i18n.use("en")  # a program reads it
    status: int = _module(args.verb).run(args)
    return status


def _missing(error: ModuleNotFoundError) -> ToolError | None:
    """The error for a Python package that is not installed; None for a module of our own."""
    package = (error.name or "").partition(".")[0]
    if package in ("", "tallypost"):
        return None
    return ToolError(
        _("this command needs the Python module '{name}', which is not installed").format(
            name=package
        ),
        _("Run: make setup") if resources.CHECKOUT else _("Install the tool again."),
    )


def _make_streams_safe() -> None:
    """A terminal that cannot show a character gets "?" for it, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
