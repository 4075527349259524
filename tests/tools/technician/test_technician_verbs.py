"""`tallypost config` and `tallypost monitor`, at a good node and at a bad one."""

from __future__ import annotations

import base64
import json
import os
import pty
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from tests.support.nodes.fake_node import IDENTITY, FakeNode, Refuse, run
from tests.support.nodes.node_facts import CONFIG

from tallypost.cli import main
from tallypost.connection import line
from tallypost.security.fleet_keys import FleetKeys, canonical
from tallypost.technician import config, monitor

Body = dict[str, Any]
Capture = pytest.CaptureFixture[str]


# --- config


class Settings(FakeNode):
    """A node that stores values and has them in force after a reboot.

    spoils: the key of a value that a noisy line changes. keeps: whether it uses the stored values.
    """

    def __init__(self, spoils: str = "", keeps: bool = True) -> None:
        self.in_force, self.stored = dict(CONFIG), dict(CONFIG)
        self.boot = 3
        self._spoils, self._keeps = spoils, keeps
        super().__init__({
            "config_get": lambda _: self.in_force, "config_stored": lambda _: self.stored,
            "config_set": self._set, "reboot": self._reboot,
            "identity": lambda _: {**IDENTITY, "boot": self.boot},
        })  # fmt: skip

    def _set(self, body: Body) -> Body:
        change = dict(body["config"])
        if change.get("interval_min") == 7:
            raise Refuse("config: interval_min = 7, wanted one of (1, 5, 15, 60)")
        if self._spoils in change:
            change[self._spoils] = 188
        self.stored.update(change)
        return {"stored": change, "in_force": "after a reboot"}

    def _reboot(self, _body: Body) -> str:
        self.boot += 1
        self.in_force = dict(self.stored) if self._keeps else dict(CONFIG)
        return "rebooting"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_DOWN_S", 0.01)
    monkeypatch.setattr(config, "_STEP_S", 0.01)
    monkeypatch.setattr(line, "_PING_INTERVAL_S", 0.5)
    monkeypatch.setenv("COLUMNS", "120")


def test_config_get_shows_the_values_in_force(capsys: Capture) -> None:
    with Settings() as node:
        assert run(capsys, "config", node, "get", "site", "interval_min") == (
            0,
            "Configuration of PORT\nkey           in force  after a reboot\n"
            "site          gate\ninterval_min  15",
            "",
        )
        status, out, _ = run(capsys, "config", node, "get", "--json")
    values = json.loads(out)["values"]
    assert status == 0 and values["mqtt_host"] == {"in_force": "broker", "stored": "broker"}


def test_config_set_shows_old_and_new_values_and_that_a_reboot_is_needed(capsys: Capture) -> None:
    with Settings() as node:
        status, out, err = run(capsys, "config", node, "set", "interval_min=5", "site=a=b c")
        assert node.stored["interval_min"] == 5 and node.stored["site"] == "a=b c"
        assert "reboot" not in node.names()
    assert status == 0 and "interval_min  15        5" in out and "site          gate" in out
    assert err == "To put it in force, run: tallypost config get --reboot"


def test_config_set_with_reboot_puts_the_value_in_force(capsys: Capture) -> None:
    with Settings() as node:
        status, out, err = run(capsys, "config", node, "set", "interval_min=5", "--reboot")
        assert node.in_force["interval_min"] == 5 and node.boot == 4
    assert (status, err) == (0, "") and "interval_min  5" in out


def test_settings_that_can_lose_a_node_are_signed(capsys: Capture, tmp_path: Path) -> None:
    keys = FleetKeys.open(tmp_path)
    with Settings() as node:
        words = ("set", "mqtt_host=b", "--keys", str(tmp_path))
        status, out, err = run(capsys, "config", node, *words)
        [body] = [one for one in node.commands if one["cmd"] == "config_set"]
    assert status == 0 and "PRIVATE" not in out + err
    assert "has to confirm a record within 10 minutes" in err
    text = canonical(IDENTITY["node"], body["serial"], body["config"])
    signature = base64.b64decode(body["sig"])
    keys.public(1).verify(signature, text, padding.PKCS1v15(), hashes.SHA256())


def test_other_settings_are_not_signed_and_a_missing_key_is_told(capsys: Capture) -> None:
    with Settings() as node:
        _, _, err = run(capsys, "config", node, "set", "site=x")
        assert "sign" not in err
        status, _, err = run(capsys, "config", node, "set", "mqtt_host=b")
        assert not any("sig" in body for body in node.commands)
    assert status == 0 and "not signed: mqtt_host. A node with a fleet key refuses it." in err


def test_a_node_that_falls_back_to_older_values_is_an_error(capsys: Capture) -> None:
    with Settings(keeps=False) as node:
        status, _, err = run(capsys, "config", node, "set", "interval_min=5", "--reboot")
    assert status == 1 and "error: PORT: interval_min is 15, not 5: the node fell back" in err


def test_a_value_that_a_noisy_line_has_changed_is_an_error(capsys: Capture) -> None:
    with Settings(spoils="mqtt_host") as node:
        status, _, err = run(capsys, "config", node, "set", "mqtt_host=b")
    assert status == 1 and "{'mqtt_host': 188} is stored, not {'mqtt_host': 'b'}" in err


@pytest.mark.parametrize(
    ("words", "status", "text"),
    (
        (("set", "interval_min=7"), 1, "wanted one of (1, 5, 15, 60)"),
        (
            ("set", "intervall=5"),
            2,
            "no key 'intervall'. The keys are: detector, interval_min, mqtt_host",
        ),
        (("get", "speed"), 2, "no key 'speed'"),
        (("set", "interval_min"), 2, "Give at least one KEY=VALUE"),
        (("set",), 2, "No value to set is given. Give at least one KEY=VALUE"),
    ),
)
def test_keys_and_values_that_cannot_be_used_are_refused(
    words: tuple[str, ...], status: int, text: str, capsys: Capture
) -> None:
    with Settings() as node:
        got, out, err = run(capsys, "config", node, *words)
        assert node.stored == CONFIG
    assert got == status and out == "" and text in err and err.startswith("error: ")


# --- monitor


class Tty:
    """A board on a pseudo-terminal, to be unplugged and plugged in again."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def plug(self) -> None:
        self._ours, self._theirs = pty.openpty()
        self.path.symlink_to(os.ttyname(self._theirs))

    def say(self, text: bytes) -> None:
        os.write(self._ours, text)

    def unplug(self) -> None:
        self.path.unlink()
        os.close(self._theirs)
        os.close(self._ours)


@pytest.fixture
def tty(tmp_path: Path) -> Iterator[Tty]:
    tty = Tty(tmp_path / "ttyUSB0")
    tty.plug()
    yield tty
    tty.unplug()


def when_opened(monkeypatch: pytest.MonkeyPatch, send: Callable[[], None]) -> None:
    """Send bytes as soon as `monitor` has opened the port."""
    opened = monitor.open_port

    def open_port(name: str, baud: int) -> Any:
        port = opened(name, baud)
        send()
        return port

    monkeypatch.setattr(monitor, "open_port", open_port)


def test_monitor_shows_the_log_and_waits_for_a_board_that_was_unplugged(
    tty: Tty, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, again = [], threading.Event()

    def show(text: str, _json: bool) -> None:
        shown.append(text)
        if text == "9 info first":
            tty.unplug()
            threading.Timer(0.05, lambda: (tty.plug(), again.set())).start()
        elif text == "1 info second":
            raise KeyboardInterrupt

    monkeypatch.setattr(monitor, "_show", show)
    monkeypatch.setattr(monitor, "_RETRY_S", 0.02)
    first, second = b'{"aim":"passage"}\r\n9 info first\r\n', b"1 info second\r\n"
    when_opened(monkeypatch, lambda: tty.say(second if again.is_set() else first))
    assert main(["monitor", "--port", str(tty.path)]) == 0
    assert shown == ["9 info first", "1 info second"]
    err = capsys.readouterr().err
    assert "unplugged, waiting for it" in err and "connected again" in err


def test_monitor_without_such_a_port_is_an_error(capsys: Capture) -> None:
    assert main(["monitor", "--port", "/dev/ttyGONE9"]) == 1
    assert "no such port" in capsys.readouterr().err


def test_monitor_as_json_has_time_and_line(
    tty: Tty, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    when_opened(monkeypatch, lambda: tty.say(b'12 info wifi: up\r\n{"aim":"passage"}\r\n'))
    assert main(["monitor", "--port", str(tty.path), "--seconds", "0.5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["line"] == "12 info wifi: up" and told["at"][10] == "T"
