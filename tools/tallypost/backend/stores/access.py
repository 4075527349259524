"""Opens the database of an address: a file of SQLite, or the URL of PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tallypost.backend.stores.database import Database
from tallypost.backend.stores.sqlite import SqliteDatabase, SqliteReader
from tallypost.faults import ToolError
from tallypost.i18n import _

Address = Path | str


def open_database(address: Address) -> Database:
    """Open or make the database. Raises ToolError."""
    return SqliteDatabase(Path(address))


def open_for_reading(address: Address) -> tuple[Database, type[Exception]]:
    """The database, which must be there, and the error of reading it. Raises ToolError."""
    path = Path(address)
    if not path.is_file():
        raise ToolError(
            _("{path}: no such file").format(path=path),
            _("Name the file of tallypost listen with --db."),
        )
    return SqliteReader(path), sqlite3.DatabaseError
