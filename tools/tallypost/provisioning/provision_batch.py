"""`tallypost provision` with an inventory: boards side by side (`--csv`), or one (`--out`).

All rows are checked before the first board is changed. The secrets are on the disk before a board
has them. The inventory gets a row as soon as a board is done. If a call is interrupted, repeat the
same command: it skips the rows of the inventory, and names those that were changed meanwhile.
"""

from __future__ import annotations

import argparse
import datetime
import glob
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.faults import USAGE, ToolError
from tallypost.hardware import boards
from tallypost.i18n import N_, _
from tallypost.inventory import import_files
from tallypost.inventory.import_files import ChirpStack
from tallypost.inventory.inventory import TOPIC_ROOT, Inventory, Secret, by_number
from tallypost.provisioning import board_rows
from tallypost.provisioning import compatibility
from tallypost.provisioning import row_changes
from tallypost.provisioning.board_rows import Row
from tallypost.provisioning.identity import KEY_BYTES, MAC_KEY_BYTES
from tallypost.provisioning.provision import prepare, write
from tallypost.provisioning.trust import Trust, check_transport
from tallypost.resources import version

DONE, SKIPPED, FAILED = N_("done"), N_("skipped"), N_("failed")
WAITING, CHECKED, CHANGED = N_("waiting"), N_("checked"), N_("changed")
_SHOWN_PROBLEMS_MAX = 20
_READABLE_BY_OTHERS = 0o044


@dataclass(frozen=True)
class Job:
    """A board to provision. row.identity: with its secrets.

    secret: for the inventory. fingerprints: of the row as it was read.
    """

    row: Row
    port: str
    app_key: bytes = field(repr=False)
    secret: Secret
    fingerprints: dict[str, str] = field(repr=False)


@dataclass
class Outcome:
    """The result for one row. state: one of the words above.

    reason: of a failure or a wait. facts: mac, chip and dev_eui of a board that was reached.
    """

    row: Row
    port: str
    state: str
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        """The result without secrets, for machines."""
        found = {"line": self.row.line, "node": self.row.node, "port": self.port}
        found |= {"board": self.row.board, "site": self.row.site, "state": self.state}
        return found | self.facts | ({"reason": self.reason} if self.reason else {})


def run(args: argparse.Namespace, base: Row) -> int:
    """base: the row of one board, or the values that each row of the CSV starts with."""
    inventory = Inventory(args.out)
    rows = _rows(args.csv, base) if args.csv else [replace(base, port=args.port)]
    _check_known(rows, inventory)
    for row in rows:
        check_transport(row.identity, args)
    outcomes, ready = _assign(rows, _ports(args), inventory, args.again or not args.csv)
    with nullcontext() if args.dry_run else inventory.locked():
        trust = Trust(args, [row.identity for row in rows])
        jobs = [_with_secrets(trust, row, port, inventory) for row, port in ready]
        if not args.dry_run and jobs:
            inventory.store_secrets({job.row.node: job.secret for job in jobs})
    for job, outcome in _provision_all(jobs, inventory, args):
        outcomes.append(outcome)
        if outcome.state == DONE:
            inventory.append(_inventory_row(outcome))
            secret = replace(job.secret, done=job.fingerprints)
            inventory.store_secrets({job.row.node: secret})
    files = [] if args.dry_run else _write_files(args, inventory, trust)
    _show(args, sorted(outcomes, key=lambda outcome: outcome.row.line), files)
    for text in sorted(
        {text for job in jobs for text in compatibility.warnings(job.row.identity)}
    ):
        console.note(_("warning: {text}").format(text=text))
    return int(any(outcome.state in (FAILED, CHANGED) for outcome in outcomes))


def _write_files(args: argparse.Namespace, inventory: Inventory, trust: Trust) -> list[str]:
    chirp = ChirpStack(args.chirpstack_application, args.chirpstack_profile)
    with inventory.locked():
        if not inventory.rows:
            return []
        return import_files.write_all(inventory, trust.broker(), chirp)


def _rows(path: Path, base: Row) -> list[Row]:
    rows, problems = board_rows.read(path, base)
    for line in problems[:_SHOWN_PROBLEMS_MAX]:
        console.error(line)
    if problems:
        raise ToolError(
            _("{path}: number of problems: {n}; no board was changed").format(
                path=path, n=len(problems)
            ),
            _("Correct the rows above, then run the same command again."),
        )
    if board_rows.holds_secrets(path) and path.stat().st_mode & _READABLE_BY_OTHERS:
        text = _("warning: {path} holds secrets, and other users can read it. Run: {command}")
        console.note(text.format(path=path, command=f"chmod 600 {path}"))
    return rows


def _check_known(rows: list[Row], inventory: Inventory) -> None:
    """Raises ToolError for a DevEUI that another node of the inventory has."""
    known = {row["dev_eui"]: node for node, row in inventory.rows.items() if row["dev_eui"]}
    for row in rows:
        owner = known.get(row.dev_eui.hex()) if row.dev_eui else None
        if owner and owner != row.node:
            raise ToolError(
                _("{row}: the inventory has this dev_eui for node '{owner}'").format(
                    row=_name(row), owner=owner
                ),
                _("Correct the dev_eui, or remove it to use the one made from the MAC."),
            )


def _ports(args: argparse.Namespace) -> list[str]:
    """The ports in the order given, those of a pattern in the order of their numbers."""
    if args.port_pattern:
        found = sorted(glob.glob(args.port_pattern), key=by_number)
        if not found:
            raise ToolError(
                _("no port matches '{pattern}'").format(pattern=args.port_pattern),
                _("Check the cable, then run: tallypost list"),
            )
        return found
    ports = [port for port in (args.ports or "").split(",") if port]
    if len(set(ports)) != len(ports):
        raise ToolError(_("--ports names a port twice"), _("Name one port for each board."), USAGE)
    return ports


def _assign(
    rows: list[Row], ports: list[str], inventory: Inventory, again: bool
) -> tuple[list[Outcome], list[tuple[Row, str]]]:
    """(rows that are skipped or wait, other rows with their ports). Raises ToolError.

    If there are as many ports as rows, each row has the port in its place, on every call. If there
    are fewer, the rows that are not done yet get them in order, and you change the boards before
    the next call.
    """
    todo = [row for row in rows if again or row.node not in inventory.rows]
    outcomes = [_skipped(row, inventory) for row in rows if row not in todo]
    free = [row for row in (rows if len(ports) == len(rows) else todo) if not row.port]
    places = {row.line: port for row, port in zip(free, ports)}
    ready = []
    for row in todo:
        port = row.port or places.get(row.line, "")
        if port:
            ready.append((row, port))
        else:
            outcomes.append(Outcome(row, "", WAITING, _("no port is left for it")))
    if todo and not ready:
        raise ToolError(
            _("no port was given"), _("Add --ports P1,P2,... or --port-pattern GLOB."), USAGE
        )
    return outcomes, ready


def _skipped(row: Row, inventory: Inventory) -> Outcome:
    """The outcome of a row whose board is done already."""
    entry, secret = inventory.rows[row.node], inventory.secrets.get(row.node)
    columns = row_changes.changed(row, entry, secret)
    if not columns:
        return Outcome(row, "", SKIPPED)
    text = _("changed since its board was done: {columns}. To write it, add --again.")
    return Outcome(row, "", CHANGED, text.format(columns=", ".join(columns)))


def _with_secrets(trust: Trust, row: Row, port: str, inventory: Inventory) -> Job:
    """The row with the secrets that an earlier call made for the node, or with new ones."""
    identity, known = trust.give(row.identity), inventory.secrets.get(row.node)
    if known:
        user = identity.mqtt_user or known.mqtt_user
        password = identity.mqtt_pass or known.mqtt_pass
        identity = replace(identity, mqtt_user=user, mqtt_pass=password)
    mac_key = bytes.fromhex(known.mac_key) if known else b""
    mac_key = mac_key or secrets.token_bytes(MAC_KEY_BYTES)
    identity = replace(identity, mac_key=mac_key).complete()
    app_key = b""
    if row.join_eui is not None:
        earlier = bytes.fromhex(known.app_key) if known else b""
        app_key = row.app_key or earlier or secrets.token_bytes(KEY_BYTES)
    root = identity.config.get("mqtt_root", TOPIC_ROOT)
    keys = app_key.hex(), mac_key.hex()
    done = known.done if known else {}
    secret = Secret(identity.mqtt_user, identity.mqtt_pass, root, *keys, done=done)
    fingerprints = row_changes.fingerprints(row, mac_key)
    return Job(replace(row, identity=identity), port, app_key, secret, fingerprints)


def _provision_all(
    jobs: list[Job], inventory: Inventory, args: argparse.Namespace
) -> Iterator[tuple[Job, Outcome]]:
    """Provision several boards at a time. Yields the outcome of each as soon as it is done."""
    owners = {row["mac"]: node for node, row in inventory.rows.items()}
    pool = ThreadPoolExecutor(max_workers=max(1, args.jobs))
    try:
        futures: dict[Future[dict[str, Any]], Job] = {
            pool.submit(_provision, job, owners, args.log, args.dry_run): job for job in jobs
        }
        for number, future in enumerate(as_completed(futures), 1):
            job = futures[future]
            outcome = _outcome(job, future, CHECKED if args.dry_run else DONE)
            reason = f": {outcome.reason}" if outcome.reason else ""
            state = _(outcome.state)
            console.note(f"[{number}/{len(jobs)}] {_name(job.row)}: {state}{reason}")
            yield job, outcome
    finally:  # on Ctrl-C, boards that have begun are finished and the others are not begun
        pool.shutdown(wait=True, cancel_futures=True)


def _outcome(job: Job, future: Future[dict[str, Any]], good: str) -> Outcome:
    try:
        return Outcome(job.row, job.port, good, facts=future.result())
    except ToolError as error:
        return Outcome(job.row, job.port, FAILED, str(error))


def _provision(job: Job, owners: dict[str, str], log: str, dry_run: bool) -> dict[str, Any]:
    """Provision one board, in a thread of its own. Raises ToolError."""
    # Late import of esptool: a call that only finds problems does not need it.
    from tallypost.flashing import board_state
    from tallypost.flashing.rom import SerialTarget

    board = boards.load(job.row.board)
    with SerialTarget(job.port, board) as target:
        advice = _("Give --board {found}, or correct the column board.")
        name = board_state.check_board(target, board, advice)
        owner = owners.get(target.mac, job.row.node)
        if owner != job.row.node and not log:
            raise ToolError(
                _("{port}: the inventory has this board as node '{owner}'").format(
                    port=job.port, owner=owner
                ),
                _("Plug in the next board, or replace '{owner}' with --log erase or --log keep.")
                .format(owner=owner),
            )  # fmt: skip
        identity = job.row.identity_for(target.mac, job.app_key)
        plan = prepare(target, identity, log, board.partitions)
        if not dry_run:
            write(target, plan)
        dev_eui = identity.lora.dev_eui.hex() if identity.lora else ""
        facts = {"mac": target.mac, "chip": target.chip, "dev_eui": dev_eui}
        if missing := board_state.missing_part(target, name):
            facts["incomplete"] = missing
        return facts | {"carried": plan.preserved_numbers, "was": plan.previous_node}


def _inventory_row(outcome: Outcome) -> dict[str, str]:
    row, facts = outcome.row, outcome.facts
    now = datetime.datetime.now(datetime.UTC)
    join_eui = row.join_eui.hex() if row.join_eui and facts["dev_eui"] else ""
    return {
        "node": row.node, "mac": facts["mac"], "chip": facts["chip"], "board": row.board,
        "site": row.site, "dev_eui": facts["dev_eui"], "join_eui": join_eui,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "version": version(),
    }  # fmt: skip


def _name(row: Row) -> str:
    if row.line:
        return _("row {line} ({node})").format(line=row.line, node=row.node)
    return _("node '{node}'").format(node=row.node)


def _show(args: argparse.Namespace, outcomes: Iterable[Outcome], files: list[str]) -> None:
    rows = [outcome.public() for outcome in outcomes]
    if args.json:
        console.result_json({"rows": rows, "out": str(args.out), "files": files})
        return
    cells = [
        [*(str(row.get(key, "")) for key in ("line", "node", "port", "mac")), _(row["state"])]
        for row in rows
    ]
    columns = (">" + _("row"), _("node"), _("port"), "MAC", _("state"))
    console.table(_("boards"), columns, cells)
    states = [row["state"] for row in rows]
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    console.result(", ".join(f"{_(state)}: {number}" for state, number in counts.items()))
    for outcome in outcomes:
        if outcome.state in (FAILED, CHANGED):
            console.result(f"{_name(outcome.row)}: {outcome.reason}")
    for outcome in outcomes:
        if missing := outcome.facts.get("incomplete"):
            text = _("{row}: the board cannot start: {reason}. Run: tallypost flash")
            console.result(text.format(row=_name(outcome.row), reason=missing))
    if WAITING in counts:
        console.result(_("Plug in the next boards, then run the same command again."))
    if files:
        names = ", ".join(("inventory.csv", "secrets.json", *files))
        console.result(_("written to {folder}: {names}").format(folder=args.out, names=names))
