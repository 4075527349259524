"""Starts runs of the simulator as a user does, and brokers for them."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 400


@dataclass
class Ran:
    """The end of a run. `result` is the content of its --json file, empty if there is none."""

    status: int
    out: str
    err: str
    result: dict[str, Any]

    @property
    def nodes(self) -> list[dict[str, Any]]:
        return list(self.result["nodes"])


def simulate(folder: Path, *options: str, root: Path = ROOT) -> Ran:
    """Run `python -m simulator.run` with options, in a checkout."""
    path = folder / "result.json"
    path.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "simulator.run", *options, "--json", str(path)],
        cwd=root, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    written = path.exists() and path.stat().st_size
    result = json.loads(path.read_text()) if written else {}
    return Ran(done.returncode, done.stdout, done.stderr, result)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A mosquitto with these lines of configuration, on a port that it keeps."""

    def __init__(self, folder: Path, *lines: str) -> None:
        program = shutil.which(
            "mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
        )
        if program is None:
            pytest.skip("mosquitto is not installed (Debian package mosquitto)")
        self.port = free_port()
        config = folder / "mosquitto.conf"
        config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *lines]) + "\n")
        self._command = [program, "-c", str(config)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self.port)

    def read_again(self) -> None:
        """Let it read its access list again."""
        self._process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it as a power cut does: it saves nothing."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextmanager
def mosquitto(folder: Path, *lines: str) -> Iterator[int]:
    """A mosquitto on a free port with these lines of configuration; yields the port."""
    broker = Mosquitto(folder, *lines)
    try:
        yield broker.port
    finally:
        broker.stop()


def wait_for(port: int) -> None:
    """Wait until a program listens there."""
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
