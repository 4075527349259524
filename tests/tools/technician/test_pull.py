"""`tallypost pull`: it copies every record once, even over a bad line."""

from __future__ import annotations

import json
import sqlite3
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes import reports
from tests.support.nodes.fake_node import IDENTITY, FakeNode, Stream, run
from tests.support.nodes.node_facts import facts

Body = dict[str, Any]
Capture = pytest.CaptureFixture[str]
LOG_ID = IDENTITY["log"]


def _record(seq: int) -> tuple[str, Body]:
    """An interval, and an event for every fourth number."""
    if seq % 4 == 0:
        return "event", json.loads(reports.event(log=LOG_ID, node="gate-1", seq=seq))
    interval = reports.interval(seq, total=seq - seq // 4)
    return "counts", json.loads(reports.counts(interval, log=LOG_ID, node="gate-1"))


class Log(FakeNode):
    """A node with records up to `newest`. spoils: how often the line of a number is damaged."""

    def __init__(
        self, newest: int, spoils: dict[int, int] | None = None, oldest: int = 1,
        pulled_after: int = 1 << 30,
    ) -> None:  # fmt: skip
        self.newest, self.oldest, self.spoils = newest, oldest, spoils or {}
        self.confirmed = 0
        super().__init__({
            "check": lambda _: facts(ring__newest=self.newest), "records": self._records,
            "confirm": self._confirm,
        }, pulled_after=pulled_after)  # fmt: skip

    def _records(self, body: Body) -> Stream:
        first = body["from"]
        last = min(body["to"], self.newest, first + 7)
        result = {"log": LOG_ID, "from": first, "to": last, "newest": self.newest}
        if first < self.oldest:
            gone = {"v": 1, "node": "gate-1", "log": LOG_ID, "event": "gone", "from": first,
                    "to": self.oldest - 1}  # fmt: skip
            return Stream(result, self._line("event", gone), {"end": True, "next": self.oldest})
        lines = [self._line(*_record(seq), seq) for seq in range(first, last + 1)]
        return Stream(result, *lines, {"end": True, "next": last + 1})

    def _line(self, topic: str, record: Body, seq: int = 0) -> bytes:
        body = json.dumps(record)
        crc = zlib.crc32(body.encode())
        if self.spoils.get(seq, 0) > 0:
            self.spoils[seq] -= 1
            body = body.replace('"v": 1', '"v":  1') if seq % 2 else body[:40]
        return b'{"id":"%%s","topic":"%s","body":%s,"crc":"%08x"}\r\n' % (
            topic.encode(), body.encode(), crc
        )  # fmt: skip

    def _confirm(self, body: Body) -> Body:
        assert body["log"] == LOG_ID
        self.confirmed = body["seq"]
        return {"confirmed": body["seq"]}


def _held(db: Path) -> list[int]:
    with sqlite3.connect(db) as base:
        return [seq for (seq,) in base.execute("SELECT seq FROM records ORDER BY seq")]


def test_pull_copies_every_record_once_and_confirms_none(tmp_path: Path, capsys: Capture) -> None:
    db = tmp_path / "x.sqlite"
    with Log(20) as node:
        status, out, err = run(capsys, "pull", node, "--db", str(db))
        assert (status, err) == (0, "") and _held(db) == list(range(1, 21))
        assert out == (
            f"gate-1: 15 new intervals and 5 new events, from records 1 to 20, stored in {db}"
        )
        assert node.confirmed == 0
        node.newest = 22
        status, out, _ = run(capsys, "pull", node, "--db", str(db), "--json")
        told = json.loads(out)
        assert status == 0 and told["asked"] == [21, 22] and told["missing"] == []
        assert (told["intervals"], told["events"], told["confirmed"]) == (2, 0, None)
        assert run(capsys, "pull", node, "--db", str(db))[0] == 0
        assert [body["from"] for body in node.commands if body["cmd"] == "records"] == [
            1, 9, 17, 21
        ], "records that the database holds are not asked for"  # fmt: skip


def test_pull_with_confirm_confirms_the_records_to_the_node(
    tmp_path: Path, capsys: Capture
) -> None:
    with Log(9) as node:
        status, out, _ = run(capsys, "pull", node, "--db", str(tmp_path / "x"), "--confirm")
        assert status == 0 and node.confirmed == 9 and "up to record 9" in out


def test_pull_asks_again_for_a_record_that_arrives_damaged(
    tmp_path: Path, capsys: Capture
) -> None:
    db = tmp_path / "x"
    with Log(12, spoils={3: 1, 6: 2, 8: 1}) as node:
        assert run(capsys, "pull", node, "--db", str(db))[0] == 0
    assert _held(db) == list(range(1, 13))


def test_pull_gives_up_on_a_record_that_is_always_damaged_and_keeps_the_others(
    tmp_path: Path, capsys: Capture
) -> None:
    db = tmp_path / "x"
    with Log(12, spoils={6: 99}) as node:
        status, _, err = run(capsys, "pull", node, "--db", str(db))
        assert status == 1 and "PORT: record 6 arrived damaged 3 times" in err
        assert _held(db) == [1, 2, 3, 4, 5]
        node.spoils.clear()
        assert run(capsys, "pull", node, "--db", str(db))[0] == 0 and len(_held(db)) == 12


def test_pull_shows_records_that_are_no_longer_on_the_node(
    tmp_path: Path, capsys: Capture
) -> None:
    with Log(12, oldest=9) as node:
        status, out, _ = run(capsys, "pull", node, "--db", str(tmp_path / "x"))
    assert status == 0 and "1 range is no longer on the node" in out


def test_pull_of_a_node_that_is_unplugged_keeps_the_records_that_came(
    tmp_path: Path, capsys: Capture
) -> None:
    db = tmp_path / "x"
    with Log(20, pulled_after=5) as node:  # ping, identity, check, two batches
        status, _, err = run(capsys, "pull", node, "--db", str(db))
        assert status == 1 and "the connection is lost" in err and _held(db) == list(range(1, 17))


@pytest.mark.parametrize("path", ("/gone/x", "@"))
def test_pull_into_a_file_that_cannot_be_opened_is_refused(
    path: str, tmp_path: Path, capsys: Capture
) -> None:
    with Log(1) as node:
        status, _, err = run(capsys, "pull", node, "--db", path.replace("@", str(tmp_path)))
    assert status == 1 and "ame another file with --db" in err


def test_pull_of_a_board_without_identity_is_refused(tmp_path: Path, capsys: Capture) -> None:
    with FakeNode({"identity": {**IDENTITY, "node": ""}}) as node:
        status, _, err = run(capsys, "pull", node, "--db", str(tmp_path / "x"))
    assert status == 1 and "not provisioned" in err
