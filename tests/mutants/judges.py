"""The tests that judge a change: device tests, tests on the host, and short whole runs.

Each runs in a tree: a copy of the repository in a temporary folder, of which one file is changed.
"""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import HEAP, ON_DEVICE, SEARCH
from tests.mutants.source import Module
from tests.tidy.source import ROOT, files, name

DEVICE, HOST, RUN = "device", "host", "run"
_LIMIT_MIN_S = 10.0
_LIMIT_TIMES = 3  # of its usual time a test may take beyond that before it counts as hanging
# Tests on the host in which device code runs beside the test, so that it can be marked.
MARKED = (
    *(
        "tests/conformance/test_certification.py",
        "tests/conformance/test_certification_windows.py",
    ),
    *("tests/conformance/test_fuzz.py", "tests/conformance/test_lorawan_airtime.py"),
    *("tests/conformance/test_payload.py", "tests/conformance/test_peers.py"),
    *("tests/conformance/test_properties.py", "tests/conformance/test_regions.py"),
    "tests/powerloss",
)
# Those in which it runs in a node, out of reach of the markers: what the nodes are there for.
ON_NODES = {
    "tests/conformance/test_modems.py": ("lib/modem/",),
    "tests/conformance/test_packages.py": ("lib/lorawan/", "lib/radio/"),
    "tests/conformance/test_radio_node.py": ("lib/lorawan/", "lib/radio/"),
    "tests/conformance/test_udp_node.py": ("lib/lorawan/", "lib/radio/"),
    "tests/board/test_technician.py": ("firmware/console/", "firmware/commands/"),
    "tests/sim/faults/test_node_at_mosquitto.py": ("firmware/delivery/", "lib/mqtt/"),
}


@dataclass(frozen=True)
class WholeRun:
    """A short `make sim`, the last judge of code that only runs in a node.

    acts_on: device code that the nodes have, without the parts of it in `lacks`.
    """

    nodes: str
    hours: float
    acts_on: tuple[str, ...]
    lacks: tuple[str, ...] = ()

    def has(self, path: str) -> bool:
        return path.startswith(self.acts_on) and not path.startswith(self.lacks)


_OVER_LORAWAN = ("lib/lorawan/", "lib/radio/", "lib/modem/", "firmware/delivery/lorawan/")
_OVER_MQTT = ("lib/mqtt/", "lib/names/", "firmware/delivery/mqtt/")
_OTHER_RADARS = (
    *("lib/radar/ld2450.py", "lib/radar/ops243.py", "lib/radar/doppler.py"),
    *("lib/passage/planar_tracker.py", "lib/passage/speed_bursts.py"),
)
_IN_ALL = ("firmware/", "lib/", "boards/")
RUNS = (
    WholeRun("radar,beam", 0.5, _IN_ALL, (*_OVER_LORAWAN, *_OTHER_RADARS, "lib/beam/single.py")),
    WholeRun("ld2450,ops243", 0.5, _OTHER_RADARS, ("lib/radar/doppler.py",)),
    WholeRun("doppler,beam-single", 0.5, ("lib/radar/doppler.py", "lib/beam/single.py")),
    WholeRun("lora-beam", 0.5, _IN_ALL, (*_OVER_MQTT, "lib/radar/", "lib/passage/", "lib/modem/")),
    WholeRun("lora-beam@esp32c3_rak3172", 0.5, ("lib/modem/",)),
)


@dataclass(frozen=True)
class Judge:
    """kind: device, host or run. where: the file, or the nodes of the run. which: test function,
    node id of pytest, or hours."""

    kind: str
    where: str
    which: str

    @property
    def title(self) -> str:
        if self.kind == RUN:
            return f"make sim HOURS={self.which} NODES={self.where}"
        return self.which if self.kind == HOST else f"{self.where}::{self.which}"


def device_tests() -> list[Judge]:
    """Every test function of the folders that run in MicroPython."""
    found = []
    for folder in ON_DEVICE:
        for path in files(f"{name(folder)}/*.py"):
            if not path.name.startswith("test_"):
                continue
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    found.append(Judge(DEVICE, name(path), node.name))
    return found


def whole_runs(path: str) -> list[Judge]:
    """The whole runs in which a module of device code is used."""
    return [Judge(RUN, run.nodes, f"{run.hours:g}") for run in RUNS if run.has(path)]


class Tree:
    """A copy of the files that tests need, in `folder`.

    heaps: a device test gets so many times its usual heap, because markers need memory, too.
    """

    def __init__(self, folder: Path, heaps: int = 1) -> None:
        self.root = folder
        self._heaps = heaps
        for path in files("firmware", "lib", "boards", "tools", "simulator", "tests"):
            self._copy(path)
        for path in (ROOT / "pyproject.toml", ROOT / "Makefile"):
            self._copy(path)
        third_party = ROOT / ".build" / "third_party"
        shutil.copytree(third_party, folder / ".build" / "third_party")

    def _copy(self, path: Path) -> None:
        target = self.root / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)

    def write(self, module: Module, text: str) -> None:
        (self.root / module.path).write_text(text)

    def passes(self, judge: Judge, limit_s: float, **settings: str) -> bool:
        """Run a test. True if it passes within its time. settings: of the environment."""
        return _ends_well(*self.command(judge), self.root, (limit_s, settings))

    def passes_all(self, judges: list[Judge], limit_s: float) -> bool:
        """Several tests on the host in one process, up to the first that fails."""
        ids = [judge.which for judge in judges]
        return _ends_well(*self.pytest(*ids), self.root, (limit_s, {}))

    def command(self, judge: Judge) -> tuple[list[str], dict[str, str]]:
        """The command of a test, and the environment it needs."""
        if judge.kind == HOST:
            return self.pytest(judge.which)
        if judge.kind == RUN:
            words = ["--hours", judge.which, "--seed", "7", "--nodes", judge.where]
            return [sys.executable, "-m", "simulator.run", *words], self._paths()
        micropython = str(Path(sys.executable).parent / "micropython")
        path = self.root / judge.where
        heap = f"heapsize={_heap_kib(path) * self._heaps}k"
        search = [*(str(self.root / part) for part in SEARCH), ".frozen"]
        runner = str(self.root / "tests" / "runner.py")
        return [micropython, "-X", heap, runner, str(path), judge.which], {
            "MICROPYPATH": ":".join(search)
        }

    def pytest(self, *words: str) -> tuple[list[str], dict[str, str]]:
        options = ["-x", "-q", "-p", "no:cacheprovider"]
        return [sys.executable, "-m", "pytest", *options, *words], self._paths()

    def _paths(self) -> dict[str, str]:
        return {"PYTHONPATH": f"{self.root / 'tools'}:{self.root}", "PYTHONDONTWRITEBYTECODE": "1"}


def _heap_kib(path: Path) -> int:
    """The heap that a file of device tests asks for in its first line, or the usual one."""
    first = path.read_text().split("\n", 1)[0]
    text = first.removeprefix("# heap: ") if first.startswith("# heap: ") else HEAP
    return int(text[:-1]) * {"k": 1, "m": 1024}[text[-1]]


def _ends_well(
    command: list[str], paths: dict[str, str], folder: Path, bounds: tuple[float, dict[str, str]]
) -> bool:
    limit_s, settings = bounds
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, **paths, **settings},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with all the processes that it has started
        process.communicate()
        return False
    if command[-2].endswith(".py"):  # a device test
        return process.returncode == 0 and output.rstrip().endswith("passed")
    return process.returncode == 0


def limit_s(usual_s: float) -> float:
    """How long a test may take that usually takes `usual_s` seconds."""
    return _LIMIT_MIN_S + usual_s * _LIMIT_TIMES


def timed(tree: Tree, judge: Judge, **settings: str) -> tuple[bool, float]:
    """Whether a test passes, and how many seconds it takes."""
    began = time.monotonic()
    passed = tree.passes(judge, 600.0, **settings)
    return passed, time.monotonic() - began
