"""What the collector's database holds of a run, counted with a query of this file alone.

The nodes' acknowledgements are not believed: a record counts as stored when it is in the table.
"""

from __future__ import annotations

import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

# The one place that knows the table: a row for each record, its kind, and whose it is.
_ROWS = "FROM records WHERE kind = 'interval' AND log LIKE '{logs}%'"
_QUERY = f"SELECT count(*), count(DISTINCT node || '/' || log || '/' || seq) {_ROWS}"
_PSQL_S = 120


@dataclass(frozen=True)
class Stored:
    """rows: all of them. distinct: different records among them."""

    rows: int
    distinct: int


def count(database: str, logs: str) -> Stored:
    """logs: the hexadecimal digits that the log ids of the run begin with.

    database: a file of SQLite, or the URL of a PostgreSQL (with `psql`). Raises RuntimeError.
    """
    query = _QUERY.format(logs=logs)
    if database.startswith(("postgresql://", "postgres://")):
        return _count_postgres(database, query)
    try:
        with sqlite3.connect(f"file:{Path(database).resolve()}?mode=ro", uri=True) as db:
            return Stored(*db.execute(query).fetchone())
    except sqlite3.Error as error:
        raise RuntimeError(f"{database}: {error}") from error


def _count_postgres(url: str, query: str) -> Stored:
    try:
        done = subprocess.run(
            ["psql", "-At", "-F", " ", "-c", query, url],
            capture_output=True, text=True, timeout=_PSQL_S, check=False,
        )  # fmt: skip
    except OSError as error:
        raise RuntimeError("psql is not installed (Debian package postgresql-client)") from error
    if done.returncode:
        raise RuntimeError(f"psql: {done.stderr.strip()}")
    rows, distinct = done.stdout.split()
    return Stored(int(rows), int(distinct))
