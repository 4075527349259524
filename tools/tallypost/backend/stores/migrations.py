"""The layouts of the SQLite file, and the numbered steps between them. A step goes forward only.

Layout 2 added the short form of LoRaWAN. Layout 3 added the newest number of a log, the last
reports of a node, and the limits of the quarantine. Layout 4 added the states of signatures.
Layout 5 made the records ordinary rows with compact bodies, a quarter of the size, with an index
by time, and added sums by day.

A file with records is copied before a step changes it: `counts.sqlite.layout4`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tallypost.faults import ToolError
from tallypost.i18n import _

LAYOUT = 5  # PRAGMA user_version
PAGE_BYTES = 16_384  # a record has 1 KB: fewer bytes are left over at the end of a page
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
"""
_VIEW = """
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

# Since layout 5. A body with a MAC stays as it came. `bin_kmh`: width of a bin of the histogram,
# NULL for 4. `held`, `pruned`: the highest number of a log that is held, and that was deleted.
# `days`: sums by day in UTC; '' has to be summed up again. `settings`: by name, see days.py.
_COMPACT = """
DROP VIEW IF EXISTS counts;
CREATE TABLE rows5 (
  node TEXT, log TEXT, seq INTEGER, kind TEXT, start TEXT, len INTEGER, cov INTEGER,
  body TEXT, received TEXT, bin_kmh INTEGER, PRIMARY KEY (node, log, seq));
INSERT INTO rows5 SELECT node, log, seq, kind, start, len, cov,
  CASE WHEN instr(body, '"mac"') OR NOT json_valid(body) THEN body ELSE json(body) END,
  received, NULL FROM records ORDER BY received, node, log, seq;
DROP TABLE records;
ALTER TABLE rows5 RENAME TO records;
CREATE INDEX records_by_start ON records (node, start) WHERE start IS NOT NULL;
CREATE INDEX records_events ON records (node, log, seq) WHERE kind = 'event';
CREATE INDEX records_undated ON records (node, log, seq)
  WHERE start IS NULL AND kind = 'interval';
CREATE TABLE kept5 (
  id INTEGER PRIMARY KEY, received TEXT, topic TEXT, payload BLOB, reason TEXT,
  node TEXT DEFAULT '', times INTEGER DEFAULT 1, last TEXT DEFAULT '');
INSERT INTO kept5 (received, topic, payload, reason, node, times, last)
  SELECT received, topic, payload, reason, node, times, last FROM quarantine ORDER BY rowid;
DROP TABLE quarantine;
ALTER TABLE kept5 RENAME TO quarantine;
CREATE INDEX quarantine_by_node ON quarantine (node, reason);
CREATE INDEX doubts_by_record ON doubts (node, log, seq);
CREATE INDEX short_by_start ON short (node, start);
ALTER TABLE logs ADD COLUMN held INTEGER DEFAULT 0;
ALTER TABLE logs ADD COLUMN pruned INTEGER DEFAULT 0;
UPDATE logs SET held = max(
  (SELECT ifnull(max(seq), 0) FROM records r WHERE r.node = logs.node AND r.log = logs.log),
  (SELECT ifnull(max(last), 0) FROM short s WHERE s.node = logs.node AND s.log = logs.log));
CREATE TABLE days (node TEXT, day TEXT, body TEXT, PRIMARY KEY (node, day)) WITHOUT ROWID;
INSERT INTO days SELECT DISTINCT node, substr(start, 1, 10), '' FROM (
  SELECT node, start FROM records WHERE kind = 'interval' AND start IS NOT NULL
  UNION ALL SELECT node, start FROM short WHERE kind = 'interval' AND start IS NOT NULL);
CREATE INDEX days_by_day ON days (day, node);
CREATE INDEX days_empty ON days (day) WHERE body = '';
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
_STEPS = (TABLES, SHORT, _LIMITS, _SIGNATURES, _COMPACT)  # step i leads from i to i + 1


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring a file to the newest layout. Raises ToolError for one from the future."""
    layout = db.execute("PRAGMA user_version").fetchone()[0]
    if not 0 <= layout <= LAYOUT:
        raise ToolError(
            _("{path}: the database has layout {found}, this version reads {known}").format(
                path=path, found=layout, known=LAYOUT
            ),
            _("Install the version of the tools that wrote it, or name another --db."),
        )
    if layout == LAYOUT:
        return
    if layout:
        copy(db, Path(f"{path}.layout{layout}"))
    _step_forward(db)
    if layout:
        for pragma in ("journal_mode = DELETE", f"page_size = {PAGE_BYTES}"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("VACUUM")
        db.execute("PRAGMA journal_mode = WAL")


def _step_forward(db: sqlite3.Connection) -> None:
    """All steps in one transaction. Another process may have done them in the meantime."""
    db.execute("BEGIN IMMEDIATE")
    try:
        layout = db.execute("PRAGMA user_version").fetchone()[0]
        for script in [*_STEPS[layout:], _VIEW]:
            for statement in script.split(";\n"):
                db.execute(statement)
        db.execute(f"PRAGMA user_version = {LAYOUT}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def copy(db: sqlite3.Connection, path: Path) -> None:
    """Copy a database to a new file, consistent while others write. Raises sqlite3.Error."""
    with closing(sqlite3.connect(path)) as other:
        db.backup(other)
