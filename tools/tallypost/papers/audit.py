"""`tallypost audit`: shows records of a database that were changed or removed afterwards.

A signed record is kept as the text that came from the node, with the node's MAC over it. The MAC
covers node, log and number. So a record that somebody changed, or moved to another number, has a
wrong MAC, and nobody without the key of the node can make a right one. A number up to the
confirmed one that is neither held nor reported as gone by the node was removed. Numbers that
`tallypost store prune` deleted do not count.

Records of LoRaWAN have no MAC here: the network server checks the MIC of each frame.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tallypost import console
from tallypost.backend.stores.sqlite import open_file
from tallypost.backend.record_macs import SIGNED, UNSIGNED, WRONG, MacKeys, read_keys
from tallypost.faults import USAGE, ToolError
from tallypost.i18n import N_, _

_SHOWN_MAX = 20
_GOOD, _BAD = N_("whole"), N_("CHANGED")


@dataclass
class LogAudit:
    """The findings about one log. The lists have numbers of records.

    unsigned: behind the first signed record. gone: the node said that it has them no more.
    refused: records of the node with a wrong MAC, which were never stored.
    """

    node: str
    log: str
    held: int = 0
    signed: int = 0
    altered: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    unsigned: list[int] = field(default_factory=list)
    gone: int = 0
    refused: int = 0

    @property
    def is_good(self) -> bool:
        return not (self.altered or self.removed or self.unsigned)

    @property
    def verdict(self) -> str:
        return _GOOD if self.is_good else _BAD


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "--db", type=Path, default=Path("tallypost.sqlite"), metavar=_("FILE"),
        help=_("SQLite file (default: tallypost.sqlite)"),
    )  # fmt: skip
    add(
        "--mac-keys", type=Path, required=True, metavar=_("FILE"),
        help=_("mac_keys.json of tallypost provision --out"),
    )  # fmt: skip
    add("--node", metavar="ID", help=_("only this node"))
    add("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Audit a database. Returns 1 if a record was changed or removed. Raises ToolError."""
    keys = MacKeys(read_keys(args.mac_keys))
    if not args.db.is_file():
        raise ToolError(
            _("{path}: there is no such database").format(path=args.db),
            _("Name the file of tallypost listen with --db."), USAGE,
        )  # fmt: skip
    with closing(open_file(args.db)) as db:
        found = [audit(db, keys, *row) for row in _logs(db, args.node)]
    if args.json:
        rows = [vars(one) | {"good": one.is_good} for one in found]
        console.result_json({"logs": rows, "good": all(one.is_good for one in found)})
    else:
        _show(found)
    return int(not all(one.is_good for one in found))


def _logs(db: sqlite3.Connection, node: str | None) -> list[tuple[str, str]]:
    rows = db.execute(
        "SELECT node, log FROM logs UNION SELECT node, log FROM records ORDER BY 1, 2"
    )
    return [(name, log) for name, log in rows if node in (None, name)]


def audit(db: sqlite3.Connection, keys: MacKeys, node: str, log: str) -> LogAudit:
    """The findings about a log."""
    found = LogAudit(node, log)
    held: set[int] = set()
    for seq, body in db.execute(
        "SELECT seq, body FROM records WHERE node = ? AND log = ? ORDER BY seq", (node, log)
    ):
        held.add(seq)
        found.held += 1
        _judge(found, seq, body, keys.state(node, log, body))
    for first, last in _spans(db, "short", node, log):
        held.update(range(first, last + 1))
    gone: set[int] = set()
    for first, last in _spans(db, "gone", node, log):
        gone.update(range(first, last + 1))
    found.gone = len(gone - held)
    found.refused = _refused(db, node)
    row = db.execute(
        "SELECT confirmed, pruned FROM logs WHERE node = ? AND log = ?", (node, log)
    ).fetchone()
    confirmed, pruned = row or (max(held, default=0), 0)
    found.removed = sorted(set(range(pruned + 1, confirmed + 1)) - held - gone)
    return found


def _refused(db: sqlite3.Connection, node: str) -> int:
    row = db.execute(
        "SELECT times FROM signatures WHERE node = ? AND state = ?", (node, WRONG)
    ).fetchone()
    return int(row[0]) if row else 0


def _judge(found: LogAudit, seq: int, body: str, state: str) -> None:
    if state == SIGNED and _number(body) == seq:
        found.signed += 1
    elif state == UNSIGNED:
        if found.signed:
            found.unsigned.append(seq)
    else:
        found.altered.append(seq)


def _number(body: str) -> Any:
    return json.loads(body).get("seq")


def _spans(
    db: sqlite3.Connection, table: str, node: str, log: str
) -> Iterable[tuple[int, int]]:  # fmt: skip
    return db.execute(f"SELECT first, last FROM {table} WHERE node = ? AND log = ?", (node, log))


def _show(found: list[LogAudit]) -> None:
    cells = [
        (
            one.node, one.log, str(one.held), str(one.signed), str(len(one.altered)),
            str(len(one.removed)), str(len(one.unsigned)), str(one.gone), str(one.refused),
            _(one.verdict),
        )
        for one in found
    ]  # fmt: skip
    columns = (
        _("node"), _("log"), ">" + _("records"), ">" + _("signed"), ">" + _("changed"),
        ">" + _("removed"), ">" + _("unsigned"), ">" + _("gone"), ">" + _("refused"), _("verdict"),
    )  # fmt: skip
    console.table(_("Records and their signatures"), columns, cells)
    for one in found:
        for text, numbers in (
            (_("{node}, log {log}: changed: {numbers}"), one.altered),
            (_("{node}, log {log}: removed: {numbers}"), one.removed),
            (_("{node}, log {log}: not signed, though earlier ones are: {numbers}"), one.unsigned),
        ):
            if numbers:
                shown = _shown(numbers)
                console.result(text.format(node=one.node, log=one.log, numbers=shown))


def _shown(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN_MAX]))
    return shown + (", ..." if len(numbers) > _SHOWN_MAX else "")
