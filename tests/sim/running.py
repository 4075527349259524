"""Starts runs of the simulator as a user does, and brokers for them."""

from __future__ import annotations

import json
import shutil
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

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 400


@dataclass
class Ran:
    """How a run ended; `result` is what it wrote with --json, empty if nothing."""

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


@contextmanager
def mosquitto(folder: Path, *lines: str) -> Iterator[int]:
    """A mosquitto on a free port with these lines of configuration; yields the port."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text("\n".join([f"listener {port} 127.0.0.1", *lines]) + "\n")
    broker = subprocess.Popen(
        [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield port
    finally:
        broker.terminate()
        broker.wait()


def wait_for(port: int) -> None:
    """Until something listens there."""
    until = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
