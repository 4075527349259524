"""The backend: what it stores, what it confirms, what it asks for again."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes.reports import LOG, TOPIC, counts, event, gone, interval, real_counts

from tallypost.backend.collector import Collector
from tallypost.faults import ToolError

UTC = 1_780_272_900.0
Reply = tuple[str, dict[str, Any]]


class Office:
    """A collector with its news, and a short way to talk to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.news: list[tuple[str, str]] = []
        self.collector = Collector(path, on_news=lambda kind, node, _: self._note(kind, node))
        self.store = self.collector.store

    def _note(self, kind: str, node: str) -> None:
        self.news.append((kind, node))

    def take(self, payload: bytes, suffix: str = "counts", utc: float = UTC) -> list[Reply]:
        self.news.clear()
        found = []
        for topic, data, qos, retain in self.collector.on_message(
            f"{TOPIC}/{suffix}", payload, utc
        ):
            assert topic.startswith(TOPIC + "/") and (qos, retain) == (1, False)
            found.append((topic.removeprefix(TOPIC + "/"), json.loads(data)))
        return found

    def numbers(self, *tables: str) -> list[int]:
        return [self.store.count_rows(table) for table in tables]


def ack(seq: int, log: str = LOG) -> Reply:
    return "ack", {"v": 1, "log": log, "seq": seq}


def resend(first: int, last: int, log: str = LOG) -> Reply:
    return "cmd", {"id": f"{log}-{first}", "cmd": "resend", "from": first, "to": last}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "x.sqlite")


def test_what_the_firmware_writes_is_stored_and_confirmed(office: Office) -> None:
    message = real_counts()
    for number, record in enumerate(message["recs"], 1):
        record["seq"] = number
    assert office.take(json.dumps(message).encode()) == [ack(2)]
    assert [body for _, body in office.store.intervals("n1")] == message["recs"]
    assert office.numbers("records", "quarantine") == [2, 0]


def test_a_record_is_stored_once_and_confirmed_again(office: Office) -> None:
    assert office.take(counts(interval(1))) == [ack(1)]
    assert office.news == [("interval", "n1")]
    for _ in range(3):
        assert office.take(counts(interval(1))) == [ack(1)]
        assert office.news == []
    assert office.numbers("records", "quarantine", "doubts") == [1, 0, 0]


def test_a_duplicate_with_other_contents_is_quarantined_and_the_first_kept(
    office: Office,
) -> None:
    office.take(counts(interval(1, 4)))
    assert office.take(counts(interval(1, 5), interval(2, 5))) == []
    assert office.news == [("quarantine", "n1")]
    held = [body["counts"]["forward"]["car"] for _, body in office.store.intervals("n1")]
    assert held == [4] and office.numbers("quarantine") == [1]


def test_a_start_that_is_resolved_later_is_taken_over_once(office: Office) -> None:
    early = interval(1, start=None, time={"src": "none", "age": None})
    office.take(counts(early))
    office.take(counts(interval(1)))
    office.take(counts(early))
    [(_, body)] = office.store.intervals("n1")
    assert body == interval(1) and office.numbers("quarantine") == [0]


def test_a_gap_is_asked_for_and_nothing_is_confirmed_over_it(office: Office) -> None:
    assert office.take(counts(interval(1))) == [ack(1)]
    assert office.take(counts(interval(5))) == [ack(1), resend(2, 4)]
    assert office.take(counts(interval(6))) == [ack(1)]
    assert office.take(counts(interval(3))) == [ack(1)]
    assert office.take(counts(interval(2))) == [ack(3)]
    assert office.take(counts(interval(4))) == [ack(6)]


def test_order_does_not_matter(office: Office) -> None:
    order = [7, 3, 1, 2, 6, 5, 4]
    for seq in order:
        office.take(counts(interval(seq)))
    assert office.take(counts(interval(1))) == [ack(7)]
    assert [body["seq"] for _, body in office.store.intervals("n1")] == sorted(order)
    assert office.numbers("doubts") == [0]


def test_a_request_is_repeated_when_nothing_comes_for_a_while(office: Office) -> None:
    office.take(counts(interval(5)))
    assert office.take(counts(interval(6)), utc=UTC + 299) == [ack(0)]
    assert office.take(counts(interval(7)), utc=UTC + 301) == [ack(0), resend(1, 4)]
    assert office.take(counts(interval(8)), utc=UTC + 302) == [ack(0)]


def test_a_second_gap_is_asked_for_after_the_first(office: Office) -> None:
    office.take(counts(interval(3)))
    office.take(counts(interval(6)))
    assert office.take(counts(interval(1), interval(2))) == [ack(3), resend(4, 5)]


def test_what_is_gone_is_passed_over_and_counted(office: Office) -> None:
    office.take(counts(interval(1)))
    assert office.take(counts(interval(9))) == [ack(1), resend(2, 8)]
    assert office.take(gone(2, 5), "event") == [ack(5)]
    assert office.news == [("gone", "n1")]
    assert office.take(gone(6, 8), "event") == [ack(9)]
    assert office.numbers("gone", "records") == [2, 2]
    assert office.take(gone(6, 8), "event") == [ack(9)]


def test_a_gone_range_ahead_waits_for_what_lies_before(office: Office) -> None:
    assert office.take(gone(3, 4), "event") == [ack(0)]
    assert office.take(counts(interval(5))) == [ack(0), resend(1, 4)]
    assert office.take(counts(interval(1), interval(2))) == [ack(5)]


def test_events_are_numbered_with_the_intervals(office: Office) -> None:
    assert office.take(counts(interval(1))) == [ack(1)]
    assert office.take(counts(interval(3, total=2))) == [ack(1), resend(2, 2)]
    assert office.take(event("config", seq=2, key="interval_s"), "event") == [ack(3)]
    assert office.take(event("config", seq=2, key="interval_s"), "event") == [ack(3)]
    assert office.numbers("records", "doubts", "quarantine") == [3, 0, 0]


def test_another_log_is_confirmed_for_itself(office: Office) -> None:
    office.take(counts(interval(1), interval(2)))
    assert office.take(counts(interval(1, 9), log="11112222")) == [ack(1, "11112222")]
    assert office.take(counts(interval(3))) == [ack(3)]
    assert office.numbers("records", "quarantine", "doubts") == [4, 0, 0]
    assert office.take(counts(interval(3, 9), log="11112222"))[1] == resend(2, 2, "11112222")


@pytest.mark.parametrize(
    ("total", "doubts"), ((7, 0), (8, 1), (6, 1), (0, 1), (5, 1)), ids=lambda value: str(value)
)
def test_totals_that_do_not_go_on_are_doubted_but_kept(
    office: Office, total: int, doubts: int
) -> None:
    office.take(counts(interval(1, 5)))
    assert office.take(counts(interval(2, 2, total=total))) == [ack(2)]
    assert (("doubt", "n1") in office.news) == bool(doubts)
    assert office.numbers("doubts", "records", "quarantine") == [doubts, 2, 0]


def test_totals_wrap_at_30_bits(office: Office) -> None:
    office.take(counts(interval(1, total=(1 << 30) - 1)))
    office.take(counts(interval(2, 3, total=2)))
    assert office.numbers("doubts") == [0]


def test_totals_are_not_held_against_what_is_not_next_to_them(office: Office) -> None:
    office.take(counts(interval(1, 5)))
    office.take(counts(interval(3, 1, total=100)))
    assert office.numbers("doubts") == [0]


def test_a_node_that_comes_online_is_told_how_far_it_is_confirmed(office: Office) -> None:
    office.take(counts(interval(1), interval(2)))
    online = {"state": "online", "version": "1", "log": LOG}
    assert office.take(json.dumps(online).encode(), "status") == [ack(2)]
    assert office.news == [("status", "n1")]
    for body in ({"state": "offline"}, online | {"log": "99999999"}, online | {"log": 5}, {}):
        assert office.take(json.dumps(body).encode(), "status") == []


def test_a_restart_on_the_same_file_goes_on(office: Office) -> None:
    office.take(counts(interval(1)))
    office.take(counts(interval(4)))
    office.collector.close()
    again = Office(office.path)
    assert again.take(counts(interval(2))) == [ack(2)]
    assert again.take(counts(interval(2), interval(3))) == [ack(4)]
    assert again.take(counts(interval(1))) == [ack(4)]
    assert again.numbers("records", "quarantine") == [4, 0]


def test_what_is_confirmed_is_on_disk(office: Office) -> None:
    office.take(counts(interval(1, 4)))
    with sqlite3.connect(office.path) as other:
        rows = other.execute("SELECT n FROM counts WHERE direction = 'forward' AND class = 'car'")
        assert rows.fetchall() == [(4,)]


def test_a_failing_disk_confirms_nothing(office: Office) -> None:
    office.collector.close()
    with pytest.raises(sqlite3.Error):
        office.take(counts(interval(1)))


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.sqlite") as db:
        db.execute("PRAGMA user_version = 77")
    with pytest.raises(ToolError, match="layout 77, this version knows 2"):
        Collector(tmp_path / "x.sqlite")


def test_other_topics_are_left_alone(office: Office) -> None:
    for suffix in ("health", "ack", "cmd", "counts/x", ""):
        assert office.take(b"anything", suffix) == [] and office.news == []
    assert office.numbers("records", "quarantine") == [0, 0]
