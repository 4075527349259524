"""`tallypost provision`: one board behind a port, one flash file, or (`--csv`) many boards."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.faults import USAGE, ToolError
from tallypost.hardware import boards
from tallypost.provisioning import board_rows
from tallypost.provisioning import compatibility
from tallypost.provisioning import secrets_input
from tallypost.provisioning import provision_batch
from tallypost.provisioning.board_rows import Row
from tallypost.provisioning.identity import EUI_BYTES, Identity
from tallypost.provisioning.flash_target import FileTarget, FlashTarget
from tallypost.provisioning.provision import ERASE, KEEP, Plan, prepare, write


def options(verb: argparse.ArgumentParser) -> None:
    verb.formatter_class = argparse.RawDescriptionHelpFormatter
    verb.epilog = "The CSV of --csv. " + (board_rows.__doc__ or "").partition("\n\n")[2].rstrip()
    add = verb.add_argument
    add(
        "flash", type=Path, nargs="?", metavar="FLASHFILE", help="instead of --port: a flash image"
    )
    add("--port", metavar="PORT", help="the board's serial port, or a URL of pyserial")
    add("--board", default=boards.DEFAULT, help=f"a folder of boards/ ({boards.DEFAULT})")
    add("--node", help="node id: a-z, 0-9, '-', '_'")
    add("--site", metavar="TEXT", help="where it hangs, in the words of those who look after it")
    add("--config", type=Path, metavar="FILE", help="configuration, a JSON object")
    add("--set", action="append", default=[], metavar="KEY=VALUE", help="one configuration value")
    add("--wifi-ssid", default="", metavar="NAME")
    add("--wifi-password-file", type=Path, metavar="FILE")
    add("--mqtt-user", default="", metavar="NAME", help="default: the node id")
    add("--mqtt-password-file", type=Path, metavar="FILE", help="default: a new secret")
    add("--mqtt-ca", type=Path, metavar="FILE", help="use TLS; certificate of the authority")
    add("--lorawan", type=Path, metavar="FILE", help="JSON: dev_eui, join_eui, app_key, as digits")
    add("--join-eui", metavar="EUI", help="LoRaWAN with a new key; DevEUI made of the MAC (--out)")
    add("--secrets-out", type=Path, metavar="FILE", help="where to put user and secret (0600)")
    add("--log", choices=(KEEP, ERASE), default="", help="counts of another node on the board")
    add("--dry-run", action="store_true", help="read and check only")
    add("--out", type=Path, metavar="DIR", help="inventory, secrets and import files")
    many = verb.add_argument_group("many boards")
    many.add_argument(
        "--csv", type=Path, metavar="FILE", help="a row a board; its columns are below"
    )
    many.add_argument("--ports", metavar="P1,P2,...", help="the boards' ports, in order of rows")
    many.add_argument("--port-pattern", metavar="GLOB", help="instead: '/dev/ttyUSB*'")
    many.add_argument("--again", action="store_true", help="also rows of the inventory")
    many.add_argument("--jobs", type=int, default=8, metavar="N", help="boards at a time (8)")
    server = verb.add_argument_group("ChirpStack's import file")
    server.add_argument("--chirpstack-application", default="", metavar="UUID")
    server.add_argument("--chirpstack-profile", default="", metavar="UUID")
    add("--json", action="store_true", help="for machines; no secret in it")


def run(args: argparse.Namespace) -> int:
    _check_usage(args)
    identity = Identity(
        node=args.node or "",
        config=secrets_input.read_config(args.config, _pairs(args), tls=bool(args.mqtt_ca)),
        wifi_ssid=args.wifi_ssid,
        wifi_pass=secrets_input.read_secret(args.wifi_password_file),
        mqtt_user=args.mqtt_user,
        mqtt_pass=secrets_input.read_secret(args.mqtt_password_file),
        mqtt_ca=secrets_input.read_certificate(args.mqtt_ca),
        lora=secrets_input.read_lora_keys(args.lorawan),
    )
    has_keys = bool(identity.lora or args.join_eui)
    identity = compatibility.complete(identity, has_keys)
    if args.port:
        compatibility.check(identity, has_keys, boards.load(args.board))
    if args.out:
        return provision_batch.run(args, _base(args, identity))
    return _run_one(args, identity)


def _check_usage(args: argparse.Namespace) -> None:
    """Options that do not belong together; raises ToolError."""
    if args.out and args.secrets_out:
        raise ToolError("--out and --secrets-out", "--out has a file of secrets", USAGE)
    if args.csv:
        for name in (
            "node",
            "flash",
            "port",
            "lorawan",
            "mqtt_user",
            "mqtt_password_file",
            "site",
        ):
            if getattr(args, name):
                raise ToolError(f"--csv and --{name.replace('_', '-')}: a row names its own",
                                "--help lists the columns", USAGE)  # fmt: skip
        if not args.out:
            raise ToolError("--csv without --out", "--out DIR takes inventory and secrets", USAGE)
        return
    if not args.node:
        raise ToolError("--node is missing", "--node ID names the node", USAGE)
    if (args.flash is None) == (args.port is None) or (args.out and args.flash):
        raise ToolError("one board is wanted", "give --port PORT or FLASHFILE", USAGE)
    if args.join_eui and not args.out:
        raise ToolError("--join-eui without --out", "a new key would be known to nobody", USAGE)


def _pairs(args: argparse.Namespace) -> list[str]:
    return list(args.set) + ([] if args.site is None else [f"site={args.site}"])


def _base(args: argparse.Namespace, identity: Identity) -> Row:
    """What the rows of a batch begin with, or the only row."""
    keys = identity.lora
    join_eui = board_rows.digits("--join-eui", args.join_eui or "", EUI_BYTES)
    row = Row(0, replace(identity, lora=None), args.board, join_eui=join_eui)
    if keys:
        row = replace(row, dev_eui=keys.dev_eui, join_eui=keys.join_eui, app_key=keys.app_key)
    return row


def _run_one(args: argparse.Namespace, identity: Identity) -> int:
    if not identity.mqtt_pass and not args.secrets_out and not args.dry_run:
        raise ToolError(
            "a new MQTT secret would be known to the node alone",
            "add --secrets-out FILE, or --mqtt-password-file FILE",
            USAGE,
        )
    whole = _with_secret_of(args.secrets_out, identity).complete()
    if args.flash:
        target = FileTarget(args.flash)
        return _provision(args, target, prepare(target, whole, args.log), {"flash": target.name})
    # Late: esptool takes a fifth of a second that a file does not need.
    from tallypost.flashing.rom import SerialTarget

    board = boards.load(args.board)
    with SerialTarget(args.port, board) as chip:
        plan = prepare(chip, whole, args.log, board.partitions)
        where = {"port": chip.name, "board": board.name, "chip": chip.chip, "mac": chip.mac}
        return _provision(args, chip, plan, where)


def _provision(args: argparse.Namespace, target: FlashTarget, plan: Plan, where: dict[str, str]) -> int:
    whole = plan.identity
    if not args.dry_run:
        console.note(f"{target.name}: writing the identity of '{whole.node}'")
        if args.secrets_out and not args.secrets_out.exists():
            # The secret is in its file before the node has it: later there may be no place for
            # it. It stays when writing fails: the board may have it by then.
            _write_secret(args.secrets_out, whole)
        write(target, plan)
    row: dict[str, Any] = {
        "node": whole.node,
        "site": whole.config.get("site", ""),
        "mqtt_user": whole.mqtt_user,
        "wifi_ssid": whole.wifi_ssid,
        **where,
        "was": plan.was,
        "carried": plan.carried,
        "log_erased": plan.erase_log is not None,
        "written": not args.dry_run,
    }
    if args.json:
        console.result_json(row)
    else:
        state = "would be" if args.dry_run else "is"
        console.result(f"{target.name} {state} node '{whole.node}', MQTT user '{whole.mqtt_user}'")
        for line in told(plan):
            console.result(f"  {line}")
    for doubt in compatibility.doubts(whole):
        console.note(f"warning: {doubt}")
    return 0


def told(plan: Plan) -> list[str]:
    """What a person should know of a plan beside the name."""
    lines = [f"carried over: {name} {value}" for name, value in plan.carried.items()]
    if plan.was and plan.was != plan.identity.node:
        lines.append(f"it was node '{plan.was}'")
    if plan.erase_log:
        lines.append("its log is erased")
    return lines


def _with_secret_of(path: Path | None, identity: Identity) -> Identity:
    """An interrupted call has left the secret there: the repeated one takes it, not a new one."""
    if not path or not path.exists():
        return identity
    exists = ToolError(f"{path} exists", "secrets are not overwritten: name another file", USAGE)
    try:
        row = json.loads(path.read_text())
        user, password = str(row["user"]), str(row["password"])
    except (OSError, ValueError, KeyError, TypeError):
        raise exists from None
    known = identity.mqtt_pass or password
    if user != (identity.mqtt_user or identity.node) or known != password:
        raise exists
    return replace(identity, mqtt_user=user, mqtt_pass=password)


def _write_secret(path: Path, identity: Identity) -> None:
    """A new file for its owner alone; raises ToolError, and leaves none then."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        hint = "secrets are not overwritten: name another file"
        raise ToolError(f"{path} exists", hint, USAGE) from error
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror}", "name another file") from error
    try:
        with open(fd, "w") as file:
            json.dump({"user": identity.mqtt_user, "password": identity.mqtt_pass}, file)
            file.write("\n")
            file.flush()
            os.fsync(fd)
    except OSError as error:
        path.unlink()
        raise ToolError(f"{path}: {error.strerror}", "name another file") from error
