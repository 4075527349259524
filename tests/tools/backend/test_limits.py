"""The quarantine stays within its limits by node, size and age, and counts the rows it drops."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.tools.backend.test_collector import UTC, Backend, backend

from tallypost.backend import limits
from tallypost.backend.listen import describe

__all__ = ("backend",)
ONLINE = b'{"state": "online"}'


def rows(backend: Backend) -> list[tuple[str, bytes, int]]:
    with sqlite3.connect(backend.path) as db:
        return db.execute("SELECT node, payload, times FROM quarantine ORDER BY rowid").fetchall()


def send_garbage(backend: Backend, n: int, utc: float, size: int = 4, node: str = "n1") -> None:
    for i in range(n):
        payload = b"%04d" % i + b"x" * (size - 4)
        backend.collector.on_message(f"tallypost/v1/{node}/counts", payload, utc)


@pytest.fixture
def known(backend: Backend) -> Backend:
    backend.send(ONLINE, "status")
    return backend


def test_the_same_message_is_kept_once_and_counted(known: Backend) -> None:
    for _ in range(5):
        known.send(b"noise")
    assert rows(known) == [("n1", b"noise", 5)]
    known.send(b"other noise")
    assert len(rows(known)) == 2


def test_messages_beyond_the_limit_of_an_hour_are_counted(known: Backend) -> None:
    send_garbage(known, limits.NODE_ROWS_AN_HOUR_MAX + 50, UTC)
    assert known.numbers("quarantine") == [limits.NODE_ROWS_AN_HOUR_MAX]
    assert known.collector.refused.dropped("n1") == 50
    known.send(b"noise", utc=UTC + 3600)
    assert known.numbers("quarantine") == [limits.NODE_ROWS_AN_HOUR_MAX + 1]


def test_what_is_dropped_is_known_after_a_restart(known: Backend) -> None:
    send_garbage(known, limits.NODE_ROWS_AN_HOUR_MAX + 50, UTC)
    known.collector.close()
    again = Backend(known.path)
    assert again.collector.refused.dropped() == again.collector.refused.dropped("n1") == 50


def test_a_node_keeps_its_newest_rows(known: Backend) -> None:
    for hour in range(4):
        for i in range(150):
            known.send(b"%d %d" % (hour, i), utc=UTC + 3600 * hour)
    kept = rows(known)
    assert len(kept) == limits.NODE_ROWS_MAX and kept[-1][1] == b"3 149"
    assert known.collector.refused.dropped("n1") == 100


def test_a_node_keeps_so_many_bytes(known: Backend) -> None:
    n = limits.NODE_BYTES_MAX // limits.KEPT_BYTES_MAX
    send_garbage(known, n + 10, UTC, 60_000)
    assert known.numbers("quarantine") == [n]
    assert sum(len(row[1]) for row in rows(known)) <= limits.NODE_BYTES_MAX
    assert known.collector.refused.dropped("n1") == 10


def test_one_node_does_not_drop_the_rows_of_another(known: Backend) -> None:
    known.collector.on_message("tallypost/v1/n2/status", ONLINE, UTC)
    known.send(b"noise")
    for hour in range(4):
        send_garbage(known, 199, UTC + 3600 * hour, 10 + hour, "n2")
    assert ("n1", b"noise", 1) in rows(known)


def test_names_that_nobody_knows_share_one_limit(known: Backend) -> None:
    for i in range(limits.NODE_ROWS_AN_HOUR_MAX + 30):
        known.collector.on_message(f"tallypost/v1/fake{i}/counts", b"x", UTC)
    assert {row[0] for row in rows(known)} == {""}
    assert known.collector.refused.dropped("") == 30


def test_old_rows_are_dropped(known: Backend) -> None:
    known.send(b"noise")
    known.send(b"noise", utc=UTC + limits.AGE_MAX_S - 10)
    known.send(b"later", utc=UTC + limits.AGE_MAX_S)
    assert len(rows(known)) == 2
    known.send(b"latest", utc=UTC + 2 * limits.AGE_MAX_S)
    assert [row[1] for row in rows(known)] == [b"later", b"latest"]
    assert known.collector.refused.dropped() == 2


@pytest.mark.parametrize("limit", ("ALL_ROWS_MAX", "ALL_BYTES_MAX"))
def test_all_rows_together_have_a_limit(
    known: Backend, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(limits, limit, 40)
    send_garbage(known, 60, UTC, 1 if limit == "ALL_ROWS_MAX" else 4)
    known.send(b"last", utc=UTC + 61)
    kept = rows(known)
    assert kept[-1][1] == b"last" and len(kept) == (40 if limit == "ALL_ROWS_MAX" else 10)


def test_the_file_stays_small_under_a_flood(tmp_path: Path) -> None:
    backend = Backend(tmp_path / "db")
    backend.send(ONLINE, "status")
    for i in range(20_000):
        backend.collector.on_message(
            "tallypost/v1/n1/counts", b"%d" % i + b"x" * 60_000, UTC + i / 100
        )
    assert (tmp_path / "db").stat().st_size < 8_000_000
    assert (tmp_path / "db-wal").stat().st_size < 20_000_000
    assert backend.collector.refused.dropped() > 19_000


def test_a_line_says_how_many_messages_were_dropped_before(known: Backend) -> None:
    found = []
    known.collector.on_message("tallypost/v1/n1/counts", b"x", UTC)
    send_garbage(known, limits.NODE_ROWS_AN_HOUR_MAX + 50, UTC)
    known.collector.close()
    known.collector = type(known.collector)(
        known.path, on_news=lambda kind, node, body: found.append({"what": kind} | body)
    )
    known.send(b"noise", utc=UTC + 7200)
    assert describe(found[-1]).endswith("(51 refused messages before it are not kept)")
