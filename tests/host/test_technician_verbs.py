"""What aim, monitor, pull and config show and do, at a good node and at a bad one."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest
import reports
from fake_node import IDENTITY, LOG, FakeNode, Refuse, Stream, tidy
from node_facts import CONFIG, facts

from tools.tallypost import main
from tools.technician import config, line, monitor
from tools.technician.scene import Scene

Body = dict[str, Any]
Capture = pytest.CaptureFixture[str]
LOG_ID = IDENTITY["log"]


def run(capsys: Capture, verb: str, node: FakeNode, *words: str) -> tuple[int, str, str]:
    status = main([verb, *words, "--port", node.port])
    out, err = capsys.readouterr()
    return status, tidy(out), tidy(err)


GOLDEN = Path(__file__).parent / "golden"


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


# --- aim


def _targets(*targets: Body, state: int = 1) -> Body:
    return {"aim": "targets", "state": state, "targets": list(targets)}


_CAR = {"m": 23, "kmh": 41, "deg": -3, "snr": 18, "near": True}
_PASSAGE = {"aim": "passage", "direction": "forward", "class": "car", "kmh": 40.2}
_WALKER = {"aim": "passage", "direction": "backward", "class": "pedestrian", "kmh": None}
_BEGUN = {"seconds": 60, "detector": "ld2451"}


def test_aim_tells_in_lines_where_there_is_no_terminal(capsys: Capture) -> None:
    stream = Stream(
        _BEGUN, _targets(), b"7 info hello\r\n", _PASSAGE, _WALKER, {"end": True, "passages": 2}
    )
    with FakeNode({"aim": stream}) as node:
        assert run(capsys, "aim", node, "--seconds", "60") == (
            0,
            "counted: forward car, 40 km/h\ncounted: backward pedestrian, speed unknown\n"
            "2 counted: backward pedestrian 1, forward car 1",
            "",
        )
        assert node.commands[-1]["seconds"] == 60


def test_aim_as_json_has_no_command_ids(capsys: Capture) -> None:
    with FakeNode({"aim": Stream(_BEGUN, _targets(_CAR), {"end": True, "passages": 0})}) as node:
        status, out, _ = run(capsys, "aim", node, "--json")
    assert status == 0 and [json.loads(text) for text in out.splitlines()] == [
        _targets(_CAR), {"end": True, "passages": 0}
    ]  # fmt: skip


def test_aim_notices_a_node_that_is_unplugged_or_refuses(capsys: Capture) -> None:
    for answer, text in (
        (Refuse("aim: seconds = 900, wanted 0..600"), "wanted 0..600"),
        (Refuse("not provisioned: run `tallypost provision`"), "not provisioned"),
    ):
        with FakeNode({"aim": answer}) as node:
            status, out, err = run(capsys, "aim", node)
        assert (status, out) == (1, "") and text in err and err.count("\n") == 0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_picture_of_a_radar() -> None:
    scene = Scene("ld2451", Clock())
    far = {"m": 80, "kmh": 12, "deg": 8, "snr": 9, "near": False}
    scene.take(_targets(far, _CAR))
    scene.take(_PASSAGE)
    assert scene.draw().splitlines() == [
        "ld2451: ok",
        "  #######                        23 m 41 km/h nearer -3 deg SNR 18",
        "  ########################       80 m 12 km/h away +8 deg SNR 9",
        "",
        "counted: forward car, 40 km/h",
        "",
        "Ctrl-C ends",
    ]
    scene.take(_targets(state=2))
    assert "nothing in sight" in scene.draw() and "ld2451: quiet" in scene.draw()


def test_the_picture_of_beams() -> None:
    scene = Scene("beam", Clock())
    told = scene.take({"aim": "beams", "state": 1, "beams": [[True, 5], [False, 4]]})
    assert told == ["  beam A: BROKEN  2 times broken", "  beam B: clear   2 times broken"]
    assert scene.take({"aim": "beams", "state": 1, "beams": [[True, 5], [False, 4]]}) == []
    assert told[0] in scene.draw() and scene.summary() == "nobody was counted"


def test_radars_that_know_less_are_shown_with_what_they_know() -> None:
    scene = Scene("ops243", Clock())
    scene.take(_targets({"kmh": 31.4, "mag": 80, "near": True}))
    assert "  31 km/h nearer strength 80" in scene.draw()
    scene.take(_targets({"kmh": 12.0}))
    assert "  12 km/h" in scene.draw()


def test_hints() -> None:
    clock = Clock()

    def hint(detector: str, *bodies: Body, after: float = 0) -> str:
        clock.now = 0
        scene = Scene(detector, clock)
        for body in bodies:
            scene.take(body)
        clock.now = after
        return scene.hint()

    weak, askew = {**_CAR, "snr": 4}, {**_CAR, "deg": 22}
    assert hint("ld2451", *[_targets(_CAR)] * 30) == ""
    assert "weak: SNR 4 on average" in hint("ld2451", *[_targets(weak)] * 20)
    assert hint("ld2451", *[_targets(weak)] * 5) == "", "five say nothing yet"
    assert "22 degrees to one side; turn it right" in hint("ld2451", *[_targets(askew)] * 20)
    assert "nothing seen for 20 s" in hint("ld2451", _targets(_CAR), after=21)
    assert hint("ld2451", _targets(_CAR), after=19) == ""
    assert "does not answer" in hint("ld2451", _targets(state=3))
    assert "one beam is broken without" in hint("beam", {"aim": "beams", "state": 5, "beams": []})
    blocked = {"aim": "beams", "state": 1, "beams": [[True, 1], [False, 0]]}
    assert "a beam stays broken" in hint("beam", blocked, after=21)


def test_a_hint_is_told_once() -> None:
    clock = Clock()
    scene = Scene("ld2451", clock)
    clock.now = 21
    assert (
        scene.take(_targets())[0].startswith("hint: nothing seen") and scene.take(_targets()) == []
    )


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


# --- pull


def _record(seq: int) -> tuple[str, Body]:
    """An interval, and an event for every fourth number."""
    if seq % 4 == 0:
        return "event", json.loads(reports.event(log=LOG_ID, node="gate-1", seq=seq))
    interval = reports.interval(seq, total=seq - seq // 4)
    return "counts", json.loads(reports.counts(interval, log=LOG_ID, node="gate-1"))


class Log(FakeNode):
    """A node with so many records. spoils: numbers whose line arrives damaged, so many times."""

    def __init__(self, newest: int, spoils: dict[int, int] | None = None, oldest: int = 1) -> None:
        self.newest, self.oldest, self.spoils = newest, oldest, spoils or {}
        self.confirmed = 0
        super().__init__({
            "check": lambda _: facts(ring__newest=self.newest), "records": self._records,
            "confirm": self._confirm,
        })  # fmt: skip

    def _records(self, body: Body) -> Stream:
        first = body["from"]
        last = min(body["to"], self.newest, first + 7)
        result = {"log": LOG_ID, "from": first, "to": last, "newest": self.newest}
        if first < self.oldest:
            gone = {"v": 1, "node": "gate-1", "log": LOG_ID, "event": "gone", "from": first,
                    "to": self.oldest - 1}  # fmt: skip
            return Stream(result, self._line("event", gone), {"end": True, "next": self.oldest})
        lines = [self._line(*_record(seq), seq) for seq in range(first, last + 1)]
        return Stream(result, *lines, {"end": True, "next": last + 1})

    def _line(self, topic: str, record: Body, seq: int = 0) -> bytes:
        body = json.dumps(record)
        crc = zlib.crc32(body.encode())
        if self.spoils.get(seq, 0) > 0:
            self.spoils[seq] -= 1
            body = body.replace('"v": 1', '"v":  1') if seq % 2 else body[:40]
        return b'{"id":"%%s","topic":"%s","body":%s,"crc":"%08x"}\r\n' % (
            topic.encode(), body.encode(), crc
        )  # fmt: skip

    def _confirm(self, body: Body) -> Body:
        assert body["log"] == LOG_ID
        self.confirmed = body["seq"]
        return {"confirmed": body["seq"]}


def _held(db: Path) -> list[int]:
    with sqlite3.connect(db) as base:
        return [seq for (seq,) in base.execute("SELECT seq FROM records ORDER BY seq")]


def test_pull_takes_everything_once_and_confirms_nothing(tmp_path: Path, capsys: Capture) -> None:
    db = tmp_path / "x.sqlite"
    with Log(20) as node:
        status, out, err = run(capsys, "pull", node, "--db", str(db))
        assert (status, err) == (0, "") and _held(db) == list(range(1, 21))
        assert out == f"gate-1: 15 new intervals, 5 new events of records 1 to 20 in {db}"
        assert node.confirmed == 0
        node.newest = 22
        status, out, _ = run(capsys, "pull", node, "--db", str(db), "--json")
        told = json.loads(out)
        assert status == 0 and told["asked"] == [21, 22] and told["missing"] == []
        assert (told["intervals"], told["events"], told["confirmed"]) == (2, 0, None)
        assert run(capsys, "pull", node, "--db", str(db))[0] == 0
        assert [body["from"] for body in node.commands if body["cmd"] == "records"] == [
            1, 9, 17, 21
        ], "what is held is not asked for"  # fmt: skip


def test_pull_confirms_when_it_is_told_to(tmp_path: Path, capsys: Capture) -> None:
    with Log(9) as node:
        status, out, _ = run(capsys, "pull", node, "--db", str(tmp_path / "x"), "--confirm")
        assert status == 0 and node.confirmed == 9 and "up to record 9" in out


def test_pull_asks_again_for_what_arrives_damaged(tmp_path: Path, capsys: Capture) -> None:
    db = tmp_path / "x"
    with Log(12, spoils={3: 1, 6: 2, 8: 1}) as node:
        assert run(capsys, "pull", node, "--db", str(db))[0] == 0
    assert _held(db) == list(range(1, 13))


def test_pull_gives_up_on_what_is_always_damaged_and_keeps_the_rest(
    tmp_path: Path, capsys: Capture
) -> None:
    db = tmp_path / "x"
    with Log(12, spoils={6: 99}) as node:
        status, _, err = run(capsys, "pull", node, "--db", str(db))
        assert status == 1 and "PORT: record 6 arrives damaged, 3 times" in err
        assert _held(db) == [1, 2, 3, 4, 5]
        node.spoils.clear()
        assert run(capsys, "pull", node, "--db", str(db))[0] == 0 and len(_held(db)) == 12


def test_pull_shows_what_no_longer_exists(tmp_path: Path, capsys: Capture) -> None:
    with Log(12, oldest=9) as node:
        status, out, _ = run(capsys, "pull", node, "--db", str(tmp_path / "x"))
    assert status == 0 and "1 ranges no longer exist on the node" in out


def test_pull_of_a_node_that_is_unplugged_keeps_what_came(tmp_path: Path, capsys: Capture) -> None:
    db = tmp_path / "x"
    with Log(20) as node:
        node._left = 5  # ping, identity, check, two portions
        status, _, err = run(capsys, "pull", node, "--db", str(db))
        assert status == 1 and "unplugged" in err and _held(db) == list(range(1, 17))


@pytest.mark.parametrize("path", ("/gone/x", "@"))
def test_pull_into_no_file(path: str, tmp_path: Path, capsys: Capture) -> None:
    with Log(1) as node:
        status, _, err = run(capsys, "pull", node, "--db", path.replace("@", str(tmp_path)))
    assert status == 1 and "name another file with --db" in err


def test_pull_of_a_board_without_identity(tmp_path: Path, capsys: Capture) -> None:
    with FakeNode({"identity": {**IDENTITY, "node": ""}}) as node:
        status, _, err = run(capsys, "pull", node, "--db", str(tmp_path / "x"))
    assert status == 1 and "not provisioned" in err
