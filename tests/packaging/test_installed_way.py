"""From the box to stored counts with the installed tool, at a virtual board and a real broker."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path

import pytest
from tests.board.conftest import make as make_boards
from tests.packaging.installed import Installed
from tests.support.boards.bench import HANG_S, Make, until
from tests.support.runs.running import mosquitto

from simulator.board.life import Environment
from simulator.board.stock import stand_in
from simulator.run.plans.plan import BrokerAddress
from tallypost.hardware import boards

NAME = "esp32_generic"
WIFI = ("street", "eight-or-more")
make = make_boards  # the fixture


def told(tool: Installed, *words: object) -> str:
    ran = tool(*words)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def intervals(database: Path) -> int:
    """How many intervals are stored that began after the node knew the time."""
    query = "SELECT count(*) FROM records WHERE kind = 'interval' AND start IS NOT NULL"
    try:
        with sqlite3.connect(database) as store:
            [[found]] = store.execute(query)
    except sqlite3.OperationalError:  # the file is there, its tables are not yet
        return 0
    return int(found)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "micropython.bin").write_bytes(stand_in(boards.load(NAME)))
    (tmp_path / "wifi.txt").write_text(WIFI[1])
    return tmp_path


def test_flash_provision_check_and_listen(tool: Installed, files: Path, make: Make) -> None:
    with mosquitto(files, "allow_anonymous true") as broker:
        environment = Environment(
            broker=BrokerAddress("127.0.0.1", broker), wifi=WIFI, per_hour=1200
        )
        board = make(NAME, is_blank=True, speed=10.0, environment=environment)
        at = ("--port", board.path)
        new = ("--board", NAME, *at, "--micropython", files / "micropython.bin")
        flashed = json.loads(told(tool, "flash", *new, "--json"))
        assert flashed["first"] and flashed["bytes"] > 100_000
        told(
            tool, "provision", *at, "--node", "gate-1", "--site", "Löwenplatz",
            "--set", "detector=beam", "--set", "mqtt_host=127.0.0.1", "--set", "interval_min=1",
            "--wifi-ssid", WIFI[0], "--wifi-password-file", files / "wifi.txt",
            "--insecure-plain", "--secrets-out", files / "secrets.json",
        )  # fmt: skip
        until(lambda: "gate-1" in told(tool, "list", board.path, "--json"))
        verdict = json.loads(told(tool, "check", *at, "--json"))
        assert verdict["pass"], verdict
        again = json.loads(told(tool, "flash", *at, "--json"))
        assert (again["bytes"], again["kept"]) == (0, ["nvs", "ring"])
        database = files / "counts.sqlite"
        with subprocess.Popen(
            [tool.program, "listen", "--host", "127.0.0.1", "--port", str(broker),
             "--db", database, "--seconds", str(HANG_S)],
            cwd=tool.elsewhere, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as listener:  # fmt: skip
            until(lambda: database.exists() and intervals(database) >= 1)
            listener.terminate()
    rows = told(tool, "report", "--db", database, "--node", "gate-1", "--json")
    assert '"direction": "forward"' in rows
