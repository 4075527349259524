"""Three NATS servers as one MQTT broker, with the configuration of `backend/deploy/nats.conf`.

A collector listens at a server of its own. A kill ends a server and a collector at once, each time
the next ones, and starts both again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from simulator.load.city import HOST, NAME, City, CityError, free_port, is_open
from simulator.load.nodes.node import Login
from simulator.world.chip.process import die_with_parent

SERVERS = 3
_DEPLOY = Path(__file__).resolve().parents[2] / "tools" / "tallypost" / "backend" / "deploy"
_READY_S = 60.0
_CONSUMERS_SINCE = (2, 15)  # older servers do not know default_max_consumers
_ADVICE = (
    "nats-server is not installed. Run: go install github.com/nats-io/nats-server/v2@latest,"
    " or: apt install nats-server"
)


class Cluster(City):
    """As `City`, with three servers in the place of mosquitto."""

    def __init__(
        self, folder: Path, nodes: Iterable[str], root: str, tls: bool, database: str = ""
    ) -> None:  # fmt: skip
        super().__init__(folder, nodes, root, tls, database)
        self._program = nats_server()
        self.ports = [free_port() for _ in range(SERVERS)]
        self._routes = [free_port() for _ in range(SERVERS)]
        self._servers: dict[int, subprocess.Popen[bytes]] = {}
        (folder / "nats").mkdir()
        password = (folder / "listen.password").read_text().strip()
        logins = {"tallypost-listen": Login("tallypost-listen", password), **self.logins}
        (folder / "nats" / "nats-users.conf").write_text(users(logins, root))
        for number in range(SERVERS):
            self._write(number, tls)

    def _write(self, number: int, tls: bool) -> None:
        """The configuration of a server, as in deploy/, on ports of this run."""
        text = (_DEPLOY / "nats.conf").read_text()
        changes = [
            ('"127.0.0.1:4222"', f'"{HOST}:{free_port()}"'),
            ('"0.0.0.0:6222"', f'"{HOST}:{self._routes[number]}"'),
            ("port: 8883", f'host: "{HOST}", port: {self.ports[number]}'),
            ("/etc/nats/", f"{self._folder}/broker/"),
        ]
        if version(self._program) < _CONSUMERS_SINCE:
            changes.append(("limits { default_max_consumers: -1 }", ""))
        for old, new in changes:
            if old not in text:
                raise CityError(f"deploy/nats.conf has no '{old}'")
            text = text.replace(old, new)
        if not tls:
            text = re.sub(r"  tls \{.*?\n  \}\n", "", text, flags=re.DOTALL)
        (self._folder / "nats" / f"nats-{number}.conf").write_text(text)

    def start_broker(self) -> None:
        for number in range(SERVERS):
            self._start(number)
        self._wait(range(SERVERS))

    def _start(self, number: int) -> None:
        folder = self._folder / "nats"
        routes = {
            f"NATS_ROUTE_{i}": f"nats-route://{HOST}:{port}"
            for i, port in enumerate(self._routes, 1)
        }
        own = {"NATS_NAME": f"nats-{number}", "NATS_STORE": str(folder / f"store-{number}")}
        with open(folder / f"nats-{number}.log", "ab") as log:
            self._servers[number] = subprocess.Popen(
                [self._program, "-c", folder / f"nats-{number}.conf"],
                env=os.environ | routes | own,
                stdout=log, stderr=log, preexec_fn=die_with_parent,
            )  # fmt: skip

    def _wait(self, numbers: Iterable[int]) -> None:
        until = time.monotonic() + _READY_S
        for number in numbers:
            while not is_open(self.ports[number]):
                if self._servers[number].poll() is not None or time.monotonic() > until:
                    raise CityError(f"nats-server does not start:\n{self.broker_log()[-1000:]}")
                time.sleep(0.1)

    def broker_log(self) -> str:
        logs = sorted((self._folder / "nats").glob("*.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    def _broker_of(self, number: int) -> list[str]:
        port = str(self.ports[number % SERVERS])
        return ["--host", NAME, "--port", port, "--client-id", f"tallypost-listen-{number}"]

    def kill_broker(self) -> None:
        """End all servers as a power cut does."""
        for server in self._servers.values():
            server.kill()
            server.wait()

    def kill(self) -> None:
        number = self._kills % SERVERS
        self._servers[number].kill()
        self._servers[number].wait()
        self._start(number)
        self._wait([number])
        super().kill()

    def processes(self) -> dict[str, int]:
        running = {f"nats {i}": one.pid for i, one in self._servers.items()}
        return super().processes() | running

    def stop(self) -> None:
        super().stop()
        self.kill_broker()


def nats_server() -> str:
    """The program. Raises CityError."""
    homes = [os.environ.get("GOBIN", ""), str(Path.home() / "go" / "bin"), "/usr/sbin"]
    found = shutil.which("nats-server", path=":".join([os.environ["PATH"], *homes]))
    if not found:
        raise CityError(_ADVICE)
    return found


def version(program: str) -> tuple[int, int]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+)\.(\d+)", said.stdout)
    if not found:
        raise CityError(f"{program}: no version in '{said.stdout.strip()}'")
    return int(found[1]), int(found[2])


def users(logins: dict[str, Login], root: str) -> str:
    """The file of users, as in deploy/nats-users.conf: a topic a/b is the subject a.b."""
    base = root.replace("/", ".")
    lines = ["authorization { users = ["]
    for node, login in logins.items():
        publish, subscribe = [f"{base}.{node}.*"], [f"{base}.{node}.{x}" for x in ("ack", "cmd")]
        if node == "tallypost-listen":
            publish = [f"{base}.*.ack", f"{base}.*.cmd", f"{base}._probe.status"]
            subscribe = [f"{base}.>"]
        rights = f"publish: {_list(publish)}, subscribe: {_list([*subscribe, '$MQTT.sub.>'])}"
        user = f'user: "{login.user}", password: "{login.password}"'
        lines.append(f"  {{{user}, permissions: {{{rights}}}}}")
    return "\n".join([*lines, "] }", ""])


def _list(subjects: list[str]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in subjects) + "]"
