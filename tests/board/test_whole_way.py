"""From the box to counts at the broker, with every board and the commands of a technician."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.boards.bench import Make, Ran, run, until

from simulator.board.life import Environment
from simulator.board.stock import stand_in
from simulator.run.plans.plan import BrokerAddress
from tests.support.runs.running import mosquitto
from tallypost.hardware import boards

WIFI = ("street", "eight-or-more")
BOARD = "esp32_generic"


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


def test_only_the_fleets_key_moves_a_node_to_another_broker(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    keys, micropython, password = tmp_path / "bench", tmp_path / "mpy.bin", tmp_path / "wifi.txt"
    micropython.write_bytes(stand_in(boards.load(BOARD)))
    password.write_text(WIFI[1])
    with mosquitto(tmp_path, "allow_anonymous true") as broker:
        environment = Environment(broker=BrokerAddress("127.0.0.1", broker), wifi=WIFI)
        board = make(BOARD, is_blank=True, speed=10.0, environment=environment)
        cable = ("--port", str(board.path))
        network = ("--node", "gate-1", "--host", f"127.0.0.1:{broker}")
        for words in (
            ("flash", *cable, "--board", BOARD, "--micropython", str(micropython)),
            ("provision", *cable, "--board", BOARD, "--node", "gate-1", "--out", str(keys),
             "--set", "detector=beam", "--set", "mqtt_host=127.0.0.1", "--wifi-ssid", WIFI[0],
             "--wifi-password-file", str(password), "--insecure-plain"),
        ):  # fmt: skip
            assert (done := run("tallypost", *words)).status == 0, done.out
        until(lambda: _config("get", *network).status == 0)
        for way in (cable, network):
            refused = _config("set", "ntp_host=evil.example", *way)
            assert refused.status == 1, refused.out
            assert "ntp_host needs a signature of the fleet's key" in refused.out
        assert _stored("ntp_host", *cable) == "pool.ntp.org"
        signed = _config("set", "ntp_host=time.example", "--keys", str(keys), *network)
        assert signed.status == 0, signed.out
        assert _stored("ntp_host", *cable) == "time.example"
        other = tmp_path / "other"
        assert run("tallypost", "keys", "new", "--out", str(other)).status == 0
        refused = _config("set", "ntp_host=evil.example", "--keys", str(other), *cable)
        assert refused.status == 1 and "no fleet key of this node" in refused.out
        assert _stored("ntp_host", *cable) == "time.example"


def _config(action: str, *words: str) -> Ran:
    return run("tallypost", "config", action, *words)


def _stored(key: str, *way: str) -> Any:
    text = _config("get", key, *way, "--json").out
    return json.loads(text[text.index("{") :].splitlines()[0])["values"][key]["stored"]
