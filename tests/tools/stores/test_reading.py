"""The read interface of the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.nodes.reports import LOG, counts, interval
from tests.tools.backend.test_collector import Backend, backend

from tallypost.backend.lorawan.collector import ShortStore
from tallypost.backend.stores.reading import open_reader
from tallypost.faults import ToolError

__all__ = ("backend",)


def test_nodes_are_listed_with_their_status_and_their_logs(backend: Backend) -> None:
    backend.send(json.dumps({"state": "online", "version": "1.2"}).encode(), "status")
    backend.send(counts(interval(1), interval(2)))
    backend.collector.on_message("tallypost/v1/a0/counts", counts(interval(1), node="a0"), 1.8e9)
    with open_reader(backend.path) as reader:
        first, second = reader.nodes()
    assert (first.node, first.status, first.received, first.logs) == ("a0", {}, "", {LOG: 1})
    assert (second.node, second.status["version"], second.logs) == ("n1", "1.2", {LOG: 2})
    assert second.received.startswith("2026-06-01T")


def test_intervals_of_a_range_come_in_the_order_of_time(backend: Backend) -> None:
    for seq in (3, 1, 2, 5):
        backend.send(counts(interval(seq, cars=seq)))
    backend.send(counts(interval(4, start=None)))
    with open_reader(backend.path) as reader:
        found = list(reader.intervals("n1", "2026-06-01T00:15:00Z", "2026-06-02"))
        assert [one.last for one in found] == [2, 3, 5]
        assert found[0].body == interval(2, cars=2) and not found[0].is_short
        assert (found[0].log, found[0].length, found[0].observed) == (LOG, 900, 900)
        latest = reader.latest("n1")
        assert latest and latest.last == 5 and reader.latest("n2") is None


def test_a_merged_interval_takes_the_place_of_those_inside_it(tmp_path: Path) -> None:
    store = ShortStore(tmp_path / "db")
    key = "n1", LOG
    none = {"forward": None, "backward": None}
    merged = interval(4) | {"first": 1, "len": 3600, "start": "2026-06-01T00:00:00Z"}
    with store.transaction():
        for seq in (2, 6):
            store.insert(key, "interval", interval(seq), 1.8e9)
        store.add(key, "interval", merged | {"speed": none}, 1.8e9)
    store.close()
    with open_reader(tmp_path / "db") as reader:
        found = list(reader.intervals("n1"))
        assert [(one.first, one.last, one.is_short) for one in found] == [
            (1, 4, True), (6, 6, False)
        ]  # fmt: skip
        [(day, spans)] = reader.days("n1").items()
    assert day == "2026-06-01" and spans["forward"].length == 4500
    assert spans["forward"].classes["car"] == 2


def test_the_last_report_of_a_kind_is_read(backend: Backend) -> None:
    body = {"v": 1, "node": "n1", "hash": "0badcafe", "config": {"interval_s": 900}}
    backend.send(json.dumps(body).encode(), "config")
    with open_reader(backend.path) as reader:
        assert reader.config("n1") == body and reader.health("n1") is None


def test_a_store_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no such file"):
        open_reader(tmp_path / "none")
    (tmp_path / "text").write_text("nothing that SQLite knows " * 50)
    with open_reader(tmp_path / "text") as reader, pytest.raises(ToolError, match="not a data"):
        reader.nodes()
