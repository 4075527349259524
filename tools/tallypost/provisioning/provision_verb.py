"""`tallypost provision`: one board at a port, one flash file, or (`--csv`) many boards."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path

from tallypost import console
from tallypost.faults import USAGE, ToolError, os_reason
from tallypost.hardware import boards
from tallypost.i18n import _
from tallypost.provisioning import board_rows
from tallypost.provisioning import compatibility
from tallypost.provisioning import provision_batch
from tallypost.provisioning import secrets_input
from tallypost.provisioning import trust
from tallypost.provisioning.board_rows import Row
from tallypost.provisioning.flash_target import FileTarget, FlashTarget
from tallypost.provisioning.identity import EUI_BYTES, Identity
from tallypost.provisioning.provision import Plan, prepare, write
from tallypost.provisioning.provision_options import options

__all__ = ("options", "run")
# Options that a row of the CSV gives for itself.
_ROW_OPTIONS = ("node", "flash", "port", "lorawan", "mqtt_user", "mqtt_password_file", "site")


def run(args: argparse.Namespace) -> int:
    _check_usage(args)
    identity = Identity(
        node=args.node or "",
        config=secrets_input.read_config(args.config, _pairs(args)),
        wifi_ssid=args.wifi_ssid,
        wifi_pass=secrets_input.read_secret(args.wifi_password_file),
        mqtt_user=args.mqtt_user,
        mqtt_pass=secrets_input.read_secret(args.mqtt_password_file),
        lora=secrets_input.read_lora_keys(args.lorawan),
    )
    has_keys = bool(identity.lora or args.join_eui)
    identity = compatibility.with_link(identity, has_keys)
    identity = replace(identity, config=trust.with_transport(identity.config, args))
    if not args.csv:
        trust.check_authority(identity, args)
    if args.port:
        compatibility.check(identity, has_keys, boards.load(args.board))
    if args.out:
        return provision_batch.run(args, _base(args, identity))
    return _run_one(args, identity)


def _check_usage(args: argparse.Namespace) -> None:
    """Raises ToolError for options that do not belong together."""
    if args.out and args.secrets_out:
        raise ToolError(
            _("--out and --secrets-out exclude each other"),
            _("Remove --secrets-out: the folder of --out has a file with the secrets."),
            USAGE,
        )
    if args.csv:
        _check_batch_usage(args)
        return
    if not args.node:
        raise ToolError(_("--node is missing"), _("Name the node with --node ID."), USAGE)
    if (args.flash is None) == (args.port is None) or (args.out and args.flash):
        raise ToolError(
            _("the target is missing or not clear"),
            _("Give exactly one target: --port PORT or FLASHFILE."),
            USAGE,
        )
    if args.join_eui and not args.out:
        raise ToolError(
            _("--join-eui needs --out: without it, only the node would know the new key"),
            _("Add --out FOLDER."),
            USAGE,
        )


def _check_batch_usage(args: argparse.Namespace) -> None:
    for name in _ROW_OPTIONS:
        if getattr(args, name):
            option = name if name == "flash" else f"--{name.replace('_', '-')}"
            raise ToolError(
                _("--csv and {option} exclude each other").format(option=option),
                _("Put this value into the rows of the CSV."),
                USAGE,
            )
    if not args.out:
        raise ToolError(
            _("--csv needs --out"),
            _("Add --out FOLDER for inventory and secrets."),
            USAGE,
        )


def _pairs(args: argparse.Namespace) -> list[str]:
    return list(args.set) + ([] if args.site is None else [f"site={args.site}"])


def _base(args: argparse.Namespace, identity: Identity) -> Row:
    """The values that each row of a batch starts with, or the only row."""
    keys = identity.lora
    join_eui = board_rows.digits("--join-eui", args.join_eui or "", EUI_BYTES)
    row = Row(0, replace(identity, lora=None), args.board, join_eui=join_eui)
    if keys:
        row = replace(row, dev_eui=keys.dev_eui, join_eui=keys.join_eui, app_key=keys.app_key)
    return row


def _run_one(args: argparse.Namespace, identity: Identity) -> int:
    if not identity.mqtt_pass and not args.secrets_out and not args.dry_run:
        raise ToolError(
            _("a new MQTT secret would be known to the node alone"),
            _("Add --secrets-out FILE, or --mqtt-password-file FILE."),
            USAGE,
        )
    identity = trust.Trust(args, [identity]).give(identity)
    complete = _with_secret_of(args.secrets_out, identity).complete()
    if args.flash:
        file = FileTarget(args.flash)
        return _provision(args, file, prepare(file, complete, args.log), {"flash": file.name})
    # Late import of esptool: it takes a fifth of a second that a file does not need.
    from tallypost.flashing import board_state
    from tallypost.flashing.rom import SerialTarget

    board = boards.load(args.board)
    with SerialTarget(args.port, board) as target:
        name = board_state.check_board(target, board, _("Give --board {found}."))
        plan = prepare(target, complete, args.log, board.partitions)
        place = {
            "port": target.name, "board": board.name, "chip": target.chip, "mac": target.mac
        }  # fmt: skip
        missing = board_state.missing_part(target, name)
        status = _provision(args, target, plan, place)
    if missing:
        text = _("{row}: the board cannot start: {reason}. Run: tallypost flash")
        console.note(text.format(row=args.port, reason=missing))
    return status


def _provision(
    args: argparse.Namespace, target: FlashTarget, plan: Plan, place: dict[str, str]
) -> int:
    """Execute the plan and show it. place: the target, for --json."""
    identity = plan.identity
    if not args.dry_run:
        text = _("{target}: writing the identity of '{node}'")
        console.note(text.format(target=target.name, node=identity.node))
        if args.secrets_out and not args.secrets_out.exists():
            # The secret is in its file before the node has it: later the disk may be full. It
            # stays there if writing fails, because the board may have it by then.
            _write_secret(args.secrets_out, identity)
        write(target, plan)
    if args.json:
        console.result_json(
            {
                "node": identity.node,
                "site": identity.config.get("site", ""),
                "mqtt_user": identity.mqtt_user,
                "wifi_ssid": identity.wifi_ssid,
                **place,
                "was": plan.previous_node,
                "carried": plan.preserved_numbers,
                "log_erased": plan.log_to_erase is not None,
                "written": not args.dry_run,
            }
        )
    else:
        _show(args.dry_run, target, plan)
    for text in compatibility.warnings(identity):
        console.note(_("warning: {text}").format(text=text))
    return 0


def _show(is_dry_run: bool, target: FlashTarget, plan: Plan) -> None:
    identity = plan.identity
    if is_dry_run:
        text = _("{target} would become node '{node}', MQTT user '{user}'")
    else:
        text = _("{target} is node '{node}', MQTT user '{user}'")
    console.result(text.format(target=target.name, node=identity.node, user=identity.mqtt_user))
    for line in describe(plan, is_dry_run):
        console.result(f"  {line}")


def describe(plan: Plan, is_dry_run: bool) -> list[str]:
    """The effects of a plan beside the new name, a line for each."""
    preserved = plan.preserved_numbers.items()
    lines = [_("preserved: {name} = {value}").format(name=name, value=n) for name, n in preserved]
    if plan.previous_node and plan.previous_node != plan.identity.node:
        lines.append(_("it was node '{node}'").format(node=plan.previous_node))
    if plan.log_to_erase:
        erased = _("its log would be erased") if is_dry_run else _("its log is erased")
        lines.append(erased)
    return lines


def _with_secret_of(path: Path | None, identity: Identity) -> Identity:
    """The identity with the secret that an interrupted call left in the file. Raises ToolError."""
    if not path or not path.exists():
        return identity
    exists = _exists(path)
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        user, password = str(row["user"]), str(row["password"])
    except (OSError, ValueError, KeyError, TypeError):
        raise exists from None
    known = identity.mqtt_pass or password
    if user != (identity.mqtt_user or identity.node) or known != password:
        raise exists
    return replace(identity, mqtt_user=user, mqtt_pass=password)


def _exists(path: Path) -> ToolError:
    return ToolError(
        _("{path}: the file exists, and secrets are not overwritten").format(path=path),
        _("Name another file with --secrets-out."),
        USAGE,
    )


def _write_secret(path: Path, identity: Identity) -> None:
    """Write a new file that its owner alone can read. Raises ToolError and leaves no file then."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        with open(fd, "w", encoding="utf-8") as file:
            json.dump({"user": identity.mqtt_user, "password": identity.mqtt_pass}, file)
            file.write("\n")
            file.flush()
            os.fsync(fd)
    except OSError as error:
        path.unlink()
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> ToolError:
    return ToolError(f"{path}: {os_reason(error)}", _("Name another file with --secrets-out."))
