"""The SQLite file of a store. One process writes, others may read at the same time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tallypost.backend.stores import migrations
from tallypost.faults import ToolError
from tallypost.i18n import _

BUSY_TIMEOUT_S = 20.0  # a backup or a long report may hold the file
_CACHE_KB = 32_768  # the index by number: nodes write to all parts of it
_WAL_PAGES = 1000  # 16 MB; then they are copied into the file
_WAL_MAX_BYTES = 64 * 1024 * 1024  # a long reader keeps it from being copied
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
_DISK_ERRORS = (sqlite3.OperationalError, sqlite3.InternalError, sqlite3.DatabaseError)


class SqliteDatabase:
    """path: the file, made or migrated if needed. Raises ToolError if it cannot be used."""

    for_update = ""
    is_shared = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = open_file(path)
        self._depth = 0
        self._version = -1

    def execute(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._db.execute(query, values)

    def executemany(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        self._db.executemany(query, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._depth:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        finally:
            self._depth = 0

    def is_unchanged(self) -> bool:
        version = self._db.execute("PRAGMA data_version").fetchone()[0]
        was, self._version = self._version, version
        return bool(was == version)

    def prepare(self, utc: float) -> None:
        """Nothing to prepare: there is one table for all months."""

    def is_failure(self, error: BaseException) -> bool:
        return type(error) in (*_DISK_ERRORS, sqlite3.ProgrammingError)

    def is_passing(self, error: BaseException) -> bool:
        code = getattr(error, "sqlite_errorcode", 0)
        return isinstance(error, sqlite3.Error) and code & 0xFF in _PASSING

    def size_bytes(self) -> int:
        files = (self._path, Path(f"{self._path}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def checkpoint(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._db.close()


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, make or migrate its tables. Raises ToolError."""
    try:
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        db.execute(f"PRAGMA page_size = {migrations.PAGE_BYTES}")  # only of a new file
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        db.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {_WAL_MAX_BYTES}")
        migrations.migrate(db, path)
    except sqlite3.Error as error:
        raise ToolError(
            _("{path}: the database cannot be used: {reason}").format(path=path, reason=error),
            _("Name another file with --db."),
        ) from error
    return db


class SqliteReader(SqliteDatabase):
    """path: a file that is there. It is only read, and migrated before if it is an old one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._depth, self._version = 0, -1
        self._db = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S
        )
        try:
            layout = self._db.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError:  # no database: the first query says so
            return
        if layout != migrations.LAYOUT:
            open_file(path).close()
