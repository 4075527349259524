"""The same interval twice, other bins, floods and readers: what a store is told, and keeps."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from tests.support.nodes.reports import LOG, counts, event, interval
from tests.tools.backend.test_collector import UTC, Backend, ack, backend

from tallypost.backend.collector import Message
from tallypost.backend.stores.reading import open_reader
from tallypost.backend.stores.spans import percentile

__all__ = ("backend",)

# --- the same interval twice, and other bins


@pytest.mark.parametrize("other", ("number", "log", "batch", "late"))
def test_an_interval_under_another_number_is_told_and_not_counted_again(
    address: Path | str, other: str
) -> None:
    store = Backend(address)
    one = interval(1, 7, total=7)
    if other == "batch":
        answers = store.send(counts(one, one | {"seq": 2}))
    else:
        store.send(counts(interval(5, 3) if other == "late" else one))
        if other == "late":
            store.send(counts(one))
        number = 1 if other == "log" else 2
        log = "11112222" if other == "log" else LOG
        answers = store.send(counts(one | {"seq": number}, log=log))
        assert store.news[0] == ("doubt", "n1") and ("interval", "n1") not in store.news
    assert answers[0][1]["seq"] == (1 if other == "log" else 2), "the number is confirmed"
    with open_reader(address) as reader:
        [day] = reader.days("n1").values()
    assert day["forward"].classes["car"] == (10 if other == "late" else 7)
    store.send(counts(one | {"seq": 2}))
    assert store.numbers("quarantine") == [0], "sent again, it is the same"
    store.collector.close()


def test_a_replay_under_another_log_is_found_when_its_anchor_dates_it(backend: Backend) -> None:
    early = interval(1, start=None, boot=3, uptime=100)
    anchor = {"boot": 3, "uptime": 1000, "utc": int(UTC)}
    for log in (LOG, "11112222"):
        backend.send(counts(early, log=log))
        backend.send(event("anchor", log=log, seq=2, **anchor), "event")
    with open_reader(backend.path) as reader:
        assert len(list(reader.intervals("n1"))) == 1


def test_a_histogram_of_another_bin_width_is_kept_and_converted(address: Path | str) -> None:
    store = Backend(address)
    speed = {"mean": 45.0, "n": 100, "hist": [[4, 100]]}
    record = interval(1, 100, speed={"forward": speed, "backward": speed})
    assert store.send(counts(record, bin_kmh=10)) == [ack(1)]
    with open_reader(address) as reader:
        [one] = reader.intervals("n1")
        [day] = reader.days("n1").values()
    assert one.body == record and one.bin_kmh == 10
    assert day["forward"].bins == {10: 40, 11: 40, 12: 20}
    assert percentile(day["forward"].bins, 0.5) == 45.0
    store.collector.close()


def test_a_flood_of_one_node_is_not_in_the_way_of_the_others(backend: Backend) -> None:
    flood = [Message("tallypost/v1/bad/counts", b"x" * 900, UTC) for _ in range(20_000)]
    good = Message("tallypost/v1/n1/counts", counts(interval(1)), UTC)
    began = time.monotonic()
    answers = backend.collector.on_messages([*flood, good])
    took_s = time.monotonic() - began
    assert json.loads(answers[-1][1])["seq"] == 1 and took_s < 10
    assert backend.numbers("quarantine")[0] <= 200


def test_a_reader_does_not_stop_the_collector(backend: Backend) -> None:
    backend.send(counts(*(interval(seq) for seq in range(1, 40))))
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with open_reader(backend.path) as reader:
                assert len(list(reader.intervals("n1"))) >= 39

    thread = threading.Thread(target=read)
    thread.start()
    for seq in range(40, 80):
        assert backend.send(counts(interval(seq))) == [ack(seq)]
    done.set()
    thread.join()
