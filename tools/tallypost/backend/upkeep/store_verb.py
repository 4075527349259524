"""`tallypost store`: copies, moves and cleans the store of `listen`, shows refused messages."""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tallypost import console
from tallypost.backend.record_macs import MacKeys, read_keys
from tallypost.backend.stores import migrations
from tallypost.backend.stores.access import add_option, is_url, shown_address
from tallypost.backend.stores.database import rfc3339
from tallypost.backend.stores.sqlite import open_file
from tallypost.backend.stores.store import Store
from tallypost.backend.upkeep import refused, retention
from tallypost.backend.upkeep.move import move
from tallypost.faults import USAGE, ToolError
from tallypost.i18n import _, grouped

_DAY_S = 86_400


def options(verb: argparse.ArgumentParser) -> None:
    add = verb.add_argument
    add(
        "action", choices=("backup", "restore", "vacuum", "move", "prune", "quarantine"),
        help=_("copy the store to a file, make a store of a copy, give free space back, copy it to"
               " another store, delete old records, or handle refused messages"),
    )  # fmt: skip
    add(
        "detail", nargs="?", choices=("list", "show", "release"), default="list",
        help=_("of quarantine: list the refused messages, show one, or handle one again"),
    )  # fmt: skip
    add_option(verb)
    add(
        "--to", metavar=_("FILE"),
        help=_("of backup: the new file; of move: the new file or postgresql://USER@HOST/NAME"),
    )  # fmt: skip
    add("--from", dest="source", type=Path, metavar=_("FILE"), help=_("of restore: the backup"))
    add("--keep-days", type=int, metavar="N", help=_("of prune: days of records to keep"))
    add("--id", type=int, metavar="N", help=_("of quarantine: number of the message"))
    add(
        "--mac-keys", type=Path, metavar=_("FILE"),
        help=_("of quarantine release: keys of the nodes"),
    )  # fmt: skip
    add("--json", action="store_true", help=_("print JSON"))


def run(args: argparse.Namespace) -> int:
    """Carry out the action. Raises ToolError."""
    actions = {
        "backup": _backup, "restore": _restore, "vacuum": _vacuum, "move": _move,
        "prune": _prune, "quarantine": _quarantine,
    }  # fmt: skip
    try:
        actions[args.action](args)
    except sqlite3.Error as error:
        raise ToolError(
            _("{path}: the database cannot be used: {reason}").format(path=args.db, reason=error),
            _("Free the disk or stop the other programs, then run the same command again."),
        ) from error
    return 0


def _need(args: argparse.Namespace, name: str, option: str) -> None:
    if getattr(args, name) is None:
        raise ToolError(
            _("{action} needs {option}").format(action=args.action, option=option),
            _("Run: tallypost store --help"), USAGE,
        )  # fmt: skip


def _must_be_there(args: argparse.Namespace) -> None:
    if not is_url(args.db) and not Path(args.db).is_file():
        raise ToolError(
            _("{path}: no such file").format(path=args.db),
            _("Name the file of tallypost listen with --db."),
        )


def _must_be_new(path: Path) -> None:
    if path.exists():
        raise ToolError(
            _("{path} exists already").format(path=path), _("Name another file, or remove it.")
        )


def _backup(args: argparse.Namespace) -> None:
    """A copy as a file of SQLite, consistent while collectors write."""
    _need(args, "to", "--to")
    _must_be_there(args)
    target = Path(args.to)
    _must_be_new(target)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    if is_url(args.db):
        move(args.db, part)
    else:
        with closing(sqlite3.connect(f"file:{args.db}?mode=ro", uri=True)) as db:
            migrations.copy(db, part)
    with closing(sqlite3.connect(part)) as db:
        _check(db, part)
        db.execute("PRAGMA journal_mode = DELETE")
    part.rename(target)
    _done(args, _("copied to {path}").format(path=target), path=str(target))


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Raises ToolError for a damaged file."""
    found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise ToolError(
            _("{path} is damaged: {reason}").format(path=path, reason=found),
            _("Take another backup."),
        )


def _restore(args: argparse.Namespace) -> None:
    """A backup becomes the store. An older layout is migrated."""
    _need(args, "source", "--from")
    if not args.source.is_file():
        raise ToolError(
            _("{path}: no such file").format(path=args.source), _("Name a backup with --from.")
        )
    if is_url(args.db):
        move(args.source, args.db)
    else:
        _must_be_new(Path(args.db))
        part = Path(f"{args.db}.part")
        shutil.copyfile(args.source, part)
        with closing(open_file(part)) as db:
            _check(db, part)
            db.execute("PRAGMA journal_mode = DELETE")
        part.rename(args.db)
    text = _("restored to {path}. Nodes send again what it does not hold")
    _done(args, text.format(path=shown_address(args.db)), path=shown_address(args.db))


def _vacuum(args: argparse.Namespace) -> None:
    """Give the space of deleted rows back."""
    _must_be_there(args)
    with closing(Store(args.db)) as store:
        before = store.database.size_bytes()
        store.database.execute("VACUUM")
        store.database.checkpoint()
        after = store.database.size_bytes()
    text = _("{before} bytes before, {after} bytes now")
    _done(args, text.format(before=grouped(before), after=grouped(after)), bytes=after)


def _move(args: argparse.Namespace) -> None:
    _need(args, "to", "--to")
    _must_be_there(args)
    n = move(args.db, args.to if is_url(args.to) else Path(args.to), _show_progress)
    console.progress("")
    text = _("{n} records are in {path} now. Start the collectors with --db {path}")
    _done(args, text.format(n=grouped(n), path=shown_address(args.to)), records=n)


def _show_progress(n: int) -> None:
    console.progress(_("{n} records").format(n=grouped(n)))


def _prune(args: argparse.Namespace) -> None:
    _need(args, "keep_days", "--keep-days")
    if args.keep_days < 1:
        raise ToolError(
            _("--keep-days {n}: at least 1").format(n=args.keep_days),
            _("Run: tallypost store --help"), USAGE,
        )  # fmt: skip
    _must_be_there(args)
    before = rfc3339(time.time() - args.keep_days * _DAY_S)[:10]
    with closing(Store(args.db)) as store:
        n = retention.prune(store, before)
    text = _("{n} records before {day} are deleted, their sums by day are kept")
    _done(args, text.format(n=grouped(n), day=before), deleted=n, before=before)


def _quarantine(args: argparse.Namespace) -> None:
    _must_be_there(args)
    if args.detail == "list":
        with closing(Store(args.db)) as store:
            _show_list(args, refused.listed(store))
        return
    _need(args, "id", "--id")
    if args.detail == "release":
        refused.release(args.db, args.id, MacKeys(read_keys(args.mac_keys)))
        _done(args, _("message {number} is stored").format(number=args.id), released=args.id)
        return
    with closing(Store(args.db)) as store:
        message = refused.shown(store, args.id)
    if args.json:
        console.result_json(message.as_dict())
    else:
        console.result(f"{message.topic}\n{message.reason}\n{message.as_dict()['payload']}")


def _show_list(args: argparse.Namespace, found: list[refused.Refused]) -> None:
    if args.json:
        console.result_json({"refused": [one.as_dict() for one in found]})
        return
    rows = [
        (str(one.id), one.node, one.last, str(one.times), one.topic, one.reason) for one in found
    ]
    columns = (">" + _("number"), _("node"), _("last"), ">" + _("times"), _("topic"), _("reason"))
    console.table(_("Refused messages"), columns, rows)


def _done(args: argparse.Namespace, text: str, **values: object) -> None:
    if args.json:
        console.result_json(values)
    else:
        console.result(text)
