"""Firmware on the board: counts at a broker, the pace of time, `make board`."""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from tests.support.boards.bench import BIN, HANG_S, Listener, Make, mpremote

from simulator.board.life import Environment, NvsContents
from simulator.board.stock import flashed
from simulator.run.processes.live import live_broker
from simulator.world.chip.shims import ROOT
from tallypost.hardware import boards
from tallypost.provisioning.provision import Identity, provision


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def node(folder: Path, **config: object) -> Path:
    """A provisioned board."""
    path = flashed(boards.load("esp32_generic"), folder / "esp32_generic.bin")
    whole = {"detector": "beam", "link": "mqtt", "mqtt_host": "broker", **config}
    provision(path, Identity("n1", whole, wifi_ssid="street", wifi_pass="of-the-test"))
    return path


def test_counts_reach_the_broker(tmp_path: Path, make: Make) -> None:
    node(tmp_path, interval_min=1)
    with live_broker(free_port()) as broker:
        listener = subprocess.Popen(
            [
                BIN / "tallypost", "listen", "--host", broker.host, "--port", str(broker.port),
                "--db", tmp_path / "counts.sqlite", "--json",
            ],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        assert listener.stdout and listener.stderr
        assert listener.stderr.readline().startswith("listening")
        make(speed=20.0, environment=Environment(broker=broker))
        news = (json.loads(line) for line in listener.stdout)
        counted = next(one for one in news if one["what"] == "interval")
        assert counted["node"] == "n1"
        listener.terminate()
        listener.communicate(timeout=HANG_S)


@pytest.mark.parametrize("speed", [None, 60.0])
def test_time_runs_at_the_given_speed_and_in_real_time_at_a_prompt(
    speed: float | None, make: Make
) -> None:
    board = make(speed=speed)
    script = "import time; t = time.time(); time.sleep(600); print(time.time() - t)"
    assert mpremote(board, "exec", script).out.strip() in ("600", "601")  # whole seconds
    with Listener(board.path) as somebody:
        somebody.write(b"\x03\x02import time; t = time.ticks_ms()\r")
        somebody.read_until(b"ticks_ms()\r\n>>> ")
        somebody.write(b"'ms', time.ticks_diff(time.ticks_ms(), t)\r")
        told = somebody.read_until(b")\r\n>>> ").split(b"'ms', ")[-1]
        assert int(told.split(b")")[0]) < HANG_S * 1000


@pytest.mark.parametrize("name", boards.names())
def test_every_board_boots_its_image(name: str, make: Make) -> None:
    board = make(name)
    find = "import esp32; print([p.info()[4] for p in esp32.Partition.find(1)])"
    labels = mpremote(board, "exec", find).out
    assert "'vfs', 'ring'" in labels or "'ring', 'vfs'" in labels, labels


def test_the_detector_is_read_from_the_stored_configuration(tmp_path: Path) -> None:
    path = node(tmp_path, detector="ops243")
    assert NvsContents(path).detector() == "ops243" and NvsContents(path).blob("id") == b"n1"
    blank = tmp_path / "blank.bin"
    blank.write_bytes(b"\xff" * (4 << 20))
    assert NvsContents(blank).detector() is None
    blank.write_bytes(random.Random(1).randbytes(4 << 20))
    assert NvsContents(blank).detector() is None


def test_make_board_shows_commands_to_try_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    flash, link = tmp_path / "flash.bin", tmp_path / "ttyV0"
    process = subprocess.Popen(
        [BIN / "python", "-m", "simulator.board", "--flash", flash, "--tty", link],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        # A background job of a shell ignores SIGINT, and would hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stdout
    shown = ""
    while "Ctrl-C" not in shown:
        line = process.stdout.readline()
        assert line, shown
        shown += line
    for program in ("esptool", "mpremote", "tallypost"):
        assert f".venv/bin/{program} " in shown
    assert f"--port {link}" in shown
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANG_S)
    assert (process.returncode, out, err) == (0, "", "") and not link.is_symlink()


def test_wrong_usage_of_make_board_is_refused_in_one_line(tmp_path: Path) -> None:
    short = tmp_path / "short.bin"
    short.write_bytes(b"x")
    for options, said in (
        (["--board", "nix"], "make board: unknown board 'nix'"),
        (["--flash", str(short)], f"make board: {short}: the file has 1 bytes, esp32_generic has"),
    ):
        ran = subprocess.run(
            [BIN / "python", "-m", "simulator.board", *options],
            cwd=ROOT, capture_output=True, text=True, timeout=HANG_S,
        )  # fmt: skip
        assert ran.returncode == 2 and ran.stderr.startswith(said) and not ran.stdout
