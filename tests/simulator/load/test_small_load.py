"""Small runs of `make load` at a real mosquitto, with the generated files and `listen`.

The files of the broker need the user `mosquitto` if the test runs as root.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from simulator.load import stored
from simulator.load.__main__ import main

KEYS = (
    "records", "stored", "lost", "doubled", "repeats", "ack_p50_s", "ack_p99_s", "records_per_s",
)  # fmt: skip


@pytest.fixture(autouse=True)
def broker_there() -> None:
    if not shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin"):
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    if os.getuid() == 0 and "mosquitto" not in [user.pw_name for user in pwd.getpwall()]:
        pytest.skip("this machine has no user mosquitto (Debian package mosquitto)")


def load(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    path = folder / "result.json"
    status = main([*options, "--json", str(path)])
    return status, json.loads(path.read_text())


def test_every_record_is_stored_once(tmp_path: Path) -> None:
    status, found = load(tmp_path, "--nodes", "20", "--backlog", "24")
    assert tuple(found)[: len(KEYS)] == KEYS
    assert (status, found["records"], found["stored"]) == (0, 480, 480)
    assert (found["lost"], found["doubled"], found["repeats"]) == (0, 0, 0)
    assert 0 < found["ack_p50_s"] <= found["ack_p99_s"] < 60 and found["records_per_s"] > 0


def test_intervals_closed_together_over_tls_are_confirmed(tmp_path: Path) -> None:
    options = ("--nodes", "20", "--backlog", "0", "--intervals", "2", "--period", "2", "--tls")
    status, found = load(tmp_path, *options)
    assert (status, found["stored"], found["lost"]) == (0, 40, 0)
    assert found["connects"] == 20 and found["dropped"] == 0


def test_an_outage_and_a_killed_collector_lose_nothing(tmp_path: Path) -> None:
    options = ("--nodes", "10", "--backlog", "60", "--outage", "2", "--kills", "1")
    status, found = load(tmp_path, *options)
    assert (status, found["stored"], found["doubled"]) == (0, 600, 0)
    assert found["connects"] > 10, "the nodes have connected again"


def test_nodes_beside_hostile_ones_are_confirmed(tmp_path: Path) -> None:
    options = ("--nodes", "10", "--backlog", "24", "--hostile", "1", "--flood", "1")
    status, found = load(tmp_path, *options, "--rate", "20")
    assert (status, found["stored"], found["lost"]) == (0, 240, 0)
    assert found["hostile_messages"] > 5


def test_records_that_are_missing_or_doubled_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "counts.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE records (node, log, seq, kind)")
        rows = [("a", "12340001", 1), ("a", "12340001", 1), ("a", "12340001", 2), ("b", "99", 1)]
        db.executemany("INSERT INTO records VALUES (?, ?, ?, 'interval')", rows)
    assert stored.count(str(path), "1234") == stored.Stored(3, 2)
    with pytest.raises(RuntimeError, match="nothing.sqlite"):
        stored.count(str(tmp_path / "nothing.sqlite"), "1234")


def test_a_run_that_cannot_begin_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--nodes", "65535", "--backlog", "1", "--broker", "nowhere.invalid:1"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("make load: ") and said.count("\n") == 1
