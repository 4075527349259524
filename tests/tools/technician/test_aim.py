"""`tallypost aim`: the picture, the lines, the hints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.nodes.fake_node import FakeNode, Refuse, Stream, run
from tests.tools import golden_output

from tallypost.i18n import LANGUAGES, use
from tallypost.technician.aim_view import AimView

Body = dict[str, Any]
Capture = pytest.CaptureFixture[str]


def _targets(*targets: Body, state: int = 1) -> Body:
    return {"aim": "targets", "state": state, "targets": list(targets)}


_CAR = {"m": 23, "kmh": 41, "deg": -3, "snr": 18, "near": True}
_PASSAGE = {"aim": "passage", "direction": "forward", "class": "car", "kmh": 40.2}
_WALKER = {"aim": "passage", "direction": "backward", "class": "pedestrian", "kmh": None}
_BEGUN = {"seconds": 60, "detector": "ld2451"}


def test_aim_prints_lines_where_there_is_no_terminal(capsys: Capture) -> None:
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


def test_a_node_that_refuses_is_an_error_with_its_reason(capsys: Capture) -> None:
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_picture_of_a_radar_is_as_agreed(language: str) -> None:
    use(language)
    view = AimView("ld2451", Clock())
    far = {"m": 80, "kmh": 12, "deg": 8, "snr": 9, "near": False}
    view.update(_targets(far, _CAR))
    view.update(_PASSAGE)
    view.update(_WALKER)
    pictures = [view.render()]
    view.update(_targets(state=2))
    pictures += [view.render(), view.summary()]
    golden_output.check(language, "aim_radar", "\n---\n".join(pictures))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_picture_of_beams_is_as_agreed(language: str) -> None:
    use(language)
    clock = Clock()
    view = AimView("beam", clock)
    view.update({"aim": "beams", "state": 1, "beams": [[True, 5], [False, 4]]})
    clock.now = 21
    view.update({"aim": "targets", "state": 1, "targets": []})
    golden_output.check(language, "aim_beams", view.render())


def test_beams_are_printed_when_they_change() -> None:
    view = AimView("beam", Clock())
    told = view.update({"aim": "beams", "state": 1, "beams": [[True, 5], [False, 4]]})
    assert told == ["  beam A: BROKEN  broken 2 times", "  beam B: clear   broken 2 times"]
    assert view.update({"aim": "beams", "state": 1, "beams": [[True, 5], [False, 4]]}) == []
    assert told[0] in view.render() and view.summary() == "no road user was counted"


def test_a_radar_without_distance_is_shown_by_speed_alone() -> None:
    view = AimView("ops243", Clock())
    view.update(_targets({"kmh": 31.4, "mag": 80, "near": True}))
    assert "  31 km/h approaching strength 80" in view.render()
    view.update(_targets({"kmh": 12.0}))
    assert "  12 km/h" in view.render()


def test_each_trouble_of_the_aim_has_its_hint() -> None:
    clock = Clock()

    def hint(detector: str, *bodies: Body, after: float = 0) -> str:
        clock.now = 0
        view = AimView(detector, clock)
        for body in bodies:
            view.update(body)
        clock.now = after
        return view.hint()

    weak, askew = {**_CAR, "snr": 4}, {**_CAR, "deg": 22}
    assert hint("ld2451", *[_targets(_CAR)] * 30) == ""
    assert "weak signal, SNR 4 on average" in hint("ld2451", *[_targets(weak)] * 20)
    assert hint("ld2451", *[_targets(weak)] * 5) == "", "five targets give no average"
    assert "22 degrees to one side: turn the sensor to the right" in hint(
        "ld2451", *[_targets(askew)] * 20
    )
    assert "nothing seen for 20 s" in hint("ld2451", _targets(_CAR), after=21)
    assert hint("ld2451", _targets(_CAR), after=19) == ""
    assert "does not answer" in hint("ld2451", _targets(state=3))
    assert "one beam is broken without" in hint("beam", {"aim": "beams", "state": 5, "beams": []})
    blocked = {"aim": "beams", "state": 1, "beams": [[True, 1], [False, 0]]}
    assert "a beam stays broken" in hint("beam", blocked, after=21)


def test_a_hint_is_printed_once() -> None:
    clock = Clock()
    view = AimView("ld2451", clock)
    clock.now = 21
    assert (
        view.update(_targets())[0].startswith("hint: nothing seen")
        and view.update(_targets()) == []
    )
