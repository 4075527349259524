"""What config and monitor show and do, at a good node and at a bad one; every help."""

from __future__ import annotations

import json
import os
import pty
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes.fake_node import IDENTITY, LOG, FakeNode, Refuse, run
from tests.support.nodes.node_facts import CONFIG

from tallypost.cli import main
from tallypost.technician import config
from tallypost.connection import line
from tallypost.technician import monitor

Body = dict[str, Any]
Capture = pytest.CaptureFixture[str]


GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("verb", ("check", "aim", "monitor", "pull", "config", "calibrate"))
def test_the_help_is_as_it_was(
    verb: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tallypost VERB --help` with COLUMNS=100 makes it anew."""
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    assert capsys.readouterr().out == (GOLDEN / f"{verb}.txt").read_text()


# --- config


class Settings(FakeNode):
    """A node that stores what it is told, and has it in force after a reboot. spoils: a key whose
    value a noisy line changes."""

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
    monkeypatch.setattr(line, "_TRY_S", 0.5)
    monkeypatch.setenv("COLUMNS", "120")


def test_config_get_shows_what_is_in_force(capsys: Capture) -> None:
    with Settings() as node:
        assert run(capsys, "config", node, "get", "site", "interval_min") == (
            0,
            "configuration of PORT\nkey           in force  after a reboot\n"
            "site          gate\ninterval_min  15",
            "",
        )
        status, out, _ = run(capsys, "config", node, "get", "--json")
    values = json.loads(out)["values"]
    assert status == 0 and values["mqtt_host"] == {"in_force": "broker", "stored": "broker"}


def test_config_set_shows_old_and_new_and_that_a_reboot_is_needed(capsys: Capture) -> None:
    with Settings() as node:
        status, out, err = run(capsys, "config", node, "set", "interval_min=5", "site=a=b c")
        assert node.stored["interval_min"] == 5 and node.stored["site"] == "a=b c"
        assert "reboot" not in node.names()
    assert status == 0 and "interval_min  15        5" in out and "site          gate" in out
    assert err == "to have it in force: tallypost config get --reboot"


def test_a_reboot_has_it_in_force(capsys: Capture) -> None:
    with Settings() as node:
        status, out, err = run(capsys, "config", node, "set", "interval_min=5", "--reboot")
        assert node.in_force["interval_min"] == 5 and node.boot == 4
    assert (status, err) == (0, "") and "interval_min  5" in out


def test_a_node_that_falls_back_to_older_values_is_noticed(capsys: Capture) -> None:
    with Settings(keeps=False) as node:
        status, _, err = run(capsys, "config", node, "set", "interval_min=5", "--reboot")
    assert status == 1 and "error: PORT: interval_min is 15, not 5. the node fell back" in err


def test_what_a_noisy_line_has_changed_is_noticed(capsys: Capture) -> None:
    with Settings(spoils="mqtt_host") as node:
        status, _, err = run(capsys, "config", node, "set", "mqtt_host=b")
    assert status == 1 and "stored {'mqtt_host': 188}, meant {'mqtt_host': 'b'}" in err


@pytest.mark.parametrize(
    ("words", "status", "text"),
    (
        (("set", "interval_min=7"), 1, "wanted one of (1, 5, 15, 60)"),
        (("set", "intervall=5"), 2, "no key intervall. keys: detector, interval_min, mqtt_host"),
        (("get", "speed"), 2, "no key speed"),
        (("set", "interval_min"), 2, "wanted KEY=VALUE"),
        (("set",), 2, "nothing to set. wanted KEY=VALUE"),
    ),
)
def test_what_cannot_be_set_is_refused(
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


def test_monitor_shows_the_log_and_waits_for_a_board_that_was_unplugged(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tty, shown = Tty(tmp_path / "ttyUSB0"), []
    enough = threading.Event()

    def show(text: str, _json: bool) -> None:
        shown.append(text)
        if text == "9 info first":
            tty.unplug()
            threading.Timer(0.05, lambda: (tty.plug(), again.set())).start()
        elif text == "1 info second":
            raise KeyboardInterrupt

    again = threading.Event()
    monkeypatch.setattr(monitor, "_show", show)
    monkeypatch.setattr(monitor, "_AGAIN_S", 0.02)
    opened = monitor.open_port

    def open_port(name: str, baud: int) -> Any:
        port = opened(name, baud)
        tty.say(
            b"1 info second\r\n" if again.is_set() else b'{"aim":"passage"}\r\n9 info first\r\n'
        )
        return port

    monkeypatch.setattr(monitor, "open_port", open_port)
    tty.plug()
    assert main(["monitor", "--port", str(tty.path)]) == 0
    tty.unplug()
    assert shown == ["9 info first", "1 info second"] and not enough.is_set()
    err = capsys.readouterr().err
    assert "unplugged, or its other end has gone; waiting for it" in err and "here again" in err


def test_monitor_of_no_port_is_an_error(capsys: Capture) -> None:
    assert main(["monitor", "--port", "/dev/ttyGONE9"]) == 1
    assert "no such port" in capsys.readouterr().err


def test_monitor_as_json(tmp_path: Path, capsys: Capture) -> None:
    with FakeNode(banner=LOG) as node:
        monitor._show("12 info wifi: up", True)
        assert main(["monitor", "--port", node.port, "--seconds", "0.05"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["line"] == "12 info wifi: up" and told["at"][10] == "T"
