"""The way of tools/README.md and tools/BROKER.md: from `provision` to the first confirmed record.

The commands are those of the pages. A real mosquitto runs with the generated files as the user
`mosquitto`, and the node is the firmware's delivery with the identity that `provision` wrote.
"""

from __future__ import annotations

import json
import os
import pwd
import shlex
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.support.boards.booted import nvs
from tests.support.boards.mock_board import MockBoard, own_answers
from tests.support.runs.delivering import Node
from tests.support.runs.running import free_port, wait_for

from tallypost import cli
from tallypost.hardware.boards import ROOT
from tallypost.security.authority import Authority

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
HOST = "broker.example.org"
CBC = "ECDHE-ECDSA-AES128-SHA256"
TIMEOUT_S = 60.0


def commands(page: str, word: str) -> list[str]:
    """The indented commands of a page that hold a word."""
    text = (ROOT / "tools" / page).read_text().replace("\\\n", "")
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    return [line for line in lines if word in line]


class City:
    """The folder of the operator, and a broker in the place of /etc/mosquitto."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        self.folder, self.bench, self.etc = folder, folder / "bench", folder / "etc"
        self.port = free_port()
        self.log = folder / "mosquitto.log"
        self.ends = ends
        (folder / "wifi.txt").write_text("between-you-and-me\n")
        (folder / "data").mkdir()
        shutil.chown(folder / "data", "mosquitto", "mosquitto")
        self._broker: subprocess.Popen[bytes] | None = None

    def local(self, command: str) -> str:
        """A command of a page for the paths and the host of this test."""
        changes = {
            "/etc/mosquitto": str(self.etc), "bench": str(self.bench), HOST: "localhost",
            "wifi.txt": str(self.folder / "wifi.txt"), "counts.sqlite": str(self.db),
            "sudo ": "", ".venv/bin/tallypost": "tallypost",
        }  # fmt: skip
        for old, new in changes.items():
            command = command.replace(old, new)
        return command

    @property
    def db(self) -> Path:
        return self.folder / "counts.sqlite"

    def provision(self) -> MockBoard:
        """A board with the identity of the first command of the page."""
        board = MockBoard("esp32_generic")
        self.ends.callback(board.close)
        self.provision_again(board)
        return board

    def provision_again(self, board: MockBoard) -> None:
        with own_answers():
            [command] = commands("README.md", "provision --port")
            words = shlex.split(self.local(command).replace("/dev/ttyUSB0", board.url))
            more = ("--set", f"mqtt_port={self.port}", "--broker-folder", f"{self.etc}/tallypost")
            assert cli.main([*words[1:], *more]) == 0

    def install(self) -> None:
        for command in commands("BROKER.md", "sudo install"):
            subprocess.run(self.local(command), shell=True, check=True, timeout=TIMEOUT_S)
        conf = self.etc / "mosquitto.conf"
        text = conf.read_text()
        for old, new in (
            (
                "persistence_location /var/lib/mosquitto/",
                f"persistence_location {self.folder}/data/",
            ),
            ("autosave_interval 30", "autosave_interval 1"),
            ("include_dir /etc/mosquitto/conf.d\n", ""),
        ):
            assert old in text
            text = text.replace(old, new)
        conf.write_text(text)

    def start(self) -> None:
        assert MOSQUITTO
        with open(self.log, "ab") as log:
            self._broker = subprocess.Popen(
                [MOSQUITTO, "-c", self.etc / "mosquitto.conf"], stderr=log, stdout=log,
                user="mosquitto", group="mosquitto", extra_groups=[],
            )  # fmt: skip
        self.ends.callback(self.kill)
        wait_for(self.port)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._broker:
            self._broker.kill()
            self._broker.wait()
            self._broker = None

    def listen(self, user: str, seconds: int = 120) -> subprocess.Popen[str]:
        """`tallypost listen` as on the page, for a user."""
        [command] = commands("BROKER.md", "tallypost listen")
        name = user.removeprefix("tallypost-")
        command = command.replace("tallypost-listen", user)
        command = command.replace("listen.password", f"{name}.password")
        words = shlex.split(self.local(command))
        more = ("--port", str(self.port), "--seconds", str(seconds))
        process = subprocess.Popen(
            [sys.executable, "-m", *words, *more], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.ends.callback(process.kill)
        return process

    def node(self, board: MockBoard) -> Node:
        """The delivery of a node with the identity on a board."""
        found = nvs(bytes(board.flash.data))
        read = {key: found.get_blob("tallypost", key) for key in ("mqtt_pass", "mqtt_ca")}
        path = self.folder / "identity.json"
        path.write_text(
            json.dumps(
                {
                    "node": found.get_blob("tallypost", "id").decode(), "host": "localhost",
                    "password": read["mqtt_pass"].decode(), "ca": read["mqtt_ca"].hex(),
                }
            )
        )  # fmt: skip
        user = found.get_blob("tallypost", "mqtt_user").decode()
        node = Node(self.port, user=user, identity=path)
        self.ends.callback(node.stop)
        return node

    def wait_for_log(self, text: str) -> None:
        until = time.monotonic() + TIMEOUT_S
        while text not in self.log.read_text(errors="replace"):
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)


@pytest.fixture
def city(monkeypatch: pytest.MonkeyPatch) -> Iterator[City]:
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    if os.getuid() != 0:
        pytest.skip("only root can start mosquitto as the user mosquitto")
    with suppress(KeyError):
        pwd.getpwnam("mosquitto")
        with ExitStack() as ends:
            # Not below the folder of pytest, which the user mosquitto cannot enter.
            folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)
            monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
            yield City(folder, ends)
        return
    pytest.skip("this machine has no user mosquitto (Debian package mosquitto)")


def test_the_way_of_the_pages_ends_with_a_confirmed_record(city: City) -> None:
    board = city.provision()
    city.install()
    city.start()
    listener = city.listen("tallypost-listen")
    city.wait_for_log(" as tallypost-listen (")
    time.sleep(1)  # and has subscribed
    node = city.node(board)
    node.waits_until(lambda state: state["up"])
    node.close(3)
    assert node.waits_until(lambda state: state["confirmed"] == 3)["connects"] == 1
    with sqlite3.connect(city.db) as db:
        assert db.execute("SELECT node, count(*) FROM records GROUP BY node").fetchall() == [
            ("street-1", 3)
        ]
    log = city.log.read_text(errors="replace")
    for name in ("street-1", "tallypost-listen"):
        assert f" as {name} (" in log and f"u'{name}'" in log, "the user is the client id"
    listener.send_signal(signal.SIGTERM)
    _out, err = listener.communicate(timeout=TIMEOUT_S)
    assert "listening to" in err and "warning" not in err, err


def test_records_sent_before_a_crash_of_the_broker_reach_the_backend(city: City) -> None:
    board = city.provision()
    city.install()
    city.start()
    first = city.listen("tallypost-listen", seconds=3)
    assert first.wait(TIMEOUT_S) == 0, "the session of the backend is known to the broker"
    node = city.node(board)
    node.waits_until(lambda state: state["up"])
    node.close(2)
    node.waits_until(lambda state: state["sent"] == 2)
    time.sleep(2.5)  # autosave_interval is 1 s here
    city.kill()
    node.stop()
    city.start()
    assert city.listen("tallypost-listen", seconds=5).wait(TIMEOUT_S) == 0
    with sqlite3.connect(city.db) as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (2,)


def test_the_broker_refuses_plain_text_and_weak_ciphers(city: City) -> None:
    city.provision()
    city.install()
    city.start()
    context = ssl.create_default_context(cafile=str(city.bench / "ca.pem"))
    with socket.create_connection(("127.0.0.1", city.port), 10) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            assert tls.version() == "TLSv1.3"
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CBC)
    with pytest.raises(ssl.SSLError):
        with socket.create_connection(("127.0.0.1", city.port), 10) as plain:
            context.wrap_socket(plain, server_hostname="localhost")
    plain_words = ["listen", "--host", "localhost", "--port", str(city.port), "--seconds", "1"]
    assert cli.main([*plain_words, "--db", str(city.db)]) == 1


def test_a_user_without_the_right_to_confirm_is_told(city: City) -> None:
    city.provision()
    city.install()
    city.start()
    listener = city.listen("tallypost-office", seconds=1)
    _out, err = listener.communicate(timeout=TIMEOUT_S)
    assert "warning: The broker denies tallypost/v1/+/ack: nodes would never" in err, err
    assert "/cmd" not in err


def test_a_user_without_the_right_to_read_is_told(city: City) -> None:
    city.provision()
    acl = city.bench / "broker" / "mosquitto.acl"
    lines = acl.read_text().splitlines()
    at = lines.index("user tallypost-listen")
    kept = lines[: at + 1] + [
        line for line in lines[at + 1 :] if not line.startswith("topic read") or "office" in line
    ]
    acl.write_text("\n".join(kept) + "\n")
    city.install()
    city.start()
    _out, err = city.listen("tallypost-listen", seconds=1).communicate(timeout=TIMEOUT_S)
    assert "The broker sends nothing of tallypost/v1/+/status: records would never" in err, err


def test_nodes_of_both_authorities_reach_the_broker_during_a_change(city: City) -> None:
    board = city.provision()
    out = str(city.bench)
    assert cli.main(["authority", "rotate", "--out", out]) == 0
    city.provision_again(board)
    assert cli.main(["authority", "switch", "--out", out]) == 0
    city.install()
    city.start()
    trusted = Authority(city.bench).trusted()
    assert len(trusted) == 2
    found = nvs(bytes(board.flash.data))
    assert {found.get_blob("tallypost", key) for key in ("mqtt_ca", "mqtt_ca2")} == set(trusted)
    context = ssl.create_default_context(cadata=found.get_blob("tallypost", "mqtt_ca2"))
    with socket.create_connection(("127.0.0.1", city.port), 10) as plain:
        context.wrap_socket(plain, server_hostname="localhost").close()
