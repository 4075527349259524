"""The options of `tallypost provision`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tallypost.hardware import boards
from tallypost.i18n import _
from tallypost.inventory.broker_files import FOLDER
from tallypost.provisioning import board_rows
from tallypost.provisioning.provision import ERASE, KEEP


def options(verb: argparse.ArgumentParser) -> None:
    verb.formatter_class = argparse.RawDescriptionHelpFormatter
    verb.epilog = _(board_rows.CSV_HELP)
    _target_options(verb)
    _secret_options(verb)
    _lorawan_options(verb)
    _output_options(verb)
    _batch_options(verb)


def _target_options(verb: argparse.ArgumentParser) -> None:
    file = _("FILE")
    add = verb.add_argument
    add(
        "flash",
        type=Path,
        nargs="?",
        metavar=_("FLASHFILE"),
        help=_("a flash image instead of --port"),
    )
    add("--port", metavar=_("PORT"), help=_("serial port of the board, or a URL of pyserial"))
    add("--board", default=boards.DEFAULT, metavar=_("BOARD"), help=boards.option_help())
    add("--node", metavar="ID", help=_("node id: a-z, 0-9, '-', '_'"))
    add("--site", metavar=_("TEXT"), help=_("name of the site, up to 40 characters"))
    add("--config", type=Path, metavar=file, help=_("configuration, a JSON object"))
    add(
        "--set",
        action="append",
        default=[],
        metavar=_("KEY=VALUE"),
        help=_("one value of the configuration"),
    )
    add(
        "--log",
        choices=(KEEP, ERASE),
        default="",
        help=_("counts on the board: keep them or erase them, if it becomes another node"),
    )
    add("--dry-run", action="store_true", help=_("read and check, write nothing"))


def _secret_options(verb: argparse.ArgumentParser) -> None:
    file, name = _("FILE"), _("NAME")
    add = verb.add_argument
    add("--wifi-ssid", default="", metavar=name, help=_("name of the Wi-Fi network"))
    add(
        "--wifi-password-file",
        type=Path,
        metavar=file,
        help=_("file with the Wi-Fi password in its first line"),
    )
    add(
        "--mqtt-user",
        default="",
        metavar=name,
        help=_("user at the broker (default: the node id)"),
    )
    add(
        "--mqtt-password-file",
        type=Path,
        metavar=file,
        help=_("file with the MQTT password in its first line (default: a new secret)"),
    )
    add(
        "--mqtt-ca",
        type=Path,
        metavar=file,
        help=_("certificate of the authority of the city, PEM or DER (default: one in --out)"),
    )
    add(
        "--insecure-plain",
        action="store_true",
        help=_("use MQTT without TLS: everybody on the way reads counts and passwords"),
    )


def _lorawan_options(verb: argparse.ArgumentParser) -> None:
    file = _("FILE")
    add = verb.add_argument
    add(
        "--lorawan",
        type=Path,
        metavar=file,
        help=_("JSON with dev_eui, join_eui and app_key as hexadecimal digits"),
    )
    add(
        "--join-eui",
        metavar="EUI",
        help=_("use LoRaWAN with a new key and a DevEUI made from the MAC (needs --out)"),
    )


def _output_options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "--secrets-out",
        type=Path,
        metavar=_("FILE"),
        help=_("file for user and secret, readable by you alone (mode 0600)"),
    )
    add(
        "--out",
        type=Path,
        metavar=_("FOLDER"),
        help=_("folder for inventory, secrets and import files"),
    )
    add(
        "--broker-folder",
        metavar=_("FOLDER"),
        help=_("folder of the files at the broker (default: {folder})").format(folder=FOLDER),
    )
    add("--json", action="store_true", help=_("print the result as JSON, without a secret"))


def _batch_options(verb: argparse.ArgumentParser) -> None:
    many = verb.add_argument_group(_("many boards"))
    many.add_argument(
        "--csv",
        type=Path,
        metavar=_("FILE"),
        help=_("one row for each board; the columns are below"),
    )
    many.add_argument(
        "--ports", metavar="P1,P2,...", help=_("ports of the boards, in the order of the rows")
    )
    many.add_argument("--port-pattern", metavar="GLOB", help=_("instead: such as '/dev/ttyUSB*'"))
    many.add_argument(
        "--again", action="store_true", help=_("also provision nodes that are in the inventory")
    )
    many.add_argument(
        "--jobs",
        type=int,
        default=8,
        metavar="N",
        help=_("boards at the same time (default: {n})").format(n=8),
    )
    server = verb.add_argument_group(_("import file for ChirpStack"))
    server.add_argument(
        "--chirpstack-application", default="", metavar="UUID", help=_("id of the application")
    )
    server.add_argument(
        "--chirpstack-profile", default="", metavar="UUID", help=_("id of the device profile")
    )
