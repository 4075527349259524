"""A PostgreSQL server of its own for tests, in a temporary folder, as an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.support.runs.running import free_port

_START_S = 60


def programs() -> Path | None:
    """The folder of the server's programs, None if it is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


class Server:
    """A running server. `url(name)` makes a database and returns its address."""

    def __init__(self, bin_folder: Path, folder: Path, is_durable: bool) -> None:
        self._bin = bin_folder
        self._folder = folder
        self.port = free_port()
        self._user = _unprivileged(folder)
        self._run("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "tallypost",
                  "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")  # fmt: skip
        sync = () if is_durable else ("-c", "fsync=off", "-c", "synchronous_commit=off")
        self._command = [
            str(bin_folder / "postgres"), "-D", str(folder / "data"), "-p", str(self.port),
            "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", *sync,
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, **self._user, cwd=self._folder
            )
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            try:
                with closing(self.connect("postgres")):
                    return
            except Exception:
                time.sleep(0.1)
        raise TimeoutError((self._folder / "log").read_text()[-2000:])

    def connect(self, name: str) -> Any:
        import psycopg

        return psycopg.connect(self._address(name), autocommit=True)

    def _address(self, name: str) -> str:
        return f"postgresql://tallypost@127.0.0.1:{self.port}/{name}"

    def url(self, name: str) -> str:
        with closing(self.connect("postgres")) as db:
            db.execute(f"CREATE DATABASE {name}")
        return self._address(name)

    def stop(self, how: int = signal.SIGQUIT) -> None:
        """End the server. SIGQUIT: at once, as in a crash."""
        self._process.send_signal(how)
        self._process.wait()

    def _run(self, program: str, *words: str) -> None:
        subprocess.run(
            [self._bin / program, *words], check=True, capture_output=True, **self._user,
            cwd=self._folder,
        )  # fmt: skip


def _unprivileged(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as `nobody`."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextmanager
def server(is_durable: bool = False) -> Iterator[Server]:
    """A server, removed at the end. is_durable: whether a commit waits for the disk."""
    found = programs()
    assert found, "no PostgreSQL server is installed"
    folder = Path(tempfile.mkdtemp(prefix="tallypost-pg-"))
    running = None
    try:
        running = Server(found, folder, is_durable)
        yield running
    finally:
        if running:
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)
