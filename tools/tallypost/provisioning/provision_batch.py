"""`tallypost provision --csv FILE`, and one board with `--out`: boards side by side, with records.

Everything is checked before the first board is touched; the secrets are on the disk before a board
has them; the inventory has a row as soon as a board is done. A call that was interrupted is
repeated as it was: rows of the inventory are skipped.
"""

from __future__ import annotations

import argparse
import datetime
import glob
import secrets
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.faults import USAGE, ToolError
from tallypost.hardware import boards
from tallypost.provisioning import board_rows
from tallypost.provisioning import compatibility
from tallypost.inventory import import_files
from tallypost.provisioning.board_rows import Row
from tallypost.provisioning.identity import KEY_BYTES, Identity
from tallypost.provisioning.provision import prepare, write
from tallypost.inventory.inventory import TOPIC_ROOT, Inventory, Secret, by_number, version

DONE, SKIPPED, FAILED, WAITING, CHECKED = "done", "skipped", "failed", "waiting", "checked"
_SHOWN_FAULTS = 20
_READABLE_BY_OTHERS = 0o044


@dataclass(frozen=True)
class Job:
    """row.who: with its secrets."""

    row: Row
    port: str
    app_key: bytes = field(repr=False)


@dataclass
class Outcome:
    """facts: mac, chip and dev_eui, where a board was reached; reason: why not."""

    row: Row
    port: str
    state: str
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def public(self) -> dict[str, Any]:
        told = {"line": self.row.line, "node": self.row.who.node, "port": self.port}
        told |= {"board": self.row.board, "site": self.row.site, "state": self.state}
        return told | self.facts | ({"reason": self.reason} if self.reason else {})


def run(args: argparse.Namespace, base: Row) -> int:
    """base: the row of one board, or what every row of the CSV begins with."""
    records = Inventory(args.out)
    rows = _rows(args.csv, base) if args.csv else [replace(base, port=args.port)]
    _check_known(rows, records)
    outcomes, ready = _assign(rows, _ports(args), records, args.again or not args.csv)
    jobs = [_with_secrets(row, port, records) for row, port in ready]
    if not args.dry_run and jobs:
        records.store_secrets({job.row.who.node: _secret(job) for job in jobs})
    for outcome in _work(jobs, records, args):
        outcomes.append(outcome)
        if outcome.state == DONE:
            records.append(_inventory_row(outcome))
    files: list[str] = []
    if not args.dry_run and records.rows:
        ids = args.chirpstack_application, args.chirpstack_profile
        files = import_files.write_all(records, *ids)
    _tell(args, sorted(outcomes, key=lambda outcome: outcome.row.line), files)
    for doubt in sorted({doubt for job in jobs for doubt in compatibility.doubts(job.row.who)}):
        console.note(f"warning: {doubt}")
    return int(any(outcome.state == FAILED for outcome in outcomes))


def _rows(path: Path, base: Row) -> list[Row]:
    rows, wrong = board_rows.read(path, base)
    for line in wrong[:_SHOWN_FAULTS]:
        console.error(line)
    if wrong:
        raise ToolError(f"{path}: faults: {len(wrong)}; no board was touched", "see above")
    if board_rows.holds_secrets(path) and path.stat().st_mode & _READABLE_BY_OTHERS:
        console.note(f"warning: {path} holds secrets and others can read it: chmod 600 {path}")
    return rows


def _check_known(rows: list[Row], records: Inventory) -> None:
    """No DevEUI of another node; raises ToolError."""
    known = {row["dev_eui"]: node for node, row in records.rows.items() if row["dev_eui"]}
    for row in rows:
        owner = known.get(row.dev_eui.hex()) if row.dev_eui else None
        if owner and owner != row.who.node:
            raise ToolError(f"{_name(row)}: dev_eui is that of node '{owner}' in the inventory")


def _ports(args: argparse.Namespace) -> list[str]:
    """In the order given; of a pattern in the order of their numbers."""
    if args.port_pattern:
        found = sorted(glob.glob(args.port_pattern), key=by_number)
        if not found:
            raise ToolError(f"no port matches '{args.port_pattern}'", "is the cable in?")
        return found
    ports = [port for port in (args.ports or "").split(",") if port]
    if len(set(ports)) != len(ports):
        raise ToolError("--ports names a port twice", "one board, one port", USAGE)
    return ports


def _assign(
    rows: list[Row], ports: list[str], records: Inventory, again: bool
) -> tuple[list[Outcome], list[tuple[Row, str]]]:
    """(what is skipped or waits, rows with their ports).

    As many ports as rows: each row has the port in its place, on every call. Fewer: those that
    are not done yet take them in order, and the boards are changed for the next call.
    """
    todo = [row for row in rows if again or row.who.node not in records.rows]
    outcomes = [Outcome(row, "", SKIPPED) for row in rows if row not in todo]
    free = [row for row in (rows if len(ports) == len(rows) else todo) if not row.port]
    places = {row.line: port for row, port in zip(free, ports)}
    ready = []
    for row in todo:
        port = row.port or places.get(row.line, "")
        if port:
            ready.append((row, port))
        else:
            outcomes.append(Outcome(row, "", WAITING, "no port is left for it"))
    if todo and not ready:
        raise ToolError("no port is given", "--ports P1,P2,... or --port-pattern", USAGE)
    return outcomes, ready


def _with_secrets(row: Row, port: str, records: Inventory) -> Job:
    """With what an earlier call made for the node, or new secrets."""
    who, known = row.who, records.secrets.get(row.who.node)
    if known:
        user = who.mqtt_user or known.mqtt_user
        who = replace(who, mqtt_user=user, mqtt_pass=who.mqtt_pass or known.mqtt_pass)
    who = who.complete()
    app_key = b""
    if row.join_eui is not None:
        made = bytes.fromhex(known.app_key) if known else b""
        app_key = row.app_key or made or secrets.token_bytes(KEY_BYTES)
    return Job(replace(row, who=who), port, app_key)


def _secret(job: Job) -> Secret:
    who = job.row.who
    root = who.config.get("mqtt_root", TOPIC_ROOT)
    return Secret(who.mqtt_user, who.mqtt_pass, root, job.app_key.hex())


def _work(jobs: list[Job], records: Inventory, args: argparse.Namespace) -> Iterator[Outcome]:
    """Several boards at a time; what becomes of each, as they end."""
    owners = {row["mac"]: node for node, row in records.rows.items()}
    pool = ThreadPoolExecutor(max_workers=max(1, args.jobs))
    try:
        futures: dict[Future[dict[str, Any]], Job] = {
            pool.submit(_provision, job, owners, args.log, args.dry_run): job for job in jobs
        }
        for number, future in enumerate(as_completed(futures), 1):
            job = futures[future]
            outcome = _outcome(job, future, CHECKED if args.dry_run else DONE)
            text = f": {outcome.reason}" if outcome.reason else ""
            console.note(f"[{number}/{len(jobs)}] {_name(job.row)}: {outcome.state}{text}")
            yield outcome
    finally:  # on Ctrl-C: boards under way are finished, the others are not begun
        pool.shutdown(wait=True, cancel_futures=True)


def _outcome(job: Job, future: Future[dict[str, Any]], good: str) -> Outcome:
    try:
        return Outcome(job.row, job.port, good, facts=future.result())
    except ToolError as error:
        return Outcome(job.row, job.port, FAILED, str(error))


def _provision(job: Job, owners: dict[str, str], log: str, dry_run: bool) -> dict[str, Any]:
    """One board, in a thread of its own; raises ToolError."""
    # Late: esptool, which a call that only finds faults does without.
    from tallypost.flashing.rom import SerialTarget

    board = boards.load(job.row.board)
    node = job.row.who.node
    with SerialTarget(job.port, board) as chip:
        owner = owners.get(chip.mac, node)
        if owner != node and not log:
            hint = "plug in the next one, or give it away with --log erase or --log keep"
            raise ToolError(f"{job.port}: the inventory has this board as node '{owner}'", hint)
        who: Identity = job.row.identity(chip.mac, job.app_key)
        plan = prepare(chip, who, log, board.partitions)
        if not dry_run:
            write(chip, plan)
        dev_eui = who.lora.dev_eui.hex() if who.lora else ""
        facts = {"mac": chip.mac, "chip": chip.chip, "dev_eui": dev_eui}
        return facts | {"carried": plan.carried, "was": plan.was}


def _inventory_row(outcome: Outcome) -> dict[str, str]:
    row, facts = outcome.row, outcome.facts
    now = datetime.datetime.now(datetime.UTC)
    join_eui = row.join_eui.hex() if row.join_eui and facts["dev_eui"] else ""
    return {
        "node": row.who.node, "mac": facts["mac"], "chip": facts["chip"], "board": row.board,
        "site": row.site, "dev_eui": facts["dev_eui"], "join_eui": join_eui,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "version": version(),
    }  # fmt: skip


def _name(row: Row) -> str:
    return f"row {row.line} ({row.who.node})" if row.line else f"node '{row.who.node}'"


def _tell(args: argparse.Namespace, outcomes: Iterable[Outcome], files: list[str]) -> None:
    rows = [outcome.public() for outcome in outcomes]
    if args.json:
        console.result_json({"rows": rows, "out": str(args.out), "files": files})
        return
    columns = (">row", "node", "port", "mac", "state")
    cells = [[str(row.get(c, "")) for c in ("line", *columns[1:])] for row in rows]
    console.table("boards", columns, cells)
    states = [row["state"] for row in rows]
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    console.result(", ".join(f"{state}: {number}" for state, number in counts.items()))
    for row in rows:
        if row["state"] == FAILED:
            console.result(f"row {row['line']} ({row['node']}): {row['reason']}")
    if WAITING in counts:
        console.result("plug in the next boards and repeat the same command")
    if files:
        console.result(f"in {args.out}: inventory.csv, secrets.json, {', '.join(files)}")
