"""`tallypost calibrate`: the commands to the node, the result, and wrong usage."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.nodes.fake_node import FakeNode
from tests.tools import golden_output

from tallypost.cli import main
from tallypost.connection import transports
from tallypost.faults import ToolError
from tallypost.i18n import LANGUAGES
from tallypost.technician import calibrate

NONE = {direction: dict.fromkeys(calibrate.CLASSES, 0) for direction in calibrate.DIRECTIONS}
Reply = Callable[[dict[str, Any]], dict[str, Any] | None]


class Broker:
    """Stands for the Listener: answers a command as a node would."""

    reply: Reply = staticmethod(lambda _command: None)
    sent: list[tuple[str, dict[str, Any]]] = []

    def __init__(
        self, asker: transports.BrokerNode, topics: list[str], _client: str, _login: object
    ) -> None:
        self._asker, self._topic = asker, topics[0]
        self.client = self
        self._answer: dict[str, Any] | None = None

    def connect(self, _host: str, _port: int) -> None:
        """It always works."""

    def disconnect(self) -> None:
        """Nothing is connected."""

    def publish(self, topic: str, payload: str, _qos: int) -> None:
        command = json.loads(payload)
        Broker.sent.append((topic, command))
        self._answer = Broker.reply(command)
        if self._answer:
            self._answer["id"] = command["id"]

    def loop(self, _seconds: float) -> None:
        self._asker.on_message(self._topic, b"rubbish", 0)
        self._asker.on_message(self._topic, b'{"id": "another", "ok": true}', 0)
        if self._answer:
            self._asker.on_message(self._topic, json.dumps(self._answer).encode(), 0)


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "Listener", Broker)
    monkeypatch.setattr(transports, "REPLY_TIMEOUT_S", 0.05)
    Broker.sent = []


def result(passes: bool) -> dict[str, Any]:
    tally = {**NONE, "forward": {**NONE["forward"], "car": 100}}
    counted = {**NONE, "forward": {**NONE["forward"], "car": 97}}
    return {
        "counted": counted, "tally": tally, "error_pct": {"forward.car": -3.0},
        "total_error_pct": -3.0, "limit_pct": 5, "pass": passes,
    }  # fmt: skip


def test_start_and_tally_are_sent_to_the_node(capsys: pytest.CaptureFixture[str]) -> None:
    Broker.reply = staticmethod(lambda _command: {"ok": True, "result": "counting"})
    assert main(["calibrate", "--node", "gate-1", "--start"]) == 0
    Broker.reply = staticmethod(lambda _command: {"ok": True, "result": result(True)})
    words = ["calibrate", "--node", "gate-1", "--tally", "forward.car=100, backward.bicycle=7"]
    assert main([*words, "--limit", "4"]) == 0
    (topic, start), (_, stop) = Broker.sent
    assert topic == "tallypost/v1/gate-1/cmd" and start["do"] == "start"
    assert stop["do"] == "stop" and stop["limit_pct"] == 4
    assert stop["tally"] == {"forward": {"car": 100}, "backward": {"bicycle": 7}}
    told = capsys.readouterr()
    assert "pass: " in told.out and "-3.0" in told.out and "by chance" in told.out
    assert "Count by hand for at least 77 road users, then run: tallypost calibrate" in told.out


def test_a_node_at_a_serial_port_is_calibrated_over_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = {"calibrate": lambda body: "counting" if body["do"] == "start" else result(False)}
    with FakeNode(answers) as node:
        assert main(["calibrate", "--port", node.port, "--start"]) == 0
        assert main(["calibrate", "--port", node.port, "--tally", "forward.car=100"]) == 1
        assert [body["do"] for body in node.commands if body["cmd"] == "calibrate"] == [
            "start", "stop"
        ]  # fmt: skip
    assert "FAIL: the total error is -3.0 %" in capsys.readouterr().out


def test_a_failed_calibration_has_exit_status_1_and_json_holds_the_chance(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Broker.reply = staticmethod(lambda _command: {"ok": True, "result": result(False)})
    words = ["calibrate", "--node", "n", "--tally", "forward.car=100", "--json"]
    assert main(words) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["pass"] is False and told["half_width_pct"] == 4.4


def test_a_class_that_is_counted_as_another_fails_although_the_total_fits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """100 cars and 20 bicycles. The node counts 80 and 40: the total fits, the classes do not."""
    tally = {**NONE, "forward": {**NONE["forward"], "car": 100, "bicycle": 20}}
    counted = {**NONE, "forward": {**NONE["forward"], "car": 80, "bicycle": 40}}
    body = {
        "counted": counted, "tally": tally, "total_error_pct": 0.0, "limit_pct": 5, "pass": True,
        "error_pct": {"forward.car": -20.0, "forward.bicycle": 100.0},
    }  # fmt: skip
    Broker.reply = staticmethod(lambda _command: {"ok": True, "result": body})
    words = ["calibrate", "--node", "n", "--tally", "forward.car=100,forward.bicycle=20"]
    assert main(words) == 1
    told = capsys.readouterr()
    assert "FAIL: the total error is +0.0 %" in told.out
    assert "more than chance: forward.bicycle, forward.car" in told.err
    assert main([*words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["failing"] == ["forward.car", "forward.bicycle"]


def test_a_few_of_a_class_may_differ_by_chance() -> None:
    body = result(True)
    body["tally"]["forward"]["heavy"] = 6
    body["error_pct"]["forward.heavy"] = -16.7
    assert calibrate.failing_classes(body) == []


def test_a_refusal_and_a_missing_reply_are_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Broker.reply = staticmethod(lambda _command: {"ok": False, "error": "start it again"})
    assert main(["calibrate", "--node", "n", "--tally", "forward.car=1"]) == 1
    assert "start it again" in capsys.readouterr().err
    Broker.reply = staticmethod(lambda _command: None)
    assert main(["calibrate", "--node", "n", "--start"]) == 1
    assert "no reply within" in capsys.readouterr().err


@pytest.mark.parametrize("tally", ("up.car=1", "forward.tank=1", "forward.car=x", "forward.car"))
def test_a_tally_that_cannot_be_read_is_refused(tally: str) -> None:
    with pytest.raises(ToolError, match="--tally"):
        calibrate.parse_tally(tally)
    assert main(["calibrate", "--node", "n", "--tally", tally]) == 2


def test_neither_start_nor_tally_is_wrong_usage() -> None:
    assert main(["calibrate", "--node", "n"]) == 2


def test_the_smallest_tally_keeps_chance_within_the_limit() -> None:
    """A miss rate of 5 % over n: 1.96 * sqrt(0.05 / n)."""
    assert calibrate.half_width_pct(100) == 4.4
    assert calibrate.tally_min(5) == 77 and calibrate.tally_min(1) == 1921
    assert calibrate.half_width_pct(calibrate.tally_min(2)) <= 2.0


@pytest.mark.parametrize("limit", ("0", "51", "nan"))
def test_a_limit_out_of_range_is_wrong_usage(limit: str) -> None:
    assert main(["calibrate", "--node", "n", "--start", "--limit", limit]) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_output_is_as_agreed(language: str, capsys: pytest.CaptureFixture[str]) -> None:
    Broker.reply = staticmethod(lambda _command: {"ok": True, "result": "counting"})
    assert main(["calibrate", "--node", "gate-1", "--start", "--lang", language]) == 0
    Broker.reply = staticmethod(lambda _command: {"ok": True, "result": result(True)})
    words = ["calibrate", "--node", "gate-1", "--tally", "forward.car=100", "--lang", language]
    assert main(words) == 0
    golden_output.check(language, "calibrate", capsys.readouterr().out)
