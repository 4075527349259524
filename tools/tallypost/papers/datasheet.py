"""`tallypost datasheet`: what a node measures, keeps and sends, for the data-protection officer.

The sheet is made from the configuration of the node, so that it says what this node does. It is
Markdown, in the language in use. It states facts and leaves the judgement to the city.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.backend.stores.sqlite import open_file
from tallypost.faults import USAGE, ToolError, os_reason
from tallypost.i18n import N_, _
from tallypost.provisioning import settings
from tallypost.provisioning.secrets_input import read_config
from tallypost.resources import version

_RADAR = N_("a radar that measures distance, angle and speed of moving objects")
_BEAMS = N_("infrared light barriers that notice an interruption of a beam")
DETECTORS = {
    "ld2451": _RADAR, "ld2450": _RADAR, "ops243": _RADAR,
    "doppler": N_("a radar that measures the speed of moving objects"),
    "beam": _BEAMS, "beam_single": _BEAMS,
    "pir_pair": N_("passive infrared sensors that notice the warmth of a moving body"),
    "vl53l1x": N_("an infrared sensor that measures the distance to the nearest body"),
}  # fmt: skip
_FIELDS = (
    N_("start and length of the interval, and the seconds in which the detector could count"),
    N_("number of road users by direction and class (pedestrian, bicycle, car, heavy, unknown)"),
    N_("a histogram of their speeds, and the mean speed"),
    N_("the mean time and gap between road users, and how long the line was occupied"),
    N_("state of the node: supply, temperature, clock, restarts, faults"),
)
_NOT = (
    N_("pictures, sound, number plates, faces, addresses of phones or other devices"),
    N_("an identifier that would follow a road user from one interval or place to another"),
    N_("the single passage: it leaves the memory of the node when it is counted"),
)
Config = dict[str, Any]


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add("--node", required=True, metavar="ID", help=_("id of the node"))
    add("--config", type=Path, metavar=_("FILE"), help=_("configuration, a JSON object"))
    add(
        "--db", type=Path, metavar=_("FILE"),
        help=_("instead: the file of tallypost listen, with the configuration that the node sent"),
    )  # fmt: skip
    add(
        "--contact", default="", metavar=_("TEXT"),
        help=_("the body that is responsible for the counts, and how to reach it"),
    )  # fmt: skip
    add("--keep", default="", metavar=_("TEXT"), help=_("how long the backend keeps the counts"))
    add("--out", type=Path, metavar=_("FILE"), help=_("write it to this file"))


def run(args: argparse.Namespace) -> int:
    """Write the sheet. Raises ToolError."""
    if (args.config is None) == (args.db is None):
        raise ToolError(
            _("the configuration is missing or not clear"),
            _("Give exactly one of --config FILE and --db FILE."), USAGE,
        )  # fmt: skip
    given = read_config(args.config, []) if args.config else _reported(args.db, args.node)
    config = {row[0]: row[4] for row in settings.table()} | given
    text = sheet(args.node, config, args.contact, args.keep)
    if not args.out:
        console.result(text.rstrip())
        return 0
    try:
        args.out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ToolError(
            f"{args.out}: {os_reason(error)}", _("Name another file with --out.")
        ) from error
    console.result(_("written to {path}").format(path=args.out))
    return 0


def _reported(path: Path, node: str) -> Config:
    """The configuration that a node sent last. Raises ToolError."""
    advice = _("Give the configuration with --config FILE.")
    if not path.is_file():
        raise ToolError(_("{path}: there is no such database").format(path=path), advice)
    with closing(open_file(path)) as db:
        try:
            row = db.execute(
                "SELECT body FROM reports WHERE node = ? AND kind = 'config'", (node,)
            ).fetchone()
            found = json.loads(row[0])["config"] if row else None
        except (sqlite3.Error, ValueError, KeyError, TypeError):
            found = None
    if not isinstance(found, dict):
        text = _("{path}: it has no configuration of the node '{node}'")
        raise ToolError(text.format(path=path, node=node), advice)
    return found


def sheet(node: str, config: Config, contact: str = "", keep: str = "") -> str:
    """The data sheet as Markdown."""
    unknown = _("not stated")
    head = [
        (_("node"), node), (_("site"), config["site"] or unknown),
        (_("responsible"), contact or unknown),
        (_("purpose"), _("counting of traffic in intervals, for statistics and planning")),
        (_("sensor"), _(DETECTORS[config["detector"]])),
        (_("interval"), _("{n} minutes").format(n=config["interval_min"])),
        (_("kept on the node"), _("about 90 days, then overwritten by newer records")),
        (_("kept in the backend"), keep or unknown),
        (_("version of the software"), version()),
    ]  # fmt: skip
    lines = [f"# {_('Data sheet of the counting node {node}').format(node=_cell(node))}", ""]
    lines += [f"| {_('item')} | {_('value')} |", "|---|---|"]
    lines += [f"| {_cell(name)} | {_cell(str(value))} |" for name, value in head]
    lines += _list(_("Each record of an interval holds"), [_(text) for text in _FIELDS])
    lines += _list(_("The node neither records nor sends"), [_(text) for text in _NOT])
    lines += _list(_("Transport"), _transport(config))
    lines += _list(_("For the assessment"), _remarks(config))
    return "\n".join(lines) + "\n"


def _transport(config: Config) -> list[str]:
    """How records travel."""
    found = []
    if config["link"] in ("mqtt", "both"):
        at = f"{config['mqtt_host']}:{config['mqtt_port']}"
        if config["mqtt_tls"]:
            text = _("MQTT over TLS to {at}. The node checks the certificate of the broker.")
        else:
            text = _("MQTT in plain text to {at}. Anybody on the way can read the records.")
        found.append(text.format(at=at))
    if config["link"] in ("lorawan", "both"):
        found.append(_("LoRaWAN, encrypted with keys of this node (AES-128)."))
    return found


def _remarks(config: Config) -> list[str]:
    """What a reader must know to judge the records."""
    k = config["privacy_k"]
    few = _(
        "Where fewer than {k} road users pass in an interval and direction, the node keeps their"
        " number alone: no class, no speed, no spacing."
    ).format(k=k)
    if k == 1:
        few = _(
            "In an interval in which a single road user passed, the record shows class and speed"
            " of this one. Somebody who saw this person pass could assign it."
        )
    found = [
        few,
        _("The node keeps its credentials unencrypted, unless its chip encrypts the flash"
          " (SECURITY.md)."),
    ]  # fmt: skip
    if k == 1 and config["interval_min"] < 15:
        found.insert(
            1,
            _("Intervals of {n} minutes make such records frequent. 15 minutes are the default.")
            .format(n=config["interval_min"]),
        )  # fmt: skip
    return found


def _list(title: str, items: list[str]) -> list[str]:
    return ["", f"## {title}", "", *(f"- {item}" for item in items)]


def _cell(text: str) -> str:
    """A text in a table of Markdown, on one line."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
