"""A city of one machine for a load run: the files of `tallypost provision`, mosquitto, `listen`.

The files are those of the product: users, access list, configuration and certificates for every
node of the run. Of the configuration the folder of the data, the address of the listener and the
folder of other files are those of the run. Everything listens on the loopback alone.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from simulator.load.nodes.node import Login
from simulator.world.chip.process import die_with_parent
from tallypost.inventory import import_files
from tallypost.inventory.import_files import Broker
from tallypost.inventory.inventory import COLUMNS, Inventory, Secret
from tallypost.security.authority import Authority

HOST, NAME = "127.0.0.1", "localhost"
_ROOT = Path(__file__).resolve().parents[2]
_READY_S = 60
_END_S = 60.0


class CityError(Exception):
    """A part of the city does not start. The text says which, and why."""


class City:
    """folder: may be entered by the user of the broker. nodes: names. root: of the topics.

    database: of the collector, "": SQLite in the folder.
    """

    def __init__(
        self, folder: Path, nodes: Iterable[str], root: str, tls: bool, database: str = ""
    ) -> None:  # fmt: skip
        self.ports = [free_port()]
        self.database = database or str(folder / "counts.sqlite")
        self.ca = folder / "ca.pem" if tls else None
        self._folder, self._root = folder, root
        self._broker: subprocess.Popen[bytes] | None = None
        self._collectors: dict[int, subprocess.Popen[bytes]] = {}
        self._kills = 0
        self.logins = self._provision(nodes, tls)

    def _provision(self, nodes: Iterable[str], tls: bool) -> dict[str, Login]:
        """Write the files of an inventory with these nodes. Returns their logins."""
        inventory = Inventory(self._folder)
        for node in nodes:
            inventory.rows[node] = dict.fromkeys(COLUMNS, "") | {"node": node}
            inventory.secrets[node] = Secret(node, secrets.token_hex(12), self._root)
        if tls:
            Authority.open(self._folder).certify_broker([NAME])
        broker = Broker({self.ports[0]: tls}, str(self._folder / "broker"))
        import_files.write_all(inventory, broker)
        self._make_local()
        return {
            node: Login(secret.mqtt_user, secret.mqtt_pass)
            for node, secret in inventory.secrets.items()
        }

    def _make_local(self) -> None:
        """The configuration for this run: loopback alone, data in the folder of the run."""
        path, data = self._folder / "broker" / "mosquitto.conf", self._folder / "data"
        text = path.read_text()
        for old, new in (
            ("persistence_location /var/lib/mosquitto/", f"persistence_location {data}/"),
            (f"listener {self.ports[0]}\n", f"listener {self.ports[0]} {HOST}\n"),
            ("include_dir /etc/mosquitto/conf.d\n", ""),
        ):
            if old not in text:
                raise CityError(f"the generated mosquitto.conf has no line '{old.strip()}'")
            text = text.replace(old, new)
        path.write_text(text)
        data.mkdir()
        if os.getuid() == 0:
            self._hand_over([data, *(self._folder / "broker").iterdir()])

    def _hand_over(self, paths: list[Path]) -> None:
        """mosquitto, started by root, reads and writes as its own user."""
        try:
            pwd.getpwnam("mosquitto")
        except KeyError:
            raise CityError("this machine has no user mosquitto") from None
        self._folder.chmod(0o755)
        for path in [self._folder / "broker", *paths]:
            shutil.chown(path, "mosquitto", "mosquitto")

    # --- processes

    def start_broker(self) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        if not program:
            raise CityError("mosquitto is not installed. Run: apt install mosquitto")
        with open(self._folder / "mosquitto.log", "ab") as log:
            self._broker = subprocess.Popen(
                [program, "-c", self._folder / "broker" / "mosquitto.conf"],
                stdout=log, stderr=log, preexec_fn=die_with_parent,
            )  # fmt: skip
        until = time.monotonic() + _READY_S
        while not is_open(self.ports[0]):
            if self._broker.poll() is not None or time.monotonic() > until:
                raise CityError(f"mosquitto does not start:\n{self.broker_log()[-1000:]}")
            time.sleep(0.05)

    def broker_log(self) -> str:
        return (self._folder / "mosquitto.log").read_text(errors="replace")

    def kill_broker(self) -> None:
        """End it as a power cut does."""
        if self._broker:
            self._broker.kill()
            self._broker.wait()

    def start_collector(self, number: int = 0) -> None:
        """`tallypost listen` as a process of its own, until it says that it listens."""
        said = self._folder / f"listen-{number}.log"
        command = [
            sys.executable, "-m", "tallypost", "listen", *self._broker_of(number),
            "--user", "tallypost-listen", "--root", self._root, "--db", self.database,
            "--password-file", str(self._folder / "listen.password"), "--wait", str(_READY_S),
            *(["--ca", str(self.ca)] if self.ca else []),
        ]  # fmt: skip
        with open(said, "wb") as out:
            process = subprocess.Popen(
                command, cwd=_ROOT, stdout=subprocess.DEVNULL, stderr=out,
                preexec_fn=die_with_parent,
            )  # fmt: skip
        self._collectors[number] = process
        until = time.monotonic() + _READY_S
        while b"listening" not in said.read_bytes():
            if process.poll() is not None or time.monotonic() > until:
                raise CityError(f"tallypost listen does not start: {said.read_text()}")
            time.sleep(0.05)

    def _broker_of(self, _number: int) -> list[str]:
        """Options of a collector: its broker, and the name of its session."""
        return ["--host", NAME, "--port", str(self.ports[0])]

    def kill(self) -> None:
        """kill -9 of a collector, and another one in its place. Each time it is the next one."""
        number = self._kills % len(self._collectors)
        self._kills += 1
        self._collectors[number].kill()
        self._collectors[number].wait()
        self.start_collector(number)

    def processes(self) -> dict[str, int]:
        """By name the process ids of those that run."""
        running = {f"collector {i}": one for i, one in self._collectors.items()}
        found = running | ({"mosquitto": self._broker} if self._broker else {})
        return {name: one.pid for name, one in found.items() if one.poll() is None}

    def stop(self) -> None:
        for process in [*self._collectors.values(), self._broker]:
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(_END_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
        return True
    except OSError:
        return False
