"""A store: records by (node, log, seq), complete ranges and gaps, nodes, sums by day.

store = open_store("tallypost.sqlite")  # or "postgresql://user@host/name"
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tallypost.backend.stores.access import open_database
from tallypost.backend.stores.database import Database, Key
from tallypost.backend.stores.days import Days
from tallypost.backend.stores.logs import Logs, LogState
from tallypost.backend.stores.nodes import Nodes
from tallypost.backend.stores.records import Records

_TABLES = (
    "records", "gone", "doubts", "quarantine", "short", "waiting", "nodes", "logs", "days",
)  # fmt: skip


class Store(Records, Logs, Nodes, Days):
    """address: a file of SQLite, made if it is missing, or the URL of a database of PostgreSQL.

    Make changes inside `with store.transaction():`. They are durable after it. Raises ToolError if
    the store cannot be used.
    """

    def __init__(self, address: Path | str) -> None:
        self._db: Database = open_database(address)
        self._touched: set[tuple[str, str]] = set()
        self._states: dict[Key, LogState] = {}
        self._newest_start: dict[str, str] = {}

    @property
    def database(self) -> Database:
        return self._db

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def transaction(self, utc: float | None = None) -> Iterator[None]:
        """Commits at its end, and rolls back on an exception.

        utc: when the records that it stores were received, unix seconds.
        """
        if utc is not None:
            self._db.prepare(utc)
        try:
            with self._db.transaction():
                if not self._db.is_unchanged():
                    self._forget()
                yield
                self._mark_days()
        except BaseException:
            self._forget()
            raise
        finally:
            self._touched.clear()

    def _forget(self) -> None:
        """Forget the logs: others have changed them, or this transaction has not."""
        self._states.clear()
        self._newest_start.clear()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: an exception takes back only the changes since here."""
        self._db.execute("SAVEPOINT one")
        try:
            yield
        except Exception:
            self._forget()
            self._db.execute("ROLLBACK TO SAVEPOINT one")
            raise
        finally:
            self._db.execute("RELEASE SAVEPOINT one")

    def is_failure(self, error: BaseException) -> bool:
        """Whether an error is that of the disk or the server, not that of the data."""
        return self._db.is_failure(error)

    def is_passing(self, error: BaseException) -> bool:
        """Whether the same transaction may succeed later."""
        return self._db.is_passing(error)

    def count_rows(self, table: str) -> int:
        """The number of rows of a table."""
        if table not in _TABLES:
            raise ValueError(f"no table '{table}'")
        return int(self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
