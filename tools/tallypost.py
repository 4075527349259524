"""`tallypost`: the command of technicians and backends. `tallypost VERB --help` explains a verb.

Results go to stdout, narration to stderr. Exit status: 0 done, 1 it could not be done, 2 wrong
usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Callable

from tools.faults import ToolError

BOARD = "esp32_generic"
Handler = Callable[[argparse.Namespace], int]


def _build(args: argparse.Namespace) -> int:
    from tools import build, console  # every verb imports what it needs: `build` is on each start

    built = build.build(args.board, args.micropython)
    if args.json:
        console.result_json(built.manifest)
    elif built.is_new or not args.quiet:
        state = "built" if built.is_new else "up to date"
        console.note(f"{state}: {_relative(built.flash)}")
    return 0


def _size(args: argparse.Namespace) -> int:
    from tools import boards, build, console

    board = boards.load(args.board)
    manifest = build.build(args.board).manifest
    used = build.app_bytes(manifest)
    limit = board.budget.get("mpy_bytes", 0)
    if args.json:
        console.result_json({"board": args.board, "mpy_bytes": used, "budget": limit})
    else:
        rows = [(f"/{name}", f"{f['bytes']:,}") for name, f in manifest["files"].items()]
        console.table(f"image of {args.board}", ("file", ">bytes"), rows)
        console.result(f"application {used:,} bytes as .mpy, budget {limit:,}")
    if limit and used > limit:
        raise ToolError(f"the application has {used - limit:,} bytes more than its budget")
    return 0


def _provision(args: argparse.Namespace) -> int:
    from tools import provision_verb

    return provision_verb.run(args)


def _flash(args: argparse.Namespace) -> int:
    from tools import flash

    return flash.run(args)


def _listen(args: argparse.Namespace) -> int:
    from tools import listen

    return listen.run(args)


def _record(args: argparse.Namespace) -> int:
    from tools import record

    return record.run(args)


def _replay(args: argparse.Namespace) -> int:
    """The simulator does it, in a process of its own: tools import nothing of it."""
    return subprocess.run([sys.executable, "-m", "simulator.run.replay", *args.rest]).returncode


def _calibrate(args: argparse.Namespace) -> int:
    from tools import calibrate

    return calibrate.run(args)


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="tallypost", description="Build, provision and listen to counting nodes."
    )
    top.add_argument("--debug", action="store_true", help="show a traceback with an error")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    build = _verb(verbs, "build", _build, "compile the firmware and make a board's flash image")
    build.add_argument("--board", default=BOARD, help=f"a folder of boards/ ({BOARD})")
    build.add_argument("--micropython", type=Path, metavar="FILE", help="MicroPython's .bin")
    build.add_argument("--json", action="store_true", help="print the manifest")
    build.add_argument("--quiet", action="store_true", help="say nothing when up to date")
    size = _verb(verbs, "size", _size, "what the image holds, against the board's budget")
    size.add_argument("--board", default=BOARD, help=f"a folder of boards/ ({BOARD})")
    size.add_argument("--json", action="store_true", help="for machines")
    _provision_options(_verb(verbs, "provision", _provision, "write identity and secrets to NVS"))
    flash = _verb(verbs, "flash", _flash, "write the image to a board; NVS and counts stay")
    flash.add_argument("--board", default=BOARD, help=f"a folder of boards/ ({BOARD})")
    flash.add_argument("--port", required=True, help="serial port, for example /dev/ttyUSB0")
    flash.add_argument("--micropython", type=Path, metavar="FILE", help="MicroPython's .bin")
    flash.add_argument("--dry-run", action="store_true", help="show the command only")
    calibrate = _verb(verbs, "calibrate", _calibrate, "hold a manual tally against a node's count")
    _calibrate_options(calibrate)
    record = _verb(verbs, "record", _record, "write down what a radar sends, for replay")
    _record_options(record)
    replay = _verb(
        verbs, "replay", _replay, "send a recording through the firmware, list passages"
    )
    replay.add_argument("rest", nargs=argparse.REMAINDER, metavar="TRACE ...")
    _listen_options(_verb(verbs, "listen", _listen, "store what nodes send, and confirm it"))
    return top


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    handler: Handler,
    text: str,
) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    verb.set_defaults(handler=handler)
    return verb


def _provision_options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("flash", type=Path, metavar="FLASHFILE", help="a flash image of `tallypost build`")
    add("--node", required=True, help="node id: a-z, 0-9, '-', '_'")
    add("--config", type=Path, metavar="FILE", help="configuration, a JSON object")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="one configuration value")
    add("--wifi-ssid", default="", metavar="NAME")
    add("--wifi-password-file", type=Path, metavar="FILE")
    add("--mqtt-user", default="", metavar="NAME", help="default: the node id")
    add("--mqtt-password-file", type=Path, metavar="FILE", help="default: a new secret")
    add("--mqtt-ca", type=Path, metavar="FILE", help="use TLS; certificate of the authority")
    add("--lorawan", type=Path, metavar="FILE", help="JSON: dev_eui, join_eui, app_key, as digits")
    add("--secrets-out", type=Path, metavar="FILE", help="where to put user and secret (0600)")
    add("--dry-run", action="store_true", help="check only")
    add("--json", action="store_true", help="for machines; no secret in it")


def _calibrate_options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--node", required=True)
    add("--start", action="store_true", help="begin; then count by hand")
    add("--tally", default="", metavar="FORWARD.CAR=12,...", help="end, with what you counted")
    add("--limit", type=float, default=5, metavar="PERCENT", help="error that is allowed (5)")
    add("--host", default="localhost", help="the broker (localhost)")
    add("--port", type=int, default=1883)
    add("--root", default="tallypost/v1", help="root of the topics (tallypost/v1)")
    add("--user", default="")
    add("--password-file", type=Path, metavar="FILE")
    add("--json", action="store_true", help="for machines")


def _record_options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("file", type=Path, metavar="FILE", help="CSV to write; it is of single road users")
    add("--port", required=True, help="serial port, for example /dev/ttyUSB0")
    add("--detector", choices=("ld2451", "ld2450", "ops243"), default="ld2451")
    add("--baud", type=int, help="if it is not the radar's usual one")
    add("--seconds", type=float, default=0, metavar="S", help="stop after S seconds (Ctrl-C)")
    add("--force", action="store_true", help="write over an existing file")


def _listen_options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--host", default="localhost", help="the broker (localhost)")
    add("--port", type=int, help="its port (1883, with --ca 8883)")
    add("--ca", type=Path, metavar="FILE", help="use TLS; certificate of the authority, PEM")
    add("--root", default="tallypost/v1", help="root of the topics (tallypost/v1)")
    add("--lorawan", choices=("ttn", "chirpstack"), help="the broker is a network server's")
    add("--db", type=Path, default=Path("tallypost.sqlite"), help="SQLite file (tallypost.sqlite)")
    add("--client-id", default="tallypost-listen", help="its session at the broker ('' = none)")
    add("--user", default="")
    add("--password-file", type=Path, metavar="FILE")
    add("--json", action="store_true", help="one JSON object a line")
    add("--seconds", type=float, default=0, metavar="S", help="stop after S seconds (never)")


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["replay"]:  # --help too is the simulator's to answer
        return _replay(argparse.Namespace(rest=words[1:]))
    args = parser().parse_args(words)
    try:
        handler: Handler = args.handler
        return handler(args)
    except ToolError as error:
        if args.debug:
            raise
        from tools import console

        console.error(str(error))
        return error.status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        return 0


if __name__ == "__main__":
    sys.exit(main())
