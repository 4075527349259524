"""Opens the database of an address: a file of SQLite, or the URL of PostgreSQL."""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path

from tallypost.backend.stores.database import Database
from tallypost.backend.stores.postgres import PostgresDatabase, driver, without_password
from tallypost.backend.stores.sqlite import SqliteDatabase, SqliteReader
from tallypost.faults import ToolError
from tallypost.i18n import _

Address = Path | str
_SCHEMES = ("postgresql://", "postgres://")


def is_url(address: Address) -> bool:
    """Whether an address is the URL of a server, not a file."""
    return str(address).startswith(_SCHEMES)


def address(text: str) -> Address:
    """An address as it is written in a command."""
    return text if is_url(text) else Path(text)


def add_option(verb: argparse.ArgumentParser) -> None:
    """The option --db of a verb."""
    verb.add_argument(
        "--db", type=address, default=Path("tallypost.sqlite"), metavar=_("STORE"),
        help=_("SQLite file, or postgresql://USER@HOST/NAME (default: tallypost.sqlite)"),
    )  # fmt: skip


def shown_address(address: Address) -> str:
    """An address without its password."""
    return without_password(address) if isinstance(address, str) else str(address)


def open_database(address: Address) -> Database:
    """Open or make the database. Raises ToolError."""
    return PostgresDatabase(str(address)) if is_url(address) else SqliteDatabase(Path(address))


def open_for_reading(address: Address) -> tuple[Database, type[Exception]]:
    """The database, which must be there, and the error of reading it. Raises ToolError."""
    if is_url(address):
        error: type[Exception] = driver().Error
        return PostgresDatabase(str(address), is_reader=True), error
    path = Path(address)
    if not path.is_file():
        raise ToolError(
            _("{path}: no such file").format(path=path),
            _("Name the file of tallypost listen with --db."),
        )
    return SqliteReader(path), sqlite3.DatabaseError
