"""The layout of the SQLite file, and its migrations. A migration goes forward only.

Layout 2 added the short form of LoRaWAN. Layout 3 added the newest number of a log, the last
reports of a node, and the limits of the quarantine. Layout 4 added the states of signatures.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tallypost.faults import ToolError
from tallypost.i18n import _

Key = tuple[str, str]  # node, log
Body = dict[str, Any]

LAYOUT = 4  # PRAGMA user_version
TABLES = """
CREATE TABLE records (
  node TEXT, log TEXT, seq INTEGER, kind TEXT, start TEXT, len INTEGER, cov INTEGER,
  body TEXT, received TEXT, PRIMARY KEY (node, log, seq)) WITHOUT ROWID;
CREATE TABLE gone (node TEXT, log TEXT, first INTEGER, last INTEGER,
  PRIMARY KEY (node, log, first)) WITHOUT ROWID;
CREATE TABLE logs (node TEXT, log TEXT, confirmed INTEGER DEFAULT 0,
  asked REAL DEFAULT 0, asked_from INTEGER DEFAULT 0, asked_to INTEGER DEFAULT 0,
  PRIMARY KEY (node, log)) WITHOUT ROWID;
CREATE TABLE nodes (node TEXT PRIMARY KEY, status TEXT, received TEXT);
CREATE TABLE doubts (node TEXT, log TEXT, seq INTEGER, what TEXT);
CREATE TABLE quarantine (received TEXT, topic TEXT, payload BLOB, reason TEXT);
"""

# Since layout 2: records in the short form of LoRaWAN. Each stands for the numbers first to last,
# until all of these are held as single records. Also frames whose log is not known yet.
SHORT = """
CREATE TABLE short (
  node TEXT, log TEXT, first INTEGER, last INTEGER, kind TEXT, start TEXT, len INTEGER,
  cov INTEGER, body TEXT, received TEXT, PRIMARY KEY (node, log, first, last)) WITHOUT ROWID;
CREATE TABLE waiting (
  node TEXT, log TEXT, port INTEGER, payload BLOB, received REAL,
  PRIMARY KEY (node, log, port, payload)) WITHOUT ROWID;
DROP VIEW IF EXISTS counts;
CREATE VIEW counts AS
  WITH held AS (
    SELECT node, start, len, cov, body FROM records r WHERE kind = 'interval' AND NOT EXISTS (
      SELECT 1 FROM short s WHERE s.node = r.node AND s.log = r.log AND s.kind = 'interval'
      AND r.seq BETWEEN s.first AND s.last)
    UNION ALL
    SELECT node, start, len, cov, body FROM short s WHERE kind = 'interval' AND NOT EXISTS (
      SELECT 1 FROM short o WHERE o.node = s.node AND o.log = s.log AND o.kind = 'interval'
      AND o.first <= s.first AND o.last >= s.last AND (o.first < s.first OR o.last > s.last)))
  SELECT h.node, h.start, h.len, h.cov, way.key AS direction, cls.key AS class, cls.value AS n
  FROM held h, json_each(h.body, '$.counts') way, json_each(way.value) cls;
"""

# Since layout 3. `newest`: as a node reported it. `times`, `last`: how often the same part of a
# message was refused, and when at last. `dropped`: refused messages that are not kept.
_LIMITS = """
ALTER TABLE logs ADD COLUMN newest INTEGER DEFAULT 0;
CREATE TABLE reports (node TEXT, kind TEXT, body TEXT, received TEXT,
  PRIMARY KEY (node, kind)) WITHOUT ROWID;
ALTER TABLE quarantine ADD COLUMN node TEXT DEFAULT '';
ALTER TABLE quarantine ADD COLUMN times INTEGER DEFAULT 1;
ALTER TABLE quarantine ADD COLUMN last TEXT DEFAULT '';
CREATE INDEX quarantine_by_node ON quarantine (node, reason);
CREATE TABLE dropped (node TEXT PRIMARY KEY, times INTEGER, last TEXT) WITHOUT ROWID;
UPDATE quarantine SET last = received;
"""

# Since layout 4. Records of a node by the state of their MAC: `signed`, `unsigned` or `wrong`.
_SIGNATURES = """
CREATE TABLE signatures (node TEXT, state TEXT, times INTEGER, last TEXT,
  PRIMARY KEY (node, state)) WITHOUT ROWID;
"""
_STEPS = (TABLES, SHORT, _LIMITS, _SIGNATURES)  # step i leads from layout i to i + 1


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, make or migrate its tables. Raises ToolError."""
    try:
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        layout = db.execute("PRAGMA user_version").fetchone()[0]
        if not 0 <= layout <= LAYOUT:
            raise ToolError(
                _("{path}: the database has layout {found}, this version reads {known}").format(
                    path=path, found=layout, known=LAYOUT
                ),
                _("Install the version of the tools that wrote it, or name another --db."),
            )
        if layout != LAYOUT:
            steps = "".join(_STEPS[layout:])
            db.executescript(f"BEGIN; {steps} PRAGMA user_version = {LAYOUT}; COMMIT;")
    except sqlite3.Error as error:
        raise ToolError(
            _("{path}: the database cannot be used: {reason}").format(path=path, reason=error),
            _("Name another file with --db."),
        ) from error
    return db


def rfc3339(utc: float) -> str:
    """Unix seconds as UTC text."""
    return datetime.fromtimestamp(int(utc), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
