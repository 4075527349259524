"""The collector stores records once, confirms them, and asks for gaps."""

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


class Backend:
    """A collector with its news. `send` gives it a message of node n1."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self.news: list[tuple[str, str]] = []
        self.collector = Collector(path, on_news=lambda kind, node, _: self._note(kind, node))
        self.store = self.collector.store

    def _note(self, kind: str, node: str) -> None:
        self.news.append((kind, node))

    def send(self, payload: bytes, suffix: str = "counts", utc: float = UTC) -> list[Reply]:
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
def backend(tmp_path: Path) -> Backend:
    return Backend(tmp_path / "x.sqlite")


def test_a_message_of_the_firmware_is_stored_and_confirmed(backend: Backend) -> None:
    message = real_counts()
    for number, record in enumerate(message["recs"], 1):
        record["seq"] = number
    assert backend.send(json.dumps(message).encode()) == [ack(2)]
    assert [body for _, body in backend.store.intervals("n1")] == message["recs"]
    assert backend.numbers("records", "quarantine") == [2, 0]


def test_a_record_is_stored_once_and_confirmed_again(backend: Backend) -> None:
    assert backend.send(counts(interval(1))) == [ack(1)]
    assert backend.news == [("interval", "n1")]
    for _ in range(3):
        assert backend.send(counts(interval(1))) == [ack(1)]
        assert backend.news == []
    assert backend.numbers("records", "quarantine", "doubts") == [1, 0, 0]


def test_a_duplicate_with_other_contents_is_quarantined_and_the_first_kept(
    backend: Backend,
) -> None:
    backend.send(counts(interval(1, 4)))
    assert backend.send(counts(interval(1, 5))) == []
    assert backend.news == [("quarantine", "n1")]
    assert backend.send(counts(interval(1, 5), interval(2, 4))) == [ack(2)]
    held = [body["counts"]["forward"]["car"] for _, body in backend.store.intervals("n1")]
    assert held == [4, 4] and backend.numbers("quarantine") == [1]


def test_a_start_that_is_resolved_later_is_stored_once(backend: Backend) -> None:
    early = interval(1, start=None, time={"src": "none", "age": None})
    backend.send(counts(early))
    backend.send(counts(interval(1)))
    backend.send(counts(early))
    [(_, body)] = backend.store.intervals("n1")
    assert body == interval(1) and backend.numbers("quarantine") == [0]


@pytest.mark.parametrize("is_anchor_last", [True, False])
def test_an_anchor_gives_the_intervals_of_its_boot_their_start(
    backend: Backend, is_anchor_last: bool
) -> None:
    early = interval(1, start=None, boot=3, uptime=100)
    other = interval(2, start=None, boot=4, uptime=100)
    anchor = event("anchor", seq=3, boot=3, uptime=1000, utc=int(UTC))
    sent = [("counts", counts(early, other)), ("event", anchor)]
    for suffix, body in sent if is_anchor_last else sent[::-1]:
        backend.send(body, suffix)
    starts = [body["start"] for _, body in backend.store.intervals("n1")]
    assert starts == ["2026-06-01T00:00:00Z", None] and backend.numbers("quarantine") == [0]


@pytest.mark.parametrize("utc", [5, int(UTC) + 10 * 86400])
def test_an_anchor_that_cannot_be_true_dates_nothing(backend: Backend, utc: int) -> None:
    backend.send(event("anchor", seq=2, boot=3, uptime=1000, utc=utc), "event")
    backend.send(counts(interval(1, start=None, boot=3, uptime=100)))
    assert [body["start"] for _, body in backend.store.intervals("n1")] == [None]


def test_a_gap_is_asked_for_and_nothing_is_confirmed_over_it(backend: Backend) -> None:
    assert backend.send(counts(interval(1))) == [ack(1)]
    assert backend.send(counts(interval(5))) == [ack(1), resend(2, 4)]
    assert backend.send(counts(interval(6))) == [ack(1)]
    assert backend.send(counts(interval(3))) == [ack(1)]
    assert backend.send(counts(interval(2))) == [ack(3)]
    assert backend.send(counts(interval(4))) == [ack(6)]


def test_records_may_arrive_in_any_order(backend: Backend) -> None:
    order = [7, 3, 1, 2, 6, 5, 4]
    for seq in order:
        backend.send(counts(interval(seq)))
    assert backend.send(counts(interval(1))) == [ack(7)]
    assert [body["seq"] for _, body in backend.store.intervals("n1")] == sorted(order)
    assert backend.numbers("doubts") == [0]


def test_a_request_without_progress_is_repeated_after_a_while(backend: Backend) -> None:
    backend.send(counts(interval(5)))
    assert backend.send(counts(interval(6)), utc=UTC + 299) == [ack(0)]
    assert backend.send(counts(interval(7)), utc=UTC + 301) == [ack(0), resend(1, 4)]
    assert backend.send(counts(interval(8)), utc=UTC + 302) == [ack(0)]


def test_a_second_gap_is_asked_for_after_the_first(backend: Backend) -> None:
    backend.send(counts(interval(3)))
    backend.send(counts(interval(6)))
    assert backend.send(counts(interval(1), interval(2))) == [ack(3), resend(4, 5)]


def test_records_that_are_gone_are_skipped_and_counted(backend: Backend) -> None:
    backend.send(counts(interval(1)))
    assert backend.send(counts(interval(9))) == [ack(1), resend(2, 8)]
    assert backend.send(gone(2, 5), "event") == [ack(5)]
    assert backend.news == [("gone", "n1")]
    assert backend.send(gone(6, 8), "event") == [ack(9)]
    assert backend.numbers("gone", "records") == [2, 2]
    assert backend.send(gone(6, 8), "event") == [ack(9)]


def test_a_gone_range_ahead_waits_for_the_records_before_it(backend: Backend) -> None:
    assert backend.send(gone(3, 4), "event") == [ack(0)]
    assert backend.send(counts(interval(5))) == [ack(0), resend(1, 4)]
    assert backend.send(counts(interval(1), interval(2))) == [ack(5)]


def test_events_are_numbered_with_the_intervals(backend: Backend) -> None:
    assert backend.send(counts(interval(1))) == [ack(1)]
    assert backend.send(counts(interval(3, total=2))) == [ack(1), resend(2, 2)]
    assert backend.send(event("config", seq=2, key="interval_s"), "event") == [ack(3)]
    assert backend.send(event("config", seq=2, key="interval_s"), "event") == [ack(3)]
    assert backend.numbers("records", "doubts", "quarantine") == [3, 0, 0]


def test_each_log_of_a_node_is_confirmed_separately(backend: Backend) -> None:
    backend.send(counts(interval(1), interval(2)))
    assert backend.send(counts(interval(1, 9), log="11112222")) == [ack(1, "11112222")]
    assert backend.send(counts(interval(3))) == [ack(3)]
    assert backend.numbers("records", "quarantine", "doubts") == [4, 0, 0]
    assert backend.send(counts(interval(3, 9), log="11112222"))[1] == resend(2, 2, "11112222")


@pytest.mark.parametrize(
    ("total", "doubts"), ((7, 0), (8, 1), (6, 1), (0, 1), (5, 1)), ids=lambda value: str(value)
)
def test_totals_that_do_not_continue_are_doubted_but_kept(
    backend: Backend, total: int, doubts: int
) -> None:
    backend.send(counts(interval(1, 5)))
    assert backend.send(counts(interval(2, 2, total=total))) == [ack(2)]
    assert (("doubt", "n1") in backend.news) == bool(doubts)
    assert backend.numbers("doubts", "records", "quarantine") == [doubts, 2, 0]


def test_totals_wrap_at_30_bits(backend: Backend) -> None:
    backend.send(counts(interval(1, total=(1 << 30) - 1)))
    backend.send(counts(interval(2, 3, total=2)))
    assert backend.numbers("doubts") == [0]


def test_totals_are_compared_with_the_next_record_only(backend: Backend) -> None:
    backend.send(counts(interval(1, 5)))
    backend.send(counts(interval(3, 1, total=100)))
    assert backend.numbers("doubts") == [0]


def test_a_node_that_comes_online_gets_its_confirmation(backend: Backend) -> None:
    backend.send(counts(interval(1), interval(2)))
    online = {"state": "online", "version": "1", "log": LOG}
    assert backend.send(json.dumps(online).encode(), "status") == [ack(2)]
    assert backend.news == [("status", "n1")]
    for body in ({"state": "offline"}, online | {"log": "99999999"}, online | {"log": 5}, {}):
        assert backend.send(json.dumps(body).encode(), "status") == []


def test_a_restart_on_the_same_file_continues(backend: Backend) -> None:
    backend.send(counts(interval(1)))
    backend.send(counts(interval(4)))
    backend.collector.close()
    again = Backend(backend.path)
    assert again.send(counts(interval(2))) == [ack(2)]
    assert again.send(counts(interval(2), interval(3))) == [ack(4)]
    assert again.send(counts(interval(1))) == [ack(4)]
    assert again.numbers("records", "quarantine") == [4, 0]


def test_a_confirmed_record_is_on_disk(backend: Backend) -> None:
    backend.send(counts(interval(1, 4)))
    with sqlite3.connect(backend.path) as other:
        rows = other.execute("SELECT n FROM counts WHERE direction = 'forward' AND class = 'car'")
        assert rows.fetchall() == [(4,)]


def test_a_failing_disk_confirms_nothing(backend: Backend) -> None:
    backend.collector.close()
    with pytest.raises(sqlite3.Error):
        backend.send(counts(interval(1)))


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.sqlite") as db:
        db.execute("PRAGMA user_version = 77")
    with pytest.raises(
        ToolError, match="the database has layout 77, this version reads 5. Install"
    ):
        Collector(tmp_path / "x.sqlite")


def test_messages_on_other_topics_are_ignored(backend: Backend) -> None:
    for suffix in ("ack", "cmd", "counts/x", "x", ""):
        assert backend.send(b"anything", suffix) == [] and backend.news == []
    assert backend.numbers("records", "quarantine") == [0, 0]
