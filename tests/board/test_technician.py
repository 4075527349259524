"""The verbs of a technician at a virtual board: from a provisioned flash to a verdict."""

from __future__ import annotations

import json
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.boards.bench import Listener, Make, until

from simulator.board.board import VirtualBoard
from simulator.board.life import Environment
from simulator.board.stock import flashed
from simulator.run.plans.plan import BrokerAddress
from tests.support.runs.running import mosquitto
from tallypost.hardware import boards
from tallypost.provisioning.provision import Identity, LoraKeys, provision
from tallypost.cli import main
from tallypost.technician import check

Capture = pytest.CaptureFixture[str]
WIFI = ("street", "eight-or-more")
SPEED = 10.0  # of the node's time


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """The port of a mosquitto that accepts every user."""
    with mosquitto(tmp_path, "allow_anonymous true") as port:
        yield port


class Bench:
    """Makes provisioned boards. The verbs go to the board that was made last."""

    def __init__(self, folder: Path, make: Make, capsys: Capture) -> None:
        self._path = folder / "esp32_generic.bin"
        self._make = make
        self._capsys = capsys
        self.board: VirtualBoard | None = None

    def node(
        self, configured: str, port: int | None, *, console: str = "commands", **environment: Any
    ) -> VirtualBoard:
        """A running node that knows Wi-Fi and broker. port: of the broker, None without one."""
        flashed(boards.load("esp32_generic"), self._path)
        config = {"detector": configured, "mqtt_host": "127.0.0.1", "interval_min": 1}
        config["console"] = console
        ssid, password = WIFI
        provision(
            self._path, Identity("gate-1", config, wifi_ssid=ssid, wifi_pass=password)
        )  # fmt: skip
        target = BrokerAddress("127.0.0.1", port) if port else None
        self.board = self._make(environment=Environment(broker=target, **environment), speed=SPEED)
        return self.board

    def run(self, verb: str, *words: str) -> tuple[int, str, str]:
        assert self.board
        self._capsys.readouterr()
        status = main([verb, *words, "--port", str(self.board.path)])
        out, err = self._capsys.readouterr()
        return status, out, err

    def check(self, *words: str) -> tuple[int, dict[str, dict[str, str]]]:
        """Exit status, and the findings by part."""
        status, out, _ = self.run("check", "--json", *words)
        told = json.loads(out)
        assert told["pass"] == (status == 0)
        return status, {row["part"]: row for row in told["findings"]}


@pytest.fixture
def bench(tmp_path: Path, make: Make, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(check, "_STEP_S", 0.3)
    return Bench(tmp_path, make, capsys)


def failed(found: dict[str, dict[str, str]]) -> set[str]:
    return {part for part, row in found.items() if row["state"] == "FAIL"}


@pytest.mark.parametrize("detector", ("ld2451", "beam"))
def test_a_good_node_passes_and_its_records_arrive(
    detector: str, bench: Bench, broker: int
) -> None:
    bench.node(detector, broker, wifi=WIFI)
    status, found = bench.check("--host", f"127.0.0.1:{broker}")
    assert status == 0 and failed(found) == set(), found
    assert "arrived at 127.0.0.1" in found["delivery"]["what"]
    assert ("beam A" in found) == ("beam B" in found) == (detector == "beam")


def test_a_wrong_wifi_password_is_found(bench: Bench, broker: int) -> None:
    bench.node("ld2451", broker, wifi=("street", "another-one"))
    status, found = bench.check()
    assert status == 1 and failed(found) == {"Wi-Fi", "broker", "clock"}
    assert found["Wi-Fi"]["what"] == "'street' refuses the password"
    assert "tallypost provision" in found["Wi-Fi"]["next"]


def test_a_network_that_is_not_there_is_found(bench: Bench, broker: int) -> None:
    bench.node("ld2451", broker, wifi=("alley", "eight-or-more"))
    _, found = bench.check()
    assert found["Wi-Fi"]["what"] == "there is no network 'street' here"


def test_a_broker_that_is_not_there_is_found(bench: Bench) -> None:
    bench.node("ld2451", None)
    status, found = bench.check("--host", "127.0.0.1:9")
    assert status == 1 and failed(found) == {"broker", "delivery"}
    assert found["broker"]["what"].startswith("127.0.0.1:1883: ")
    assert "Check that it runs" in found["broker"]["next"]


def test_a_radar_that_is_not_connected_is_found(bench: Bench, broker: int) -> None:
    bench.node("ld2451", broker, detector="beam")  # nothing is at the UART
    status, found = bench.check()
    assert status == 1 and failed(found) == {"detector"}
    assert "it does not answer" in found["detector"]["what"]
    assert "TX to RX" in found["detector"]["next"]


def test_a_beam_that_is_not_aimed_is_found(bench: Bench, broker: int) -> None:
    faults = {"blocked_from": 5, "blocked_to": 86_400}
    board = bench.node("beam", broker, faults=faults)
    with Listener(board.path) as node:

        def is_blocked() -> bool:
            node.write(b'\x15{"id":1,"cmd":"check"}\n')
            return b'"beams": [[true' in node.read_until(b'"beams": ') + node.read_until(b"]")

        until(is_blocked)
    status, found = bench.check("--wait", "10")
    assert status == 1 and "beam A" in failed(found) and "beam B" not in failed(found)
    assert found["beam A"]["what"] == "never seen clear" and "aim" in found["beam A"]["next"]


def test_config_aim_monitor_calibrate_and_pull_work_at_a_node(
    bench: Bench, broker: int, tmp_path: Path
) -> None:
    bench.node("ld2451", broker)
    status, out, err = bench.run("config", "set", "site=bridge", "interval_min=5", "--reboot")
    assert status == 0 and "bridge" in out, err
    assert bench.run("config", "get", "--json")[0] == 0
    status, out, err = bench.run("aim", "--seconds", "60")
    assert status == 0 and "counted: " in out and "km/h" in out and err == ""
    status, out, _ = bench.run("monitor", "--seconds", "0.3")
    assert status == 0 and "{" not in out
    assert bench.run("calibrate", "--start")[0] == 0
    status, out, _ = bench.run("calibrate", "--tally", "forward.car=1", "--limit", "50")
    assert status in (0, 1) and "Calibration of " in out
    db = tmp_path / "pulled.sqlite"
    assert bench.run("pull", "--db", str(db), "--confirm")[0] == 0
    with sqlite3.connect(db) as held:
        numbers = [row[0] for row in held.execute("SELECT seq FROM records ORDER BY seq")]
    assert numbers == list(range(1, len(numbers) + 1)) and numbers
    assert "0 new events" in bench.run("pull", "--db", str(db))[1]


def test_a_node_with_lorawan_alone_passes(make: Make, tmp_path: Path, capsys: Capture) -> None:
    name = "lilygo_t3_v1_6_1"
    flash = flashed(boards.load(name), tmp_path / f"{name}.bin")
    keys = LoraKeys(bytes(range(8)), bytes(range(8, 16)), bytes(range(16)))
    provision(flash, Identity("lora-1", {"detector": "beam", "link": "lorawan"}, lora=keys))
    port = str(make(name, speed=SPEED).path)
    assert main(["check", "--port", port]) == 0
    out = capsys.readouterr().out
    assert "LoRaWAN    pass  joined" in out and "Wi-Fi" not in out and "broker" not in out
    assert main(["pull", "--port", port, "--db", str(tmp_path / "x.sqlite")]) == 0


def test_a_prompt_in_the_place_of_the_firmware_is_named(bench: Bench, broker: int) -> None:
    board = bench.node("ld2451", broker, console="open")
    with Listener(board.path) as typist:
        typist.read_until(b"bytes free")
        typist.write(b"\x03")  # it waits until the console is served
        typist.read_until(b">>> ")
    status, _, err = bench.run("config", "get")
    assert status == 1 and "a MicroPython prompt answers, the firmware is not running" in err


@pytest.mark.parametrize("console", ("commands", "off"))
def test_ctrl_c_leads_to_no_prompt(console: str, bench: Bench, broker: int) -> None:
    """At the start and in service."""
    board = bench.node("beam", broker, console=console)
    shown, resets = b"", board.resets
    with Listener(board.path) as stranger:
        for moment in (b"boot 1 on", b"bytes free", b"mqtt: connected"):
            stranger.write(b"\x03\r\x03\x03\x01\x04" * 4)
            shown += stranger.read_until(moment)
        if console == "commands":
            stranger.write(b"\x03\x03\r\x02\x03import os\r\x15" + b'{"id":1,"cmd":"ping"}\r')
            shown += stranger.read_until(b'"pong"')
        else:
            stranger.write(b"\x03\x03\r\x02\x03import os\r\x15" + b'{"id":1,"cmd":"log"}\r')
            with pytest.raises(AssertionError):
                stranger.read_until(b'"id"', 5.0)
            shown += stranger.heard
    assert b">>>" not in shown and b"raw REPL" not in shown and b"Traceback" not in shown
    assert board.resets == resets


def test_a_board_without_firmware_is_named(make: Make, capsys: Capture) -> None:
    board = make(is_blank=True)
    assert main(["check", "--port", str(board.path)]) == 1
    err = capsys.readouterr().err
    assert "the flash of the board holds no firmware" in err and "tallypost flash" in err


def test_a_board_without_identity_fails(make: Make, capsys: Capture) -> None:
    board = make(speed=SPEED)
    assert main(["check", "--port", str(board.path)]) == 1
    assert "FAIL node: Run: tallypost provision" in capsys.readouterr().out


def test_a_connection_over_rfc2217_does_not_reset_the_board(bench: Bench, broker: int) -> None:
    board = bench.node("ld2451", broker)
    with Listener(board.path) as typist:
        typist.read_until(b"bytes free")
    resets = board.resets
    assert main(["config", "get", "site", "--port", board.url]) == 0
    assert main(["config", "get", "site", "--port", board.url]) == 0
    assert board.resets == resets


SECTION = "### It counts\n"


def test_the_commands_of_the_readme_work(
    bench: Bench, broker: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unchanged, except for names, ports, the broker, and a shorter time."""
    monkeypatch.chdir(tmp_path)
    board = bench.node("ld2451", broker)
    text = (boards.ROOT / "tools" / "README.md").read_text().partition(SECTION)[2]
    commands = [line.strip() for line in text.partition("\n##")[0].splitlines() if "    ." in line]
    assert len(commands) == 8
    for command in commands:
        words = shlex.split(command, comments=True)[1:]
        here = {
            "/dev/ttyUSB0": str(board.path), "broker.example.org": f"127.0.0.1:{broker}",
            "street-1": "gate-1",
        }  # fmt: skip
        words = [here.get(word, word) for word in words]
        words += ["--seconds", "2"] if words[0] in ("aim", "monitor") else []
        missed = words[0] == "calibrate" and "--tally" in words  # the node has not counted so many
        assert main(words) == (1 if missed else 0), command
