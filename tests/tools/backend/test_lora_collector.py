"""Uplinks of a network server are stored once, confirmed, and asked for if they are missing."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes.reports import counts, interval

from tests.conformance.support import payload
from tests.support.runs.running import mosquitto
from tallypost.backend.collector import Collector
from tallypost.backend.lorawan.collector import PAUSE_S, LoraCollector
from tallypost.backend.stores.migrations import TABLES

UTC = 1_790_784_000.0
LOG = 0x5EAD1234
TTN = "v3/city@ttn/devices/n1/up"
CHIRPSTACK = "application/8f0c/device/70b3d57ed0001234/event/up"
Body = dict[str, Any]


def record(seq: int, span: int = 1, cars: int = 1) -> Body:
    """The values of an interval, with `cars` in each quarter of an hour."""
    start = int(UTC) + 900 * (seq - span)
    return {
        "seq": seq, "span": span, "start": start, "length": 900 * span, "coverage": 900 * span,
        "why": 0, "detector": 1, "time_source": 3, "counts": [0, 0, cars * span] + [0] * 7,
        "totals": [0] * 10, "hist": [[], []], "speed_sum": [0, 0],
    }  # fmt: skip


def frame(*records: Body, log: int = LOG) -> bytes:
    task = {"kind": "frame", "log": log, "room": 242, "turn": 0, "recs": list(records)}
    (made,) = payload.on_node([task])
    assert made["records"] == len(records)
    return bytes.fromhex(made["hex"])


def state(log: int = LOG) -> bytes:
    values = [9, 1, 3, 1, 1, 3, 0, 0, -128, 80, 0]
    (made,) = payload.on_node([{"kind": "state", "log": log, "values": values}])
    return bytes.fromhex(made["hex"])


def event(seq: int, body: Body) -> bytes:
    task = {"kind": "event", "log": LOG, "seq": seq, "utc": int(UTC), "body": body}
    (made,) = payload.on_node([task])
    return bytes.fromhex(made["hex"])


def ttn(port: int, data: bytes) -> bytes:
    message = {"f_port": port, "f_cnt": 7, "frm_payload": base64.b64encode(data).decode()}
    return json.dumps({"uplink_message": message}).encode()


class Backend:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.news: list[str] = []
        self.collector = LoraCollector(path, lambda kind, *_: self.news.append(kind))
        self.store = self.collector.store
        self.utc = UTC

    def send(self, port: int, data: bytes, wait_s: float = 0) -> list[Body]:
        """Send a frame. Returns the downlinks."""
        self.utc += wait_s
        self.news.clear()
        found = []
        for topic, answer, qos, retain in self.collector.on_message(
            TTN, ttn(port, data), self.utc
        ):
            assert topic == "v3/city@ttn/devices/n1/down/replace" and (qos, retain) == (0, False)
            (down,) = json.loads(answer)["downlinks"]
            found.append(read(down["f_port"], base64.b64decode(down["frm_payload"])))
        return found

    def known(self) -> Backend:
        self.send(4, state())
        return self

    def cars(self) -> int:
        with closing(sqlite3.connect(self.path)) as db:
            row = db.execute("SELECT sum(n) FROM counts WHERE class = 'car'").fetchone()
        return int(row[0] or 0)

    def rows(self, *tables: str) -> list[int]:
        return [self.store.count_rows(table) for table in tables]


def read(port: int, data: bytes) -> Body:
    """A downlink in the form of decoder.js, for the few forms in use."""
    log = data[-6:-4].hex() if port == 10 else data[3:5].hex()
    if port == 10:
        return {"ack": int.from_bytes(data[-4:], "big"), "log": log}
    if data[2] == 3:
        return {"resend": [int.from_bytes(data[i : i + 4], "big") for i in (5, 9)], "log": log}
    return {"cmd": data[2]}


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return Backend(tmp_path / "x.sqlite")


def test_a_repeated_interval_counts_once_and_is_confirmed(backend: Backend) -> None:
    backend.known()
    assert backend.send(1, frame(record(1))) == [{"ack": 1, "log": "1234"}]
    assert backend.send(1, frame(record(2), record(1)), PAUSE_S) == [{"ack": 2, "log": "1234"}]
    assert backend.news == ["interval"] and backend.cars() == 2
    assert backend.send(1, frame(record(2), record(1)), PAUSE_S) == []


def test_a_node_gets_one_downlink_in_three_hours_at_most(backend: Backend) -> None:
    backend.known()
    answers = [backend.send(1, frame(record(n)), 900) for n in range(1, 26)]
    assert [n for n, answer in enumerate(answers, 1) if answer] == [1, 13, 25]
    assert answers[24] == [{"ack": 25, "log": "1234"}]


def test_a_gap_is_asked_for_and_acknowledged_in_between(backend: Backend) -> None:
    backend.known()
    backend.send(1, frame(record(1)))
    gap = {"resend": [2, 4], "log": "1234"}
    assert backend.send(1, frame(record(5)), PAUSE_S) == [gap]
    assert backend.send(1, frame(record(6)), PAUSE_S) == [gap], "nothing of it came"
    backend.send(2, frame(record(4)))
    backend.send(2, frame(record(2)))
    assert backend.send(1, frame(record(7)), PAUSE_S) == [{"ack": 2, "log": "1234"}]
    assert backend.send(1, frame(record(8)), PAUSE_S) == [{"resend": [3, 3], "log": "1234"}]
    assert backend.send(2, frame(record(3)), PAUSE_S) == [{"ack": 8, "log": "1234"}]
    assert backend.cars() == 8


def test_a_merged_hour_gives_way_to_its_quarters_and_never_counts_twice(backend: Backend) -> None:
    backend.known()
    backend.send(1, frame(record(4, 4)))
    assert backend.cars() == 4
    for n in (2, 1, 4):
        backend.send(2, frame(record(n)))
        assert backend.cars() == 4 and backend.rows("short")[0] > 1
    backend.send(2, frame(record(3)))
    assert backend.cars() == 4 and backend.rows("short") == [4]
    backend.send(1, frame(record(4, 4)))
    assert backend.cars() == 4 and backend.rows("short") == [4], "it has nothing new"


def test_an_hour_after_its_quarters_counts_once(backend: Backend) -> None:
    backend.known()
    backend.send(1, frame(record(1)))
    backend.send(1, frame(record(4, 4)))
    assert backend.cars() == 4
    assert backend.send(1, frame(record(5)), PAUSE_S) == [{"ack": 5, "log": "1234"}]


def test_halves_and_quarters_inside_an_hour_count_once(backend: Backend) -> None:
    backend.known()
    for records in ((record(2, 2),), (record(4, 4),), (record(4),), (record(3),)):
        backend.send(1, frame(*records))
    assert backend.cars() == 4 and backend.rows("short") == [3]


def test_ranges_that_overlap_in_part_go_to_quarantine(backend: Backend) -> None:
    backend.known()
    backend.send(1, frame(record(4, 4)))
    backend.send(1, frame(record(6, 4)))
    assert backend.news == ["quarantine"] and backend.cars() == 4


def test_a_number_with_other_counts_goes_to_quarantine(backend: Backend) -> None:
    backend.known()
    backend.send(1, frame(record(1)))
    backend.send(1, frame(record(1, cars=2)))
    assert backend.news == ["quarantine"] and backend.cars() == 1


def test_full_records_over_mqtt_replace_the_short_form(backend: Backend) -> None:
    backend.known()
    backend.send(1, frame(record(4, 4)))
    backend.send(3, event(5, {"event": "detector", "was": 1, "state": 4}))
    with closing(Collector(backend.path)) as mqtt:
        for n in (1, 2, 3):
            mqtt.on_message("tallypost/v1/n1/counts", full(n), UTC)
            assert backend.cars() == 4
        mqtt.on_message("tallypost/v1/n1/counts", full(4), UTC)
        body = {"v": 1, "node": "n1", "log": "5ead1234", "event": "detector", "seq": 5}
        answers = mqtt.on_message("tallypost/v1/n1/event", json.dumps(body).encode(), UTC)
    assert json.loads(answers[0][1])["seq"] == 5
    assert backend.cars() == 4 and backend.rows("short", "records", "quarantine") == [0, 5, 0]
    backend.send(1, frame(record(4, 4)))
    assert backend.cars() == 4 and backend.rows("short") == [0]


def full(seq: int) -> bytes:
    body = json.loads(counts(interval(seq, total=seq)))
    body["log"] = "5ead1234"
    return json.dumps(body).encode()


def test_frames_wait_for_the_id_of_their_log(backend: Backend) -> None:
    assert backend.send(1, frame(record(1))) == [{"cmd": 2}]
    assert backend.send(3, event(2, {"event": "fault", "code": 3})) == []
    assert backend.rows("waiting", "short") == [2, 0]
    assert backend.send(4, state(), PAUSE_S) == [{"ack": 2, "log": "1234"}]
    assert backend.rows("waiting", "short") == [0, 2]
    assert backend.news == ["state", "interval", "event"]


def test_a_new_log_starts_at_its_first_number(backend: Backend) -> None:
    backend.known()
    backend.send(1, frame(record(1)))
    other = 0x11112222
    backend.send(1, frame(record(1, cars=7), log=other))
    assert backend.rows("waiting") == [1]
    backend.send(4, state(other))
    assert backend.cars() == 8


def test_records_that_are_gone_are_skipped(backend: Backend) -> None:
    backend.known()
    backend.send(3, event(0, {"event": "gone", "from": 1, "to": 40}))
    assert backend.send(1, frame(record(41)), PAUSE_S) == [{"ack": 41, "log": "1234"}]


def test_the_answer_to_a_command_is_reported(backend: Backend) -> None:
    backend.send(5, b"\x01\x07\x00")
    assert backend.news == ["answer"]


def test_an_uplink_of_chirpstack_is_stored_and_answered(tmp_path: Path) -> None:
    collector = LoraCollector(tmp_path / "x.sqlite")
    body = {"deviceInfo": {"deviceName": "n1"}, "fPort": 4, "fCnt": 0}
    body["data"] = base64.b64encode(state()).decode()
    collector.on_message(CHIRPSTACK, json.dumps(body).encode(), UTC)
    body |= {"fPort": 1, "data": base64.b64encode(frame(record(1))).decode()}
    ((topic, answer, _, _),) = collector.on_message(CHIRPSTACK, json.dumps(body).encode(), UTC)
    assert topic == "application/8f0c/device/70b3d57ed0001234/command/down"
    down = json.loads(answer)
    assert (down["devEui"], down["confirmed"], down["fPort"]) == ("70b3d57ed0001234", False, 10)
    assert read(10, base64.b64decode(down["data"])) == {"ack": 1, "log": "1234"}


@pytest.mark.parametrize(
    "topic,message",
    [
        (TTN, b"\xff{"),
        (TTN, b"[]"),
        (TTN, b"{}"),
        (TTN, ttn(1, b"\x02")),
        (TTN, ttn(9, b"\x01")),
        (TTN, ttn(300, b"\x01")),
        (TTN, ttn(1, b"\x01" * 243)),
        (TTN, json.dumps({"uplink_message": {"f_port": 1, "frm_payload": "=x"}}).encode()),
        (TTN, json.dumps({"uplink_message": {"f_port": 1, "frm_payload": 5}}).encode()),
        ("v3/city@ttn/devices/Not a node/up", ttn(1, b"\x01")),
        ("application/1/device/xyz/event/up", b"{}"),
        (CHIRPSTACK, json.dumps({"deviceInfo": {"deviceName": "Main Street"}}).encode()),
    ],
)
def test_a_message_without_an_uplink_goes_to_quarantine(
    backend: Backend, topic: str, message: bytes
) -> None:
    assert backend.collector.on_message(topic, message, UTC) == []
    assert backend.rows("quarantine", "short", "waiting") == [1, 0, 0]


def test_a_request_for_the_time_is_left_to_the_network_server(backend: Backend) -> None:
    assert backend.collector.on_message(TTN, ttn(202, b"\x01\x05\0\0\0\x10"), UTC) == []
    assert backend.rows("quarantine", "short", "waiting") == [0, 0, 0] and backend.news == []


def test_an_uplink_without_data_is_ignored(backend: Backend) -> None:
    message = json.dumps({"uplink_message": {"f_cnt": 3}}).encode()
    assert backend.collector.on_message(TTN, message, UTC) == []
    assert backend.rows("quarantine") == [0]


def test_a_file_of_the_layout_before_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{TABLES} CREATE VIEW counts AS SELECT 1; PRAGMA user_version = 1;")
    backend = Backend(path).known()
    backend.send(1, frame(record(1)))
    assert backend.cars() == 1


def test_listen_stores_uplinks_from_a_broker_and_answers(tmp_path: Path) -> None:
    if not shutil.which("mosquitto_pub", path="/usr/bin:/usr/local/bin"):
        pytest.skip("mosquitto_pub is not installed (Debian package mosquitto-clients)")
    with mosquitto(tmp_path, "allow_anonymous true") as port:
        listening = subprocess.Popen(
            [sys.executable, "-m", "tallypost", "listen", "--port", str(port), "--json",
             "--lorawan", "ttn", "--db", str(tmp_path / "x.sqlite"), "--seconds", "60"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=payload.ROOT,
        )  # fmt: skip
        assert listening.stderr and "listening to ttn" in listening.stderr.readline()
        for number, data in ((4, state()), (1, frame(record(1)))):
            command = ["mosquitto_pub", "-p", str(port), "-t", TTN, "-m", ttn(number, data)]
            subprocess.run(command, check=True)
        assert listening.stdout
        seen = [json.loads(listening.stdout.readline())["what"] for _ in range(2)]
        listening.terminate()
        listening.wait(10)
    assert seen == ["state", "interval"]
