"""Faults that a store and its collectors outlive: each record is stored once, and none is lost."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes.reports import LOG, ROOT, counts, gone, interval
from tests.support.runs.postgres import Server, programs, server
from tests.tools.backend.test_collector import UTC, Backend, Reply, ack, backend, resend

from tallypost.backend.collector import Collector, Message
from tallypost.backend.inbox import Inbox
from tallypost.backend.stores import logs, sqlite
from tallypost.backend.stores.reading import open_reader
from tallypost.faults import ToolError

__all__ = ("backend",)
NODES, RECORDS, KILLS = 8, 60, 5
_FEED = """
import json, sys
from tests.tools.stores.test_faults import messages
from tallypost.backend.collector import Collector, Message
collector = Collector(sys.argv[1])
for batch in messages(int(sys.argv[2])):
    for topic, payload, *_ in collector.on_messages(batch):
        if topic.endswith("/ack"):
            print(topic.split("/")[2], json.loads(payload)["seq"], flush=True)
"""


def messages(seed: int) -> list[list[Message]]:
    """All records of all nodes, in batches of any size. Neighbours are not in order."""
    rng = random.Random(seed)
    found = []
    for seq in range(1, RECORDS, 3):
        for node in range(NODES):
            name = f"n{node}"
            records = [interval(seq + i, start=_start(seq + i)) for i in range(3)]
            payload = counts(*records, node=name, log=f"{node:08x}")
            found.append(Message(f"tallypost/v1/{name}/counts", payload, UTC))
    for i in range(0, len(found), 5):
        part = found[i : i + 5]
        rng.shuffle(part)
        found[i : i + 5] = part
    batches = []
    while found:
        n = rng.randint(1, 9)
        batches.append(found[:n])
        del found[:n]
    return batches


def _start(seq: int) -> str:
    return f"2026-06-{1 + seq // 96:02d}T{seq // 4 % 24:02d}:{seq % 4 * 15:02d}:00Z"


def feed(address: Path | str, seed: int) -> subprocess.Popen[str]:
    environ = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tools'}"}
    return subprocess.Popen(
        [sys.executable, "-c", _FEED, str(address), str(seed)], stdout=subprocess.PIPE,
        text=True, env=environ, cwd=ROOT,
    )  # fmt: skip


def held_once(address: Path | str) -> bool:
    """Whether each node has each record once."""
    with open_reader(address) as reader:
        logs = {node.node: node.logs for node in reader.nodes()}
        rows = {name: [one.last for one in reader.intervals(name)] for name in logs}
    assert len(logs) == NODES
    expected = list(range(1, RECORDS + 1))
    return all(row == expected for row in rows.values())


@pytest.mark.parametrize("collectors", (1, 2))
def test_a_collector_that_is_killed_loses_and_doubles_nothing(
    address: Path | str, collectors: int
) -> None:
    rng = random.Random(collectors)
    confirmed: dict[str, int] = {}
    for _kill in range(KILLS):
        running = [feed(address, rng.randrange(1000)) for _ in range(collectors)]
        for process in running:
            assert process.stdout
            process.stdout.readline()  # it is in the middle of its work
        time.sleep(rng.random() / 10)
        for process in running:
            process.kill()
            out, _err = process.communicate()
            for node, seq in (line.split() for line in out.splitlines() if line.count(" ") == 1):
                confirmed[node] = max(confirmed.get(node, 0), int(seq))
        if confirmed:
            with open_reader(address) as reader:
                for node in reader.nodes():
                    assert next(iter(node.logs.values())) >= confirmed.get(node.node, 0)
    last = [feed(address, 1) for _ in range(collectors)]
    assert [process.communicate()[1] for process in last] and held_once(address)
    collector = Collector(address)
    assert collector.store.count_rows("quarantine") == 0
    collector.close()


def test_two_collectors_at_once_store_each_record_once(address: Path | str) -> None:
    running = [feed(address, seed) for seed in (1, 2)]
    assert [process.wait() for process in running if process.communicate()] == [0, 0]
    assert held_once(address)


def test_a_collector_waits_for_a_locked_file(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.1)
    collector = Collector(backend.path)
    inbox = Inbox(collector)
    inbox.add(7, 1, Message("tallypost/v1/n1/counts", counts(interval(1)), UTC))
    with closing(sqlite3.connect(backend.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert inbox.store() == ([], []) and inbox.is_store_away
    stored, answers = inbox.store()
    assert stored == [(7, 1)] and len(answers) == 1 and not inbox.is_store_away
    collector.close()


def test_a_full_disk_is_waited_for(backend: Backend) -> None:
    inbox = Inbox(backend.collector)
    database = backend.store.database
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    for node in range(40):
        payload = counts(*(interval(seq) for seq in range(1, 9)), node=f"n{node}")
        inbox.add(node, 1, Message(f"tallypost/v1/n{node}/counts", payload, UTC))
    assert inbox.store() == ([], []) and inbox.is_store_away
    assert backend.numbers("records") == [0]
    database.execute("PRAGMA max_page_count = 100000")
    assert len(inbox.store()[0]) == 40 and backend.numbers("records") == [320]


def test_a_broken_file_ends_the_collector(backend: Backend) -> None:
    inbox = Inbox(backend.collector)
    backend.store.database.execute("DROP TABLE days")
    inbox.add(1, 1, Message("tallypost/v1/n1/counts", counts(interval(1)), UTC))
    with pytest.raises(ToolError, match="the database failed: no such table"):
        inbox.store()


@pytest.fixture
def durable() -> Iterator[Server]:
    """A server whose commits survive its end."""
    if not programs():
        pytest.skip("no PostgreSQL server is installed: apt install postgresql")
    with server(is_durable=True) as running:
        yield running


def test_a_server_that_ends_is_waited_for(durable: Server) -> None:
    collector = Collector(durable.url("city"))
    inbox = Inbox(collector)
    for seq, fault in ((1, "crash"), (2, "connection"), (3, "")):
        inbox.add(seq, 1, Message("tallypost/v1/n1/counts", counts(interval(seq)), UTC))
        if fault == "crash":
            durable.stop(signal.SIGKILL)
            assert inbox.store() == ([], []) and inbox.is_store_away
            durable.start()
        elif fault:
            with closing(durable.connect("postgres")) as db:
                db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                           " WHERE application_name = 'tallypost'")  # fmt: skip
        until = time.monotonic() + 30
        while not inbox.store()[0] and time.monotonic() < until:
            time.sleep(0.2)
    assert collector.store.confirmed(("n1", LOG)) == 3
    assert collector.store.count_rows("records") == 3
    collector.close()


# --- a node that is far ahead


class Node:
    """Answers requests as the firmware does: at most 20,001 records in one, and eight waiting."""

    def __init__(self, first: int, newest: int) -> None:
        self.first, self.newest = first, newest

    def resend(self, first: int, last: int) -> list[tuple[bytes, str]]:
        assert 1 <= first <= last <= self.newest and last - first <= 20_000, "no range"
        found = []
        if first < self.first:
            found.append((gone(first, min(last, self.first - 1)), "event"))
        for seq in range(max(first, self.first), last + 1, 60):
            records = [_empty(one) for one in range(seq, min(seq + 60, last + 1))]
            found.append((counts(*records), "counts"))
        return found


def _empty(seq: int) -> dict[str, Any]:
    return interval(seq, 0, start=None, boot=2)


def test_a_new_database_gets_all_that_a_node_far_ahead_still_has(backend: Backend) -> None:
    node = Node(first=30_001, newest=50_000)
    answers: list[Reply] = backend.send(counts(_empty(node.newest)))
    asked = []
    for _round in range(10):
        commands = [body for topic, body in answers if topic == "cmd"]
        if not commands:
            break
        [command] = commands
        asked.append((command["from"], command["to"]))
        for payload, suffix in node.resend(command["from"], command["to"]):
            answers = backend.send(payload, suffix, UTC + 400 * len(asked))
    assert asked == [(1, 20_000), (20_001, 40_000), (40_001, 49_999)]
    assert answers == [ack(50_000)] and backend.numbers("records") == [20_000]


def test_a_restored_database_asks_for_what_it_lost(backend: Backend, tmp_path: Path) -> None:
    backend.send(counts(interval(1), interval(2)))
    old = tmp_path / "old"
    with closing(sqlite3.connect(backend.path)) as db, closing(sqlite3.connect(old)) as copy:
        db.backup(copy)
    backend.send(counts(interval(3), interval(4)))
    restored = Backend(old)
    assert restored.send(counts(interval(5))) == [ack(2), resend(3, 4)]
    assert restored.send(counts(interval(3), interval(4))) == [ack(5)]


def test_of_several_collectors_a_gap_is_asked_for_after_a_while(url: str) -> None:
    shared = Backend(url)
    assert shared.send(counts(interval(3))) == [ack(0)], "another one may have 1 and 2"
    assert shared.send(counts(interval(4)), utc=UTC + logs.GAP_OPEN_S - 1) == [ack(0)]
    later = UTC + logs.GAP_OPEN_S + 1
    assert shared.send(counts(interval(5)), utc=later) == [ack(0), resend(1, 2)]
    assert shared.send(counts(interval(6)), utc=later + 9) == [ack(0)]
    shared.collector.close()
