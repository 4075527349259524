"""`make chip` against the virtual board, with small numbers."""

from __future__ import annotations

import json
import random
import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulator.board.board import VirtualBoard
from simulator.board.life import BENCH_MOUNT, Environment
from simulator.board.radar_port import RadarPort
from simulator.board.stock import flashed
from simulator.run.plans.plan import BrokerAddress
from simulator.run.plans.sensors import SENSORS, Site
from simulator.world.streets.street import Street
from tallypost.hardware import boards
from tallypost.provisioning.provision import Identity, provision
from tests.chip.__main__ import main
from tests.chip.steps import STEPS
from tests.seam import body
from tests.support.runs.running import free_port, mosquitto

BOARD = boards.load("esp32_generic")
TRACE_US = 20_000_000
OFF_S = 0.3
CUT = "import socket; socket.create_connection(('127.0.0.1', {port})).recv(1)"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    with mosquitto(tmp_path, "allow_anonymous true") as port:
        yield port


@contextmanager
def bench(
    folder: Path, *, broker: int | None = None, radar: RadarPort | None = None, node: str = ""
) -> Iterator[tuple[VirtualBoard, str]]:
    """A board on the bench, and its port. node: the id that it is provisioned with."""
    flash = flashed(BOARD, folder / "board.bin")
    if node:
        config: dict[str, Any] = {"mqtt_host": "127.0.0.1", "detector": "ld2451"}
        provision(flash, Identity(node, config, wifi_ssid="street", wifi_pass="of-the-simulator"))
    address = BrokerAddress("127.0.0.1", broker) if broker else None
    around = Environment(broker=address, radar=radar)
    with VirtualBoard(BOARD.name, flash, environment=around, number=free_port()) as board:
        yield board, board.url.replace("rfc2217", "socket")


def switch(board: VirtualBoard) -> int:
    """A switch in the board's supply: whoever connects to this TCP port cuts the power once."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _address = listener.accept()
        with client:
            board.unplug()
            time.sleep(OFF_S)
            board.plug()
        listener.close()

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def trace(path: Path) -> Path:
    """Some cars in front of an LD2451."""
    sensor = SENSORS["ld2451"]
    street = Street(random.Random(3), {"car": 1.0}, 1200, 1, 2.0)
    model = sensor.model(Site(street, BENCH_MOUNT, BOARD), random.Random(4), {})
    rows = [
        f"{t_us / 1000:.3f},{data.hex()}" for t_us, _, data in model.generate(0, TRACE_US, 9999)
    ]
    path.write_text("\n".join(["# detector: ld2451", *rows]) + "\n")
    return path


def steps(path: Path) -> dict[str, dict[str, Any]]:
    return {one["step"]: one for one in json.loads(path.read_text())["steps"]}


def test_a_virtual_board_stands_everything(tmp_path: Path, broker: int, capsys: Capture) -> None:
    results, radar = tmp_path / "chip.json", RadarPort()
    with bench(tmp_path, broker=broker, radar=radar, node="gate-1") as (board, port):
        code = CUT.format(port=switch(board))
        status = main(
            ["--port", port, "--host", f"127.0.0.1:{broker}", "--commands", "24",
             "--reconnects", "2", "--cut", f"{sys.executable} -c {shlex.quote(code)}",
             "--cuts", "1", "--radar", radar.url, "--trace", str(trace(tmp_path / "trace.csv")),
             "--only", ",".join(name for name in STEPS if name != "conformance"),
             "--json", str(results)]
        )  # fmt: skip
    radar.close()
    found, shown = steps(results), capsys.readouterr().out
    assert status == 0 and [*found, "conformance"] == list(STEPS), shown
    skipped = [name for name, one in found.items() if one["state"] == "skip"]
    assert skipped == ["tls"], shown
    figures = {name: one["figures"] for name, one in found.items()}
    assert figures["provision"]["node"] == "gate-1" and figures["boot"]["detector_state"] in (1, 2)
    assert figures["counts"]["passages"] == figures["counts"]["simulated_passages"] >= 3
    for way in ("console", "mqtt"):
        one = figures[way]
        assert (one["commands"], one["lost"], one["wrong"]) == (12, 0, 0)
    assert figures["reconnects"]["reconnects"] == 2 and figures["power cuts"]["cuts"] == 1
    assert figures["memory"]["heap_free_min_bytes"] > 20_000
    assert all(any(line.startswith(name) for line in shown.splitlines()) for name in found)


def test_the_conformance_checks_are_counted(tmp_path: Path, capsys: Capture) -> None:
    """Whether they pass is a matter of tests/seam."""
    results = tmp_path / "chip.json"
    with bench(tmp_path) as (_board, port):
        main(["--port", port, "--only", "conformance", "--json", str(results)])
    figures = steps(results)["conformance"]["figures"]
    assert figures["micropython"] == "1.29.0" and figures["pass"] > 80, capsys.readouterr().out
    assert sum(figures[state] for state in ("pass", "fail", "skip")) == len(body.names())


def test_a_board_without_an_identity_fails_and_the_rest_is_skipped(
    tmp_path: Path, capsys: Capture
) -> None:
    results = tmp_path / "chip.json"
    with bench(tmp_path) as (_board, port):
        status = main(["--port", port, "--only", "boot,console,tls", "--json", str(results)])
    found = steps(results)
    assert status == 1, capsys.readouterr().out
    assert {name: one["state"] for name, one in found.items()} == {
        "provision": "fail", "boot": "skip", "console": "skip", "tls": "skip"
    }  # fmt: skip
    assert found["provision"]["text"] == f"not provisioned: tallypost provision --port {port}"


def test_a_cut_that_does_not_restart_the_board_fails(tmp_path: Path, capsys: Capture) -> None:
    with bench(tmp_path, node="gate-1") as (_board, port):
        status = main(["--port", port, "--only", "power cuts,mqtt", "--cut", "true"])
    shown = capsys.readouterr().out
    assert status == 1 and "power cuts    fail  CUT= did not restart the board" in shown
    assert "mqtt          skip  no broker is named: HOST=" in shown


def test_wrong_usage_and_a_port_without_a_board_are_refused(capsys: Capture) -> None:
    assert main(["--port", "socket://127.0.0.1:9", "--only", "nonsense"]) == 2
    assert "--only nonsense: no such step" in capsys.readouterr().err
