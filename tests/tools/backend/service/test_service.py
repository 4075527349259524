"""`tallypost listen` as a service: a process, a real mosquitto, its status page and its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.support.nodes.reports import TOPIC, counts, interval
from tests.support.runs.running import ROOT, Mosquitto, free_port, mosquitto

TIMEOUT_S = 60.0


class Running:
    """A service with these settings. `lines` are those of its log."""

    def __init__(self, folder: Path, broker: int, *more: str, **environ: str) -> None:
        self.page = free_port()
        self._log = folder / "log"
        config = folder / "tallypost.toml"
        config.write_text(
            f'[broker]\nhost = "127.0.0.1"\nport = {broker}\n[store]\ndb = "{folder}/db"\n'
            f'[service]\nlog = "json"\nstatus = "127.0.0.1:{self.page}"\nnode_metrics = true\n'
            + "\n".join(more)
        )
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tallypost", "listen", "--config", str(config)],
                stdout=log, stderr=log, cwd=ROOT, env=os.environ | environ,
            )  # fmt: skip

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.page}{path}", timeout=10) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def waits_for(self, status: int) -> dict[str, Any]:
        """Wait until /healthz has this status, and return its body."""
        until = time.monotonic() + TIMEOUT_S
        while (got := self.get("/healthz"))[0] != status:
            assert time.monotonic() < until and self.process.poll() is None, (got, self.lines())
            time.sleep(0.1)
        return dict(json.loads(got[1]))

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def metric(self, name: str) -> float:
        found = [line for line in self.get("/metrics")[1].splitlines() if line.startswith(name)]
        return float(found[0].rpartition(" ")[2])

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT_S)


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def publish(port: int, *messages: tuple[str, bytes]) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in messages:
        client.publish(topic, payload, 1).wait_for_publish(TIMEOUT_S)
    client.disconnect()
    client.loop_stop()


def test_metrics_and_log_tell_what_has_arrived(tmp_path: Path, ends: ExitStack) -> None:
    port = ends.enter_context(mosquitto(tmp_path, "allow_anonymous true"))
    service = Running(tmp_path, port)
    ends.callback(service.process.kill)
    assert service.waits_for(200)["broker"] == "connected"
    messages = [(f"{TOPIC}/counts", counts(interval(seq))) for seq in (1, 2)]
    publish(port, *messages, (f"{TOPIC}/status", b'{"at":5}'))
    until = time.monotonic() + TIMEOUT_S
    while service.metric("tallypost_quarantine_total") < 1:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert service.metric('tallypost_messages_total{topic="counts"}') == 2
    assert service.metric("tallypost_records_total") == 2
    assert service.metric("tallypost_acks_total") >= 1
    assert service.metric("tallypost_lag_seconds_count") == 2
    node = TOPIC.rpartition("/")[2]
    last = service.metric(f'tallypost_node_last_seen_timestamp_seconds{{node="{node}"}}')
    assert 0 <= time.time() - last < TIMEOUT_S
    assert service.get("/other")[0] == 404
    assert service.end() == 0
    levels = {line.get("what"): line["level"] for line in service.lines()}
    assert levels["quarantine"] == "warning" and "interval" not in levels


def test_it_waits_for_the_broker_and_tells_its_loss(tmp_path: Path, ends: ExitStack) -> None:
    broker = Mosquitto(tmp_path, "allow_anonymous true")
    ends.callback(broker.stop)
    broker.stop()
    service = Running(tmp_path, broker.port, "wait = 60")
    ends.callback(service.process.kill)
    assert service.waits_for(503)["broker"] == "starting"
    until = time.monotonic() + TIMEOUT_S
    while not _has_tried(service):
        assert time.monotonic() < until
        time.sleep(0.1)
    broker.start()
    service.waits_for(200)
    broker.kill()
    service.waits_for(503)
    broker.start()
    service.waits_for(200)
    assert service.metric("tallypost_broker_losses_total") >= 1
    assert service.end() == 0


def _has_tried(service: Running) -> bool:
    """Whether it has warned of a broker that is not there."""
    texts = [(line["level"], line["message"]) for line in service.lines()]
    return any(level == "warning" and "trying again" in text for level, text in texts)


def test_a_broker_that_does_not_come_ends_it_with_a_temporary_failure(tmp_path: Path) -> None:
    service = Running(tmp_path, free_port(), "wait = 1")
    assert service.process.wait(TIMEOUT_S) == 75
    last = service.lines()[-1]
    assert last["level"] == "error" and "Connection refused" in last["message"]


def test_wrong_settings_end_it_for_good(tmp_path: Path) -> None:
    service = Running(tmp_path, free_port(), 'waits = "1"')
    assert service.process.wait(TIMEOUT_S) == 78
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        service = Running(tmp_path, free_port(), TALLYPOST_STATUS=address)
        assert service.process.wait(TIMEOUT_S) == 78


def test_the_supervisor_is_told_when_it_listens(tmp_path: Path, ends: ExitStack) -> None:
    port = ends.enter_context(mosquitto(tmp_path, "allow_anonymous true"))
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(path))
        supervisor.settimeout(TIMEOUT_S)
        service = Running(tmp_path, port, NOTIFY_SOCKET=str(path))
        ends.callback(service.process.kill)
        told = [supervisor.recv(100)]
        while told[-1] != b"READY=1":
            told.append(supervisor.recv(100))
        assert supervisor.recv(100) == b"WATCHDOG=1"
    assert service.end() == 0
