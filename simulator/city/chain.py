"""The processes of the chain: broker, `tallypost listen`, and a web server for the pages."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.run.plans.plan import BrokerAddress
from simulator.run.processes.live import HOST, live_broker
from simulator.world.chip.process import die_with_parent
from tallypost.faults import ToolError

ROOT = Path(__file__).resolve().parents[2]
_READY_S = 15.0
_MOSQUITTO = "listener {port} {host}\nallow_anonymous true\nmax_queued_messages 0\n"


def tallypost(*words: object) -> None:
    """Run a command as a city runs it. Raises ToolError."""
    ran = subprocess.run(
        [sys.executable, "-m", "tallypost", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, check=False, env=_environment(),
    )  # fmt: skip
    if ran.returncode:
        raise ToolError(ran.stderr.strip() or ran.stdout.strip())


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT / "tools"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def free_port() -> int:
    """A free TCP port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def broker(folder: Path) -> Iterator[BrokerAddress]:
    """A mosquitto of its own, or the broker of `make sim LIVE=1` where there is none."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    port = free_port()
    if not program:
        with live_broker(port) as address:
            yield address
        return
    configuration = folder / "mosquitto.conf"
    configuration.write_text(_MOSQUITTO.format(port=port, host=HOST))
    folder.chmod(0o755)  # started by root it becomes another user
    with _process([program, "-c", str(configuration)], folder / "broker.log") as process:
        _wait(process, port, folder / "broker.log")
        yield BrokerAddress(HOST, port)


@contextmanager
def listener(
    address: BrokerAddress, database: Path, lines: Path, mac_keys: Path
) -> Iterator[None]:
    """`tallypost listen` at a broker. It prints its lines to a file, and refuses records that are
    not signed with `mac_keys`."""
    command = [
        sys.executable, "-m", "tallypost", "listen", "--host", address.host, "--port",
        str(address.port), "--db", str(database), "--client-id", "", "--json",
        "--mac-keys", str(mac_keys), "--mac-required",
    ]  # fmt: skip
    with open(lines, "w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.PIPE, text=True, cwd=ROOT,
            env=_environment(), preexec_fn=die_with_parent,
        )  # fmt: skip
    assert process.stderr
    said = process.stderr.readline()
    if not said.startswith("listening"):
        raise ToolError((said + process.stderr.read()).strip().removeprefix("error: "))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def web_server(folder: Path, port: int) -> Iterator[None]:
    """The pages on a port of this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "http.server", str(port), "--bind", HOST, "-d", str(folder)]
    with _process(command, Path("/dev/null")) as process:
        _wait(process, port, Path("/dev/null"))
        yield


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with open(log, "wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, start_new_session=True, preexec_fn=die_with_parent
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until a process listens. Raises ToolError."""
    until = time.monotonic() + _READY_S
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    said = log.read_text(errors="replace") if log.is_file() else ""
    raise ToolError(f"no answer on port {port} of {HOST}: {said[-300:].strip()}")
