"""Calibration: a manual tally against the node's own count."""

import json

from commands.registry import handle


from console_node import FakeApp


def _send(app, **body):
    reply = handle(app, json.dumps(body).encode())
    return reply["result"] if reply["ok"] else reply["error"]


def _counting(app, passages):
    for direction, cls, n in passages:
        for _ in range(n):
            app.rec.add(direction, cls, 200)


def test_calibration_compares_a_tally_with_the_count():
    app = FakeApp()
    _counting(app, ((0, 2, 7),))  # before it
    _send(app, id=1, cmd="calibrate", do="start")
    _counting(app, ((0, 2, 97), (0, 1, 10), (1, 2, 50)))
    app.rec.reset(0, 0)  # an interval ends meanwhile
    _counting(app, ((1, 2, 2),))
    tally = {"forward": {"car": 100, "bicycle": 8}, "backward": {"car": 50}}
    got = _send(app, id=2, cmd="calibrate", do="stop", tally=tally, limit_pct=1)
    assert got["counted"]["forward"]["car"] == 97 and got["counted"]["backward"]["car"] == 52
    assert got["error_pct"] == {
        "forward.car": -3.0, "forward.bicycle": 25.0, "backward.car": 4.0
    }  # fmt: skip
    assert got["total_error_pct"] == 0.6 and got["pass"] is True
    assert app.events == [("calibration", {"error_pct": 0.6, "limit_pct": 1, "ok": True})]
    assert "start it again" in _send(app, id=3, cmd="calibrate", do="stop", tally=tally)


def test_calibration_fails_beyond_its_limit():
    app = FakeApp()
    _send(app, id=1, cmd="calibrate", do="start")
    _counting(app, ((0, 0, 90),))
    tally = {"forward": {"pedestrian": 100}}
    got = _send(app, id=2, cmd="calibrate", do="stop", tally=tally)
    assert got["total_error_pct"] == -10.0 and got["limit_pct"] == 5 and got["pass"] is False


def test_road_users_that_became_unknown_meanwhile_are_not_counted_again():
    app = FakeApp()
    _counting(app, ((0, 2, 2),))  # before it, and few: at the end of the interval nobody's class
    _send(app, id=1, cmd="calibrate", do="start")
    app.rec.withhold(3)
    app.rec.reset(0, 0)
    _counting(app, ((0, 2, 5), (0, 4, 1)))
    tally = {"forward": {"car": 6}}
    got = _send(app, id=2, cmd="calibrate", do="stop", tally=tally)["counted"]["forward"]
    assert got == {"pedestrian": 0, "bicycle": 0, "car": 3, "heavy": 0, "unknown": 3}, got


def test_a_calibration_of_few_tells_no_class():
    app = FakeApp()
    _send(app, id=1, cmd="calibrate", do="start")
    _counting(app, ((0, 2, 2), (1, 1, 3)))
    got = _send(app, id=2, cmd="calibrate", do="stop", tally={"forward": {"car": 2}})["counted"]
    assert got["forward"]["car"] == 0 and got["forward"]["unknown"] == 2
    assert got["backward"]["bicycle"] == 3


def test_a_bad_calibration_is_refused_and_goes_on():
    app = FakeApp()
    assert "restarted" in _send(app, id=0, cmd="calibrate", do="stop", tally={})
    assert "start or stop" in _send(app, id=0, cmd="calibrate")
    _send(app, id=1, cmd="calibrate", do="start")
    _counting(app, ((0, 2, 10),))
    good = {"forward": {"car": 10}}
    for why, body in (
        ("tally = None", {}),
        ("tally = 5", {"tally": 5}),
        ("tally.up", {"tally": {"up": {}}}),
        ("tally.forward", {"tally": {"forward": 3}}),
        ("class 'tank'", {"tally": {"forward": {"tank": 1}}}),
        ("forward.car = -1", {"tally": {"forward": {"car": -1}}}),
        ("forward.car = 1.5", {"tally": {"forward": {"car": 1.5}}}),
        ("empty", {"tally": {}}),
        ("limit_pct = 0", {"tally": good, "limit_pct": 0}),
        ("limit_pct = 51", {"tally": good, "limit_pct": 51}),
        ("limit_pct = True", {"tally": good, "limit_pct": True}),
    ):
        assert why in _send(app, id=2, cmd="calibrate", do="stop", **body), why
    assert _send(app, id=3, cmd="calibrate", do="stop", tally=good)["pass"] is True
