"""A claim that records are gone counts up to the newest known one, and can be refuted."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.support.nodes.reports import LOG, counts, event, gone, interval
from tests.tools.backend.test_collector import Backend, ack, backend, resend

from tallypost.backend import limits
from tallypost.backend.stores import migrations
from tallypost.backend.stores.store import Store

__all__ = ("backend",)
KEY = "n1", LOG
FAR = 900_000


def test_a_claim_beyond_the_newest_record_confirms_nothing(backend: Backend) -> None:
    backend.send(counts(interval(1)))
    assert backend.send(gone(1, FAR), "event") == [ack(1)]
    assert backend.send(gone(2, FAR), "event") == [ack(1)]


def test_a_claim_to_the_end_of_the_log_counts_with_the_next_record(backend: Backend) -> None:
    backend.send(counts(interval(1)))
    assert backend.send(gone(2, 4), "event") == [ack(1)]
    assert backend.send(counts(interval(5))) == [ack(5)]
    assert backend.numbers("doubts") == [0]


def test_a_record_refutes_the_claim_that_it_is_gone(backend: Backend) -> None:
    backend.send(counts(interval(1)))
    backend.send(gone(2, FAR), "event")
    assert backend.send(counts(interval(2))) == [ack(2)]
    assert ("corrected", "n1") in backend.news
    assert backend.numbers("gone", "doubts") == [0, 1]
    assert backend.send(counts(interval(5))) == [ack(2), resend(3, 4)]


def test_a_confirmed_number_goes_back_when_its_claim_is_refuted(backend: Backend) -> None:
    backend.send(counts(interval(1), interval(9)))
    assert backend.send(gone(2, 8), "event") == [ack(9)]
    assert backend.send(counts(interval(3))) == [ack(1), resend(2, 2)]
    assert backend.send(counts(interval(2))) == [ack(3), resend(4, 8)]
    assert backend.send(gone(4, 8), "event") == [ack(9)]


def test_an_event_refutes_a_claim_too(backend: Backend) -> None:
    backend.send(counts(interval(1), interval(4)))
    assert backend.send(gone(2, 3), "event") == [ack(4)]
    assert backend.send(event("config", seq=3), "event") == [ack(1), resend(2, 2)]


def test_other_logs_keep_their_claims(backend: Backend) -> None:
    backend.send(gone(1, 8), "event")
    backend.send(counts(interval(2), log="11112222"))
    assert backend.numbers("gone", "doubts") == [1, 0]


def test_claims_of_a_log_are_bounded(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(1, limits.CLAIMS_MAX + 1):
        backend.collector.on_message("tallypost/v1/n1/event", gone(2 * n, 2 * n), 1.8e9 + n)
    assert backend.numbers("gone") == [limits.CLAIMS_MAX]
    assert backend.send(gone(1, 1), "event", utc=1.9e9) == []
    assert backend.send(gone(2, 3), "event", utc=1.9e9) == [ack(0)]


def poisoned(path: Path) -> Path:
    """A file of layout 2 after a claim for all numbers there are."""
    with sqlite3.connect(path) as db:
        db.executescript(
            f"BEGIN; {migrations.TABLES}{migrations.SHORT} PRAGMA user_version = 2; COMMIT;"
        )
        db.execute("INSERT INTO logs VALUES (?, ?, ?, 0, 0, 0)", (*KEY, 2**32 - 1))
        db.execute("INSERT INTO gone VALUES (?, ?, 1, ?)", (*KEY, 2**32 - 1))
        db.execute("INSERT INTO quarantine VALUES ('2026-01-01T00:00:00Z', 't', x'00', 'why')")
    db.close()
    return path


def test_a_number_that_was_confirmed_by_a_false_claim_is_repaired(tmp_path: Path) -> None:
    backend = Backend(poisoned(tmp_path / "db"))
    online = b'{"state": "online", "log": "%s"}' % LOG.encode()
    assert backend.send(online, "status") == [ack(0)]
    assert backend.news == [("status", "n1"), ("corrected", "n1")]
    assert backend.send(counts(interval(4))) == [ack(0), resend(1, 3)]
    assert backend.numbers("doubts", "gone") == [1, 0]


def test_a_record_repairs_a_poisoned_number_as_well(tmp_path: Path) -> None:
    backend = Backend(poisoned(tmp_path / "db"))
    assert backend.send(counts(interval(4))) == [ack(0), resend(1, 3)]
    assert ("corrected", "n1") in backend.news


def test_a_node_that_reports_a_lower_newest_number_corrects_the_backend(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    with store.transaction():
        state = store.load_log(KEY)
        store.note_newest(KEY, state, 50)
        store.note_gone(KEY, state, 1, 40)
        store.advance(KEY, state)
        assert state.confirmed == 40
        store.save_log(KEY, state)
        state = store.load_log(KEY)
        assert store.note_newest(KEY, state, 30) == [(1, 40)]
        store.advance(KEY, state)
        assert state.confirmed == 0
    store.close()


@pytest.mark.parametrize("version", (0, 1, 2))
def test_a_file_of_each_older_layout_is_migrated(tmp_path: Path, version: int) -> None:
    path = tmp_path / "db"
    if version:
        steps = migrations.TABLES + (migrations.SHORT if version == 2 else "")
        with sqlite3.connect(path) as db:
            db.executescript(f"BEGIN; {steps} PRAGMA user_version = {version}; COMMIT;")
            db.execute("INSERT INTO logs VALUES (?, ?, 0, 0, 0, 0)", KEY)
            db.execute("INSERT INTO quarantine VALUES ('2026-01-01T00:00:00Z', 't', x'00', 'w')")
        db.close()
    backend = Backend(path)
    assert backend.send(counts(interval(1))) == [ack(1)]
    assert backend.numbers("records", "quarantine") == [1, 1 if version else 0]
    backend.collector.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (migrations.LAYOUT,)
        assert db.execute("SELECT last FROM quarantine").fetchall() == (
            [("2026-01-01T00:00:00Z",)] if version else []
        )
    db.close()
