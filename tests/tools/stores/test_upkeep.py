"""`tallypost store`: copies, moves and cleans a store, and handles refused messages again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes.reports import LOG, counts, event, gone, interval
from tests.tools.backend.test_collector import UTC, Backend, ack, backend

from tallypost.backend.stores.reading import open_reader
from tallypost.backend.stores.store import Store
from tallypost.backend.upkeep import move as moving
from tallypost.cli import main

__all__ = ("backend",)
Capture = pytest.CaptureFixture[str]


def store(capsys: Capture, *words: str) -> dict[str, Any]:
    assert main(["store", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def fill(backend: Backend) -> None:
    backend.send(json.dumps({"state": "online", "version": "1"}).encode(), "status")
    backend.send(counts(interval(1), interval(2), interval(5)))
    backend.send(event("config", seq=3), "event")
    backend.send(gone(9, 9), "event")
    backend.send(counts(interval(6, total=0)))
    backend.send(b"noise")


def contents(address: Path | str) -> tuple[Any, ...]:
    with open_reader(address) as reader:
        return reader.nodes(), list(reader.intervals("n1")), reader.days("n1")


def test_a_backup_becomes_a_store_again(backend: Backend, capsys: Capture) -> None:
    fill(backend)
    copy, other = backend.path.with_name("copy"), backend.path.with_name("other")
    store(capsys, "backup", "--db", str(backend.path), "--to", str(copy))
    assert contents(copy) == contents(backend.path)
    store(capsys, "restore", "--db", str(other), "--from", str(copy))
    again = Backend(other)
    assert again.send(counts(interval(4, 1, 3))) == [ack(6)]
    for words in (["backup", "--to", str(copy)], ["restore", "--from", str(copy)]):
        assert main(["store", *words, "--db", str(backend.path)]) == 1
        assert "exists already" in capsys.readouterr().err


def test_a_store_moves_to_postgresql_and_back(backend: Backend, url: str, capsys: Capture) -> None:
    fill(backend)
    assert store(capsys, "move", "--db", str(backend.path), "--to", url)["records"] == 5
    assert contents(url) == contents(backend.path)
    there = Backend(url)
    assert there.send(counts(interval(4, 1, 3)))[0] == ack(6)
    assert there.numbers("quarantine", "gone", "doubts") == backend.numbers(
        "quarantine", "gone", "doubts"
    )
    there.collector.close()
    back = backend.path.with_name("back")
    store(capsys, "backup", "--db", url, "--to", str(back))
    assert contents(back) == contents(url)


def test_a_move_goes_on_where_it_was_interrupted(
    backend: Backend, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(backend)
    monkeypatch.setattr(moving, "_CHUNK", 2)

    def stop(_n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        moving.move(backend.path, url, stop)
    seen: list[int] = []
    assert moving.move(backend.path, url, seen.append) == 5
    assert seen == [2, 3], "the first two records are not copied again"
    assert contents(url) == contents(backend.path)


def test_old_records_are_deleted_and_their_sums_are_kept(
    address: Path | str, capsys: Capture
) -> None:
    backend = Backend(address)
    old = [interval(seq, start=f"2026-06-01T{seq:02d}:00:00Z") for seq in (1, 2)]
    new = [interval(3, start="2099-06-01T00:00:00Z"), interval(9, start="2026-06-01T09:00:00Z")]
    backend.send(counts(*old, *new), utc=4_084_000_000.0)
    before = contents(address)[2]
    found = store(capsys, "prune", "--db", str(address), "--keep-days", "30")
    assert found["deleted"] == 2, "the one behind the gap is still needed"
    assert contents(address)[2] == before
    backend.collector.close()
    again = Backend(address)
    late = [interval(seq, start="2026-06-01T05:00:00Z") for seq in range(4, 9)]
    assert again.send(counts(*late), utc=4_084_000_000.0) == [ack(9)]
    assert contents(address)[2]["2026-06-01"] == before["2026-06-01"]
    again.collector.close()


def test_space_is_given_back(backend: Backend, capsys: Capture) -> None:
    for first in range(1, 3000, 60):
        backend.send(counts(*(interval(seq) for seq in range(first, first + 60))))
    with closing(sqlite3.connect(backend.path)) as db, db:
        db.execute("DELETE FROM records")
    before = backend.store.database.size_bytes()
    assert store(capsys, "vacuum", "--db", str(backend.path))["bytes"] < before / 4


def test_a_refused_message_is_shown_and_handled_again(backend: Backend, capsys: Capture) -> None:
    backend.send(counts(interval(1), interval(2, total=2) | {"det": "new_word"}))
    db = ("--db", str(backend.path))
    [one] = store(capsys, "quarantine", "list", *db)["refused"]
    number = str(one["id"])
    shown = store(capsys, "quarantine", "show", *db, "--id", number)
    assert "new_word" in shown["payload"] and "$.det" in shown["reason"]
    assert main(["store", "quarantine", "release", *db, "--id", number]) == 1
    assert "is refused again: $.det" in capsys.readouterr().err
    with closing(sqlite3.connect(backend.path)) as held, held:
        held.execute(
            "UPDATE quarantine SET payload = CAST(replace(payload, 'new_word', 'ok') AS BLOB)"
        )
    store(capsys, "quarantine", "release", *db, "--id", number)
    assert store(capsys, "quarantine", "list", *db)["refused"] == []
    assert backend.send(counts(interval(3))) == [ack(3)]


def test_a_record_with_a_wrong_mac_is_not_released_without_the_keys(
    backend: Backend, capsys: Capture
) -> None:
    with backend.store.transaction():
        reason = "the MAC is wrong: the node did not write this record"
        backend.collector.refused.keep("n1", "tallypost/v1/n1/counts", b"{}", UTC, reason)
    words = ["store", "quarantine", "release", "--db", str(backend.path), "--id", "1"]
    assert main(words) == 1 and "--mac-keys" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "error", "status"),
    (
        (["backup"], "backup needs --to", 2), (["prune"], "prune needs --keep-days", 2),
        (["vacuum", "--db", "none"], "none: no such file", 1),
        (["quarantine", "show", "--id", "7"], "there is no refused message 7", 1),
        (["prune", "--keep-days", "0"], "at least 1", 2),
        (["move", "--to", "postgresql://x@127.0.0.1:1/y"], "cannot be used", 1),
    ),
)  # fmt: skip
def test_a_wrong_command_ends_in_one_line(
    backend: Backend, words: list[str], error: str, status: int, capsys: Capture
) -> None:
    db = [] if "--db" in words else ["--db", str(backend.path)]
    assert main(["store", *words, *db]) == status
    err = capsys.readouterr().err
    assert error in err and err.count("\n") == 1


def test_an_older_file_is_copied_and_then_migrated(tmp_path: Path) -> None:
    backend = Backend(tmp_path / "db")
    fill(backend)
    backend.collector.close()
    path = tmp_path / "old"
    _as_layout_4(tmp_path / "db", path)
    before = path.read_bytes()
    store = Store(path)
    assert [body["seq"] for _, body in store.intervals("n1")] == [1, 2, 5, 6]
    assert store.newest(("n1", LOG)) == 6
    store.close()
    assert contents(path) == contents(tmp_path / "db")
    copy = tmp_path / "old.layout4"
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (4,)
        assert db.execute("SELECT count(*) FROM records").fetchone() == (5,)
    assert len(before) <= copy.stat().st_size


def _as_layout_4(source: Path, target: Path) -> None:
    """A file of layout 4 with the contents of a newer one."""
    from tallypost.backend.stores import migrations

    with closing(sqlite3.connect(target)) as db:
        for step in migrations._STEPS[:4]:
            db.executescript(step)
        db.execute("ATTACH ? AS new", (str(source),))
        for table in ("records", "gone", "logs", "nodes", "doubts", "quarantine"):
            columns = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
            names = ", ".join(columns)
            db.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM new.{table}")
        db.execute("PRAGMA user_version = 4")
        db.commit()
