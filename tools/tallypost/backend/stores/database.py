"""The few operations that a store needs of a database. SQLite and PostgreSQL both have them.

The SQL of the stores is common to both. Its placeholders are `?`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

Key = tuple[str, str]  # node, log
Body = dict[str, Any]


class Rows(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


class Database(Protocol):
    """A connection.

    for_update: behind a SELECT, locks its rows until the end of the transaction. is_shared:
    whether other collectors may write at the same time.
    """

    for_update: str
    is_shared: bool

    def execute(self, query: str, values: Sequence[Any] = ()) -> Rows: ...

    def executemany(self, query: str, rows: Iterable[Sequence[Any]]) -> None: ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commits at its end and rolls back on an exception. Inside another one it does
        nothing."""

    def is_unchanged(self) -> bool:
        """Inside a transaction: whether nobody else has written since the last call."""

    def prepare(self, utc: float) -> None:
        """Called before a transaction that stores records received at `utc`, unix seconds."""

    def is_failure(self, error: BaseException) -> bool:
        """Whether an error is that of the disk or the server, not that of the data."""

    def is_passing(self, error: BaseException) -> bool:
        """Whether the same transaction may succeed later: a lock, a full disk, a server that is
        away."""

    def size_bytes(self) -> int:
        """The space on disk."""

    def checkpoint(self) -> None:
        """Bring all that is committed into the file."""

    def close(self) -> None: ...


class Conflict(ValueError):
    """The store holds this record already, with other contents."""


def rfc3339(utc: float) -> str:
    """Unix seconds as UTC text."""
    return datetime.fromtimestamp(int(utc), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
