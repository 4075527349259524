"""Record and replay: the same bytes give the same passages, on the same image."""

from __future__ import annotations

import json
import os
import pty
import random
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest

from simulator.run.accuracy.__main__ import cell_plan
from simulator.run.plans.plan import NodePlan
from simulator.run.plans.sensors import SENSORS, Site
from simulator.run.processes.node import Evidence
from simulator.run.results import trace_file
from simulator.world.spec import Detector
from simulator.world.streets.street import Street
from tallypost.cli import main
from tallypost.hardware import boards
from tests.support.runs.living import BEAM, RADAR, live, planned

BOARD = boards.load("esp32_generic")
PINS = "AB"
STEP_US = 30_000_000


def sensor(plan: NodePlan) -> Detector:
    rng = random.Random(f"{plan.seed}/street")
    kind = SENSORS[plan.detector]
    street = Street(
        rng, kind.mix, plan.passages, plan.hours, plan.headway_s, single_file=kind.single_file,
        traffic=plan.traffic,
    )  # fmt: skip
    site = Site(street, plan.mount, BOARD)
    model = kind.model(site, random.Random(f"{plan.seed}/sensor"), plan.faults)
    model.write(2_000_000, b"UKOMBZ" if plan.detector == "ops243" else b"")  # as a node sets it
    return model


def recorded(plan: NodePlan, path: Path) -> Path:
    """The bytes of a plan's sensor, as a file."""
    model = sensor(plan)
    lines = [f"# detector: {plan.detector}"]
    for start_us in range(0, plan.end_us, STEP_US):
        for t_us, _, data in model.generate(start_us, start_us + STEP_US, 100_000):
            edge = f"{PINS[BOARD.beams.index(data[0])]},{data[1]}" if len(data) == 2 else ""
            lines.append(f"{t_us / 1000:.3f},{edge or data.hex()}")
    path.write_text("\n".join(lines) + "\n")
    return path


def replayed(path: Path, *options: str) -> list[tuple[str, str, float | None]]:
    command = [
        sys.executable,
        "-m",
        "simulator.run.processes.replay",
        str(path),
        "--json",
        *options,
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    replayed = json.loads(ran.stdout)
    assert replayed["stats"]["refused"] == 0
    return [(one["direction"], one["class"], one["kmh"]) for one in replayed["passages"]]


def counted(evidence: Evidence) -> list[tuple[str, str, float | None]]:
    passages = evidence.observer.passages
    return [(p.direction, p.cls, round(p.kmh, 1) if p.kmh >= 0 else None) for p in passages]


def test_a_beams_recording_gives_the_passages_of_its_day(tmp_path: Path) -> None:
    plan = planned("moderate", BEAM, hours=0.5)
    assert replayed(recorded(plan, tmp_path / "t.csv")) == counted(live(plan, tmp_path))


@pytest.mark.parametrize("detector", ("ld2451", "ld2450", "ops243"))
def test_a_radars_recording_gives_all_passages(detector: str, tmp_path: Path) -> None:
    """A radar's own random numbers go on while it is asked. So it is compared with the street, not
    with a run."""
    name = "one_way" if detector == "ops243" else "moderate"
    plan = cell_plan(detector, name, 3, 1)
    found = replayed(recorded(plan, tmp_path / "t.csv"))
    assert abs(len(found) - plan.passages) <= 0.03 * plan.passages
    assert {"forward", "backward"} == {direction for direction, _, _ in found}


def test_the_edges_of_a_doppler_module_are_speeds(tmp_path: Path) -> None:
    """Three cars pass at 40 km/h: 44.71 Hz a km/h, for two seconds each."""
    edge_us = 1e6 / (2 * 40 * 44.71)
    lines = [
        f"{(10_000_000 * (car + 1) + i * edge_us) / 1000:.3f},A,{i % 2}"
        for car in range(3)
        for i in range(int(2e6 / edge_us))
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    found = replayed(path, "--detector", "doppler")
    assert [(direction, cls) for direction, cls, _ in found] == [("forward", "car")] * 3
    assert all(kmh is not None and abs(kmh - 40) < 1 for _, _, kmh in found)


def test_a_recording_can_be_replayed_with_another_configuration(tmp_path: Path) -> None:
    path = recorded(planned("moderate", RADAR, hours=0.2), tmp_path / "t.csv")
    usual, turned = replayed(path), replayed(path, "--set", "radar_dir_approach=0")
    assert len(usual) > 20 and {cls for _, cls, _ in usual} != {"car"}
    slow = replayed(path, "--set", "class_ped_max_kmh=3", "--set", "class_bike_max_kmh=10")
    assert sum(c == "car" for _, c, _ in slow) > sum(c == "car" for _, c, _ in usual)
    assert turned != usual


def test_a_bad_recording_or_configuration_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("1,F4\n2,zz\n")
    assert main(["replay", str(path), "--detector", "ld2451"]) == 2
    assert f"{path}:2:" in capfd.readouterr().err
    path.write_text("1,F4\n")
    assert main(["replay", str(path), "--detector", "ld2451", "--set", "radar_line_m=900"]) == 2
    assert "radar_line_m" in capfd.readouterr().err


def play(fd: int, data: bytes, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        os.write(fd, data)


def test_a_port_is_recorded_as_replay_reads_it(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    frame = bytes.fromhex("F4F3F2F1070001018A10011422F8F7F6F5")
    stop, path = threading.Event(), tmp_path / "r.csv"
    player = threading.Thread(target=play, args=(ours, frame, stop))
    player.start()
    try:
        port = os.ttyname(theirs)
        assert main(["record", str(path), "--port", port, "--seconds", "1"]) == 0
        assert main(["record", str(path), "--port", port, "--seconds", "1"]) == 1, "it is there"
    finally:
        stop.set()
        player.join()
    text = path.read_text()
    assert "# detector: ld2451" in text
    started = trace_file.load(path, (25, 26)).started
    assert abs(datetime.fromisoformat(started).timestamp() - time.time()) < 60
    data = "".join(line.split(",")[1] for line in text.splitlines() if line[0] != "#")
    assert data.count(frame.hex().upper()) >= 5
    replayed(path)


def test_a_silent_or_missing_port_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    assert main(["record", str(tmp_path / "a"), "--port", name, "--seconds", "0.2"]) == 1
    assert "no byte arrived" in capsys.readouterr().err
    assert main(["record", str(tmp_path / "b"), "--port", "/dev/ttyNONE"]) == 1
    assert "ttyNONE" in capsys.readouterr().err
    os.close(ours)
