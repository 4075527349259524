"""`tallypost aim`: the picture, the lines, the hints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.nodes.fake_node import FakeNode, Refuse, Stream, run

from tallypost.technician.aim_view import Scene

Body = dict[str, Any]
Capture = pytest.CaptureFixture[str]


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
