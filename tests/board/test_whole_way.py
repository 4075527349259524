"""From the box to counts at the broker, with every board and the commands of a technician."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.boards.bench import Make, run, until

from simulator.board.life import Environment
from simulator.board.stock import stand_in
from simulator.run.plans.plan import BrokerAddress
from tests.support.runs.running import mosquitto
from tallypost.hardware import boards

WIFI = ("street", "eight-or-more")


def tallypost(verb: str, port: object, *words: str) -> str:
    done = run("tallypost", verb, "--port", str(port), *words)
    assert done.status == 0, done.out
    return done.out


@pytest.mark.parametrize("name", boards.names())
def test_a_flashed_and_provisioned_board_passes_check_and_its_counts_arrive(
    name: str, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    micropython, password = tmp_path / "micropython.bin", tmp_path / "wifi.txt"
    micropython.write_bytes(stand_in(boards.load(name)))
    password.write_text(WIFI[1])
    with mosquitto(tmp_path, "allow_anonymous true") as broker:
        environment = Environment(
            broker=BrokerAddress("127.0.0.1", broker), wifi=WIFI, per_hour=1200
        )
        board = make(name, is_blank=True, speed=10.0, environment=environment)
        tallypost("flash", board.path, "--board", name, "--micropython", str(micropython))
        tallypost(
            "provision", board.path, "--board", name, "--node", "gate-1",
            "--set", "detector=beam", "--set", "mqtt_host=127.0.0.1", "--set", "interval_min=1",
            "--wifi-ssid", WIFI[0], "--wifi-password-file", str(password),
            "--insecure-plain", "--secrets-out", str(tmp_path / "secrets.json"),
        )  # fmt: skip
        until(lambda: "gate-1" in run("tallypost", "list", str(board.path), "--json").out)
        told = tallypost("check", board.path, "--host", f"127.0.0.1:{broker}", "--json")
    verdict = json.loads(told[told.index("{") :].splitlines()[0])
    found = {row["part"]: row for row in verdict["findings"]}
    assert verdict["pass"] and "arrived at 127.0.0.1" in found["delivery"]["what"], found
